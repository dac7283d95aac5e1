import { LineCounter, parseDocument } from 'yaml';
import { KikitoriError } from '../runtime/errors.js';

/** One step of a roll-out that goes by itself. */
export interface Stage {
  readonly percent: number;
  /** Devices that must have finished before the next step. If the step has fewer: all of them. */
  readonly minSample: number;
  /** Percent of the finished that must have committed. */
  readonly success: number;
  /** Percent of failures, of the finished and at least of the minimum sample, that pauses the roll-out. */
  readonly pauseAbove: number;
  /** The next step comes no earlier than this after the step began. */
  readonly holdMs: number;
}

/** What the devices say about one deployment. */
export interface Reports {
  /** Devices that the broker tells of at all, whatever they run. */
  readonly known: number;
  /** Those in the step that are offline and have said nothing of it. */
  readonly offline: number;
  /** Devices online that the percentage of the step takes in, and all that have said something of it. */
  readonly taking: number;
  readonly committed: number;
  /** Rolled back, rejected or failed. */
  readonly failed: number;
}

export interface AutoState {
  readonly deployment: string;
  readonly stage: number;
  readonly enteredAtMs: number;
  readonly status: 'running' | 'paused' | 'done';
  /** The newest change is signed and not uploaded yet, as far as is known. */
  readonly uploadDue?: boolean;
}

export type AutoAction =
  | { readonly do: 'wait'; readonly why: string }
  | { readonly do: 'widen'; readonly percent: number; readonly why: string }
  | { readonly do: 'pause'; readonly why: string }
  | { readonly do: 'finish'; readonly why: string };

/** How long a step without boards waits: they appear one after the other when a reader connects. */
const emptyHoldMs = 10_000;

/**
 * What follows from the reports. Pure: a plan can be tried on paper. Failures count at once, as a share of the minimum sample
 * until that is reached. So two bad boards of ten stop a roll-out early.
 */
export function nextStep(
  stages: readonly Stage[],
  state: AutoState,
  reports: Reports,
  nowMs: number,
): { state: AutoState; action: AutoAction } {
  const stay = (why: string) => ({ state, action: { do: 'wait', why } as const });
  const stage = stages[state.stage];
  if (state.status !== 'running' || stage === undefined)
    return stay(`the roll-out is ${state.status}`);
  // A reader that sees no board (a wrong base, a broker's access list) must not take silence for health.
  if (reports.known === 0)
    return stay('the broker tells of no board: is --base right, and may this reader read?');
  const finished = reports.committed + reports.failed;
  const share = `${reports.failed} of ${finished} failed`;
  if (100 * reports.failed > stage.pauseAbove * Math.max(finished, stage.minSample))
    return {
      state: { ...state, status: 'paused' },
      action: { do: 'pause', why: `${share}, at most ${stage.pauseAbove} % are allowed` },
    };
  if (reports.taking === 0 && reports.offline > 0)
    return stay(`all ${reports.offline} boards of this step are offline`);
  const needed = Math.min(stage.minSample, reports.taking);
  if (finished < needed) return stay(`${finished} of ${needed} devices have finished`);
  if (finished > 0 && 100 * reports.committed < stage.success * finished)
    return stay(`${share}, ${stage.success} % must succeed`);
  const heldMs = nowMs - state.enteredAtMs;
  if (needed === 0 && heldMs < emptyHoldMs)
    return stay(`none of the ${reports.known} boards seen so far is in this step`);
  if (heldMs < stage.holdMs)
    return stay(`${Math.ceil((stage.holdMs - heldMs) / 60_000)} min to hold`);
  const next = stages[state.stage + 1];
  const why = `${reports.committed} of ${finished} committed`;
  if (next === undefined)
    return { state: { ...state, status: 'done' }, action: { do: 'finish', why } };
  return {
    state: { ...state, stage: state.stage + 1, enteredAtMs: nowMs },
    action: { do: 'widen', percent: next.percent, why },
  };
}

/** The step at which a plan begins on a roll-out that is under way: never narrower than its percentage. */
export function firstStage(stages: readonly Stage[], percent: number): number {
  const found = stages.findIndex((s) => s.percent >= percent);
  return found === -1 ? stages.length - 1 : found;
}

const limits: Readonly<Record<string, readonly [number, number, number]>> = {
  // low, high, default
  percent: [0.01, 100, NaN],
  minSample: [1, 100_000, 10],
  success: [0, 100, 95],
  pauseAbove: [0, 100, 5],
  holdMinutes: [0, 100_000, 0],
};

/** Reads a plan: `stages:` with percent, and optionally minSample, success, pauseAbove, holdMinutes. All faults at once. */
export function parseStages(source: string, file: string): Stage[] {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  const faults = document.errors.map((e) => e.message.split('\n')[0] ?? '');
  let value: unknown;
  try {
    value = faults.length > 0 ? undefined : (document.toJS() as unknown);
  } catch {
    faults.push('an alias (*name) that names nothing, or has no end');
  }
  const list = (value as { stages?: unknown } | undefined)?.stages;
  if (faults.length === 0 && (!Array.isArray(list) || list.length === 0 || list.length > 100))
    faults.push('expected a list `stages` of 1 to 100 steps');
  const stages: Stage[] = [];
  let before = 0;
  for (const [i, entry] of (Array.isArray(list) ? (list as unknown[]) : []).entries()) {
    const place = `step ${i + 1}`;
    const node = document.getIn(['stages', i], true) as { range?: [number] } | undefined;
    const at =
      node?.range === undefined ? place : `line ${lines.linePos(node.range[0]).line}, ${place}`;
    if (typeof entry !== 'object' || entry === null) {
      faults.push(`${at}: expected keys like percent`);
      continue;
    }
    const given = entry as Record<string, unknown>;
    for (const key of Object.keys(given))
      if (!Object.hasOwn(limits, key))
        faults.push(`${at}: unknown key ${key}, expected ${Object.keys(limits).join(', ')}`);
    const read = (key: string): number => {
      const [low = 0, high = 0, otherwise = 0] = limits[key] ?? [];
      const v = given[key] ?? otherwise;
      if (typeof v === 'number' && v >= low && v <= high) return v;
      faults.push(
        `${at}: ${key} is ${JSON.stringify(given[key]) ?? 'missing'}, expected ${low} to ${high}`,
      );
      return NaN;
    };
    const percent = read('percent');
    if (percent <= before)
      faults.push(`${at}: ${percent} percent is not more than the step before`);
    before = percent;
    stages.push({
      percent,
      minSample: read('minSample'),
      success: read('success'),
      pauseAbove: read('pauseAbove'),
      holdMs: read('holdMinutes') * 60_000,
    });
  }
  if (faults.length > 0)
    throw new KikitoriError(`${faults.length} fault(s): ${faults.slice(0, 50).join('; ')}`, {
      kind: 'config',
      where: file,
    });
  return stages;
}
