import { KikitoriError, messageOf } from '../runtime/errors.js';
import { channelNamePattern } from '../update/index.js';
import type { TopRole } from './metadata.js';

/** fleet.json beside the repository: what the publisher decides and no device needs to know. */
export interface Settings {
  readonly format: 1;
  /** A channel that is not here cannot be published to: a slip of the finger makes no new one. */
  readonly channels: readonly string[];
  readonly expiresDays: Readonly<Record<TopRole, number>>;
  /** SHA-256 of manifests that may never be published again. */
  readonly revoked: readonly string[];
}

export const defaultSettings: Settings = {
  format: 1,
  channels: ['stable'],
  // A stolen timestamp key or a frozen mirror can hold devices back for as long as these.
  expiresDays: { root: 365, targets: 180, snapshot: 60, timestamp: 14 },
  revoked: [],
};

export function parseSettings(text: string, where: string): Settings {
  const bad = (what: string) => new KikitoriError(what, { kind: 'config', where });
  let value: Partial<Settings> | null;
  try {
    value = JSON.parse(text) as Partial<Settings> | null;
  } catch (error) {
    throw bad(`not JSON: ${messageOf(error)}`);
  }
  const { format, channels, expiresDays, revoked } = value ?? {};
  if (format !== 1) throw bad('format is not 1');
  if (!Array.isArray(channels) || channels.length === 0 || !channels.every(isChannel))
    throw bad('channels: expected a list of names');
  for (const role of ['root', 'targets', 'snapshot', 'timestamp'] as const) {
    const days = expiresDays?.[role];
    if (typeof days !== 'number' || !(days >= 1 && days <= 3650))
      throw bad(`expiresDays.${role}: expected 1 to 3650`);
  }
  if (!Array.isArray(revoked)) throw bad('revoked: expected a list');
  return value as Settings;
}

const isChannel = (name: unknown) => typeof name === 'string' && channelNamePattern.test(name);
