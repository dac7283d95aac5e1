import { flag } from './formats.js';

const allowed = (what: string) => ({
  doc: `Whoever may publish to request/ of this device may ${what}. false: that request is refused.`,
  format: flag,
  default: true,
});

/** A switch for each request over MQTT; docs/security.md says who may ask. */
export const requestsSchema = {
  listen: allowed('let it hear one utterance (push-to-talk)'),
  stop: allowed('end the utterance'),
  mute: allowed('let it hear nothing, and hear again'),
  options: allowed('change thresholds until the next start'),
  grammar: allowed('let it read the sentences again'),
  selftest: allowed('let it hear the clip of its model'),
  update: allowed('look for an update, install it, or give it up'),
  language: allowed('look for a language model, install it, give it up, or go back'),
  rollback: allowed('go back to the model before'),
  restart: allowed('end it, to be started again by the service manager'),
} as const;

export type SwitchedRequest = keyof typeof requestsSchema;

/** What nobody may ask over the broker. */
export const requestsOff = (on: Readonly<Partial<Record<SwitchedRequest, boolean>>>) =>
  (Object.keys(on) as SwitchedRequest[]).filter((name) => on[name] === false);
