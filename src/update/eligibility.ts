import { createHash } from 'node:crypto';
import type { ChannelFile } from './channel.js';

export interface Device {
  readonly id: string;
  readonly groups: readonly string[];
}

/** A device's place in a roll-out, 0 to 9,999; another one in every roll-out, so that the first are not always the same. */
export function cohortOf(device: string, deployment: string): number {
  // A length before the name: no two pairs give the same text.
  const digest = createHash('sha256')
    .update(`${Buffer.byteLength(device)}:${device}:${deployment}`)
    .digest();
  return digest.readUInt32BE(0) % 10_000;
}

export type Eligibility =
  | { readonly eligible: true; readonly because: 'group' | 'cohort' }
  | { readonly eligible: false; readonly reason: 'paused' | 'aborted' | 'not-in-rollout' };

/** Groups first, then the cohort. A larger percentage only ever adds devices. */
export function eligibility(
  { id, groups }: Device,
  { deployment, rollout }: Pick<ChannelFile, 'deployment' | 'rollout'>,
): Eligibility {
  if (rollout.state !== 'running') return { eligible: false, reason: rollout.state };
  if (rollout.groups.some((g) => groups.includes(g))) return { eligible: true, because: 'group' };
  return cohortOf(id, deployment) < rollout.percent * 100
    ? { eligible: true, because: 'cohort' }
    : { eligible: false, reason: 'not-in-rollout' };
}
