import { atLeast, type WantedLanguageModel } from '../bundle/index.js';
import { eligibility, type Device } from './eligibility.js';
import { isBusy } from './machine.js';
import type { Offer } from './source.js';
import type { UpdateState } from './state.js';

export interface Installed {
  readonly name: string;
  readonly version: string;
  /** Of the .tar; null for what came with the installation. */
  readonly sha256: string | null;
}

export interface PolicyContext {
  readonly device: Device;
  readonly installed: Installed;
  readonly agentVersion: string;
  /** The only version wanted; '' is any. */
  readonly pin: string;
  /** An operator asked: percentage, groups and pause do not count. */
  readonly explicit: boolean;
  /** An operator asked for a bundle that was refused here. */
  readonly retry: boolean;
  /** What is changed beside it: one at a time, so that a trial says something. Null: nothing. */
  readonly beside: string | null;
  /** Why the language model that a bundle wants is not here; null: it is, or no free words are heard. */
  readonly lacks: (wanted: WantedLanguageModel) => string | null;
}

export type NoReason =
  | 'nothing-offered'
  | 'busy'
  | 'up-to-date'
  | 'pinned'
  | 'refused'
  | 'not-newer'
  | 'agent-too-old'
  | 'needs-language-model'
  | 'not-in-rollout'
  | 'paused'
  | 'aborted';

export type Decision =
  | { readonly go: true }
  | { readonly go: false; readonly reason: NoReason; readonly detail: string };

/** Whether this device takes what is offered; the first reason against it, in the order in which an operator would ask. */
export function decide(state: UpdateState, offer: Offer | null, c: PolicyContext): Decision {
  const no = (reason: NoReason, detail: string): Decision => ({ go: false, reason, detail });
  if (offer === null) return no('nothing-offered', 'the channel offers nothing');
  const { bundle, rollout } = offer;
  const { installed } = c;
  const label = `${bundle.name} ${bundle.version}`;
  if (isBusy(state.phase))
    return no('busy', `${state.offer?.bundle.version ?? ''} is ${state.phase}`);
  const same = bundle.name === installed.name && bundle.version === installed.version;
  if (bundle.sha256 === installed.sha256 || (same && installed.sha256 === null))
    return no('up-to-date', `${label} is installed`);
  if (c.pin !== '' && bundle.version !== c.pin)
    return no('pinned', `update.pin allows ${c.pin} only`);
  const refused = state.refused.find((r) => r.sha256 === bundle.sha256);
  if (refused !== undefined && !c.retry)
    return no('refused', `${label} was refused here before: ${refused.reason}`);
  if (same)
    return no(
      'not-newer',
      `another bundle is installed as ${label}; a new one needs a new version`,
    );
  const older = bundle.name === installed.name && !atLeast(bundle.version, installed.version);
  if (older && !offer.downgrade)
    return no(
      'not-newer',
      `${label} is older than ${installed.version} and no downgrade was signed`,
    );
  if (!atLeast(c.agentVersion, bundle.minAgent))
    return no(
      'agent-too-old',
      `${label} needs kikitori ${bundle.minAgent}, this is ${c.agentVersion}`,
    );
  const lacking = bundle.languageModel === undefined ? null : c.lacks(bundle.languageModel);
  if (lacking !== null) return no('needs-language-model', `${label}: ${lacking}`);
  if (rollout.state === 'aborted') return no('aborted', `the roll-out of ${label} was aborted`);
  const allowed = eligibility(c.device, offer);
  if (!allowed.eligible && !c.explicit)
    return no(allowed.reason, `${label}: ${rollout.percent} % of the devices, ${rollout.state}`);
  if (c.beside !== null) return no('busy', `${label} waits: ${c.beside}`);
  return { go: true };
}
