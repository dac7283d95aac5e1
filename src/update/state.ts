import type { Offer } from './source.js';
import { parseChannelFile } from './channel.js';
import { isPlace, type Place, type SlotName } from './slots.js';
import { isStatistics, type Statistics } from './trial.js';

export const phases = [
  'idle',
  'downloading',
  'verified',
  'trial',
  'committed',
  'rolled-back',
  'rejected',
  'failed',
] as const;
export type Phase = (typeof phases)[number];

/** Why a bundle went no further. docs/updates.md says of each what to do. */
export const reasons = [
  // failed: nothing is wrong with the bundle; it is tried again by itself
  'download-failed',
  'disk-full',
  'storage',
  'interrupted',
  'current-unreadable',
  'site-fault',
  'busy',
  // rejected: never became current
  'damaged',
  'incompatible',
  'does-not-load',
  'selftest',
  'logits-differ',
  'too-slow',
  'too-large',
  'grammar',
  'crashed-loading',
  // rolled-back: was current for a while
  'slow',
  'refuses',
  'unsure',
  'hears-nothing',
  'crashed',
  'crash-loop',
  'power-cuts',
  'requested',
  'withdrawn',
  // idle
  'aborted',
] as const;
export type Reason = (typeof reasons)[number];

/** A bundle that this device does not try again by itself. */
export interface Refused {
  readonly sha256: string;
  readonly version: string;
  readonly reason: Reason;
  readonly atMs: number;
}

export interface Trial {
  /** Running time so far; the wall clock may jump. */
  readonly elapsedMs: number;
  readonly statistics: Statistics;
  readonly before: Statistics;
  readonly powerCuts: number;
}

/** The first day of a bundle that was committed: the predecessor is not forgotten yet. */
export interface Settling {
  /** Running time since it was committed. */
  readonly aliveMs: number;
  readonly crashes: number;
}

/** All that the update stage must know after a power cut: state/update/journal.json. */
export interface UpdateState {
  readonly format: 1;
  readonly phase: Phase;
  /** Wall clock, for display only. */
  readonly sinceMs: number;
  /** What the phase is about. */
  readonly offer: Offer | null;
  readonly reason: Reason | null;
  readonly detail: string;
  /** What hears after the next start; the pointer in slots/ follows it. */
  readonly current: Place;
  /** The offer that `current` came from; null for the factory's. */
  readonly installed: Offer | null;
  /** What to go back to, and the offer that it came from. */
  readonly previous: Place | null;
  readonly previousInstalled: Offer | null;
  /** The slot that is being filled or was filled for this offer. */
  readonly target: SlotName | null;
  /** An operator asked for it: window, percentage and pause do not hold it back. */
  readonly explicit: boolean;
  /** Times the candidate was opened in this process without having survived it yet. */
  readonly openings: number;
  readonly trial: Trial | null;
  /** Null once it has settled, and in journals from before there was this rule. */
  readonly settling: Settling | null;
  /** Newest last, bounded. */
  readonly refused: readonly Refused[];
  readonly run: { readonly bootId: string; readonly clean: boolean };
}

export const initialState: UpdateState = {
  format: 1,
  phase: 'idle',
  sinceMs: 0,
  offer: null,
  reason: null,
  detail: '',
  current: 'factory',
  installed: null,
  previous: null,
  previousInstalled: null,
  target: null,
  explicit: false,
  openings: 0,
  trial: null,
  settling: null,
  refused: [],
  run: { bootId: '', clean: true },
};

type Loose = Record<string, unknown>;
const record = (v: unknown): v is Loose => typeof v === 'object' && v !== null;
const whole = (v: unknown) => typeof v === 'number' && Number.isFinite(v) && v >= 0;

/** The journal's text -> state; null when it is damaged, as after a fault of the disk. */
export function parseState(source: string): UpdateState | null {
  try {
    const v: unknown = JSON.parse(source);
    if (!record(v) || v['format'] !== 1) return null;
    for (const name of ['offer', 'installed', 'previousInstalled'])
      if (v[name] !== null) parseChannelFile(JSON.stringify(v[name]), 'journal');
    const { run, trial, settling = null } = v;
    const good =
      phases.includes(v['phase'] as Phase) &&
      whole(v['sinceMs']) &&
      (v['reason'] === null || reasons.includes(v['reason'] as Reason)) &&
      typeof v['detail'] === 'string' &&
      isPlace(v['current']) &&
      (v['previous'] === null || isPlace(v['previous'])) &&
      (v['target'] === null || v['target'] === 'A' || v['target'] === 'B') &&
      typeof v['explicit'] === 'boolean' &&
      whole(v['openings']) &&
      (trial === null || goodTrial(trial)) &&
      (settling === null || goodSettling(settling)) &&
      Array.isArray(v['refused']) &&
      v['refused'].every((r) => record(r) && typeof r['sha256'] === 'string') &&
      record(run) &&
      typeof run['bootId'] === 'string' &&
      typeof run['clean'] === 'boolean';
    return good ? ({ ...v, settling } as unknown as UpdateState) : null;
  } catch {
    return null;
  }
}

function goodTrial(v: unknown): boolean {
  return (
    record(v) &&
    whole(v['elapsedMs']) &&
    whole(v['powerCuts']) &&
    isStatistics(v['statistics']) &&
    isStatistics(v['before'])
  );
}

function goodSettling(v: unknown): boolean {
  return record(v) && whole(v['aliveMs']) && whole(v['crashes']);
}
