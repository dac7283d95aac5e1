/** What a bundle did in the field, in numbers that can be added. */
export interface Statistics {
  /** Utterances that were answered, accepted or refused. */
  readonly utterances: number;
  readonly refused: number;
  readonly confidenceSum: number;
  readonly confidenceSquares: number;
  readonly audioMs: number;
  /** Processor time spent on that audio. */
  readonly computeMs: number;
  /** Sounds that could have been speech, counted without the network (activity.ts). */
  readonly bursts: number;
}

export const nothingHeard: Statistics = {
  utterances: 0,
  refused: 0,
  confidenceSum: 0,
  confidenceSquares: 0,
  audioMs: 0,
  computeMs: 0,
  bursts: 0,
};

const names = Object.keys(nothingHeard) as (keyof Statistics)[];

/** Field by field: it is asked for each chunk of audio. */
export function sum(a: Statistics, b: Statistics): Statistics {
  return {
    utterances: a.utterances + b.utterances,
    refused: a.refused + b.refused,
    confidenceSum: a.confidenceSum + b.confidenceSum,
    confidenceSquares: a.confidenceSquares + b.confidenceSquares,
    audioMs: a.audioMs + b.audioMs,
    computeMs: a.computeMs + b.computeMs,
    bursts: a.bursts + b.bursts,
  };
}

/** Old evidence counts half once there are this many utterances, so a room that changed is noticed. */
const utterancesKept = 400;

export function forgetting(s: Statistics): Statistics {
  if (s.utterances <= utterancesKept) return s;
  return Object.fromEntries(names.map((n) => [n, s[n] / 2])) as unknown as Statistics;
}

export function isStatistics(value: unknown): value is Statistics {
  return (
    typeof value === 'object' &&
    value !== null &&
    names.every((n) => {
      const number = (value as Record<string, unknown>)[n];
      return typeof number === 'number' && Number.isFinite(number) && number >= 0;
    })
  );
}

export interface TrialRules {
  /** The trial is over after so many utterances ... */
  readonly utterances: number;
  /** ... or after so much running time, whichever comes first. */
  readonly durationMs: number;
  /** Shares and means of fewer utterances than this say nothing. */
  readonly minSample: number;
  /** Computing time over audio time that this board can bear. */
  readonly realTimeFactor: number;
}

export type TrialReason = 'slow' | 'refuses' | 'unsure' | 'hears-nothing';

export type Verdict =
  | { readonly verdict: 'go-on' }
  | { readonly verdict: 'commit'; readonly detail: string }
  | { readonly verdict: 'roll-back'; readonly reason: TrialReason; readonly detail: string };

/** Refusals may rise by this share of the utterances, confidence may fall by this much. */
const refusalMargin = 0.15;
const confidenceMargin = 0.15;
/** Without a predecessor to compare with, only a bundle that refuses nearly everything is bad. */
const refusalHopeless = 0.75;
/** Three times slower than before is bad, if it is also this share of real time. */
const slowerTimes = 3;
const slowMatters = 0.1;
/** Beyond the limit, but no more than this times what it cost before: the board is busier. */
const neighboursTimes = 1.5;
/** Cost is judged on at least this much audio. */
const costAudioMs = 30_000;
/** Fewer than a quarter of the utterances that as many sounds gave before: it hears nothing. */
const hearsShare = 0.25;
/** One-sided 99 %. */
const z = 2.326;

/** Lower bound of a share by Wilson's score interval. */
export function wilsonLow(hits: number, n: number): number {
  if (n === 0) return 0;
  const p = hits / n;
  const z2 = (z * z) / n;
  const spread = z * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n));
  return Math.max(0, (p + z2 / 2 - spread) / (1 + z2));
}

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
const costOf = (s: Statistics) => s.computeMs / Math.max(s.audioMs, 1);
const meanOf = (s: Statistics) => s.confidenceSum / Math.max(s.utterances, 1);

/**
 * Whether a bundle on trial may stay, against its predecessor on the same board (docs/updates.md
 * says the rule in words). Called after every utterance and now and then between them; shares and
 * means are looked at once every `minSample` utterances and at the end, so that looking often does not
 * find a bad moment by chance.
 */
export function judge(
  trial: Statistics,
  before: Statistics,
  elapsedMs: number,
  rules: TrialRules,
): Verdict {
  const cost = tooSlow(trial, before, rules);
  if (cost !== null) return { verdict: 'roll-back', reason: 'slow', detail: cost };
  const over = trial.utterances >= rules.utterances || elapsedMs >= rules.durationMs;
  const time = over || trial.utterances % rules.minSample === 0;
  if (time && trial.utterances >= rules.minSample) {
    const worse = worseThan(trial, before, rules.minSample);
    if (worse !== null) return worse;
  }
  const deaf = deafness(trial, before, rules.minSample);
  if (deaf !== null) return { verdict: 'roll-back', reason: 'hears-nothing', detail: deaf };
  if (!over) return { verdict: 'go-on' };
  return {
    verdict: 'commit',
    detail:
      trial.utterances >= rules.minSample
        ? `${trial.utterances} utterances, ${percent(trial.refused / trial.utterances)} refused, confidence ${meanOf(trial).toFixed(2)}`
        : `only ${trial.utterances} utterances in ${Math.round(elapsedMs / 60_000)} minutes: nothing speaks against it`,
  };
}

function tooSlow(trial: Statistics, before: Statistics, rules: TrialRules): string | null {
  if (trial.audioMs < costAudioMs) return null;
  const now = costOf(trial);
  const known = before.audioMs >= costAudioMs;
  // Neighbours make both dearer: what costs as much as before is not slow by itself.
  if (now > rules.realTimeFactor && !(known && now <= neighboursTimes * costOf(before)))
    return `${now.toFixed(3)} of real time, at most ${rules.realTimeFactor} is allowed`;
  if (!known || now < slowMatters) return null;
  return now > slowerTimes * costOf(before)
    ? `${now.toFixed(3)} of real time, it was ${costOf(before).toFixed(3)} before`
    : null;
}

function worseThan(trial: Statistics, before: Statistics, minSample: number): Verdict | null {
  const share = trial.refused / trial.utterances;
  const surely = wilsonLow(trial.refused, trial.utterances);
  if (before.utterances < minSample) {
    return surely > refusalHopeless
      ? {
          verdict: 'roll-back',
          reason: 'refuses',
          detail: `refuses ${percent(share)} of ${trial.utterances} utterances`,
        }
      : null;
  }
  const shareBefore = before.refused / before.utterances;
  if (surely > shareBefore + refusalMargin) {
    return {
      verdict: 'roll-back',
      reason: 'refuses',
      detail: `refuses ${percent(share)} of ${trial.utterances} utterances, it was ${percent(shareBefore)} before`,
    };
  }
  const variance = trial.confidenceSquares / trial.utterances - meanOf(trial) ** 2;
  const error = Math.sqrt(Math.max(variance, 0) / trial.utterances);
  if (meanOf(trial) + z * error < meanOf(before) - confidenceMargin) {
    return {
      verdict: 'roll-back',
      reason: 'unsure',
      detail: `confidence ${meanOf(trial).toFixed(2)} over ${trial.utterances} utterances, it was ${meanOf(before).toFixed(2)} before`,
    };
  }
  return null;
}

/** Sounds go on, answers do not. Compared by sounds, not by hours: at night nobody speaks. */
function deafness(trial: Statistics, before: Statistics, minSample: number): string | null {
  if (before.utterances < minSample || before.bursts < minSample) return null;
  const perBurst = Math.min(1, before.utterances / before.bursts);
  const expected = perBurst * trial.bursts;
  return expected >= minSample && trial.utterances < hearsShare * expected
    ? `${trial.utterances} utterances in ${trial.bursts} sounds, about ${Math.round(expected)} were to be expected`
    : null;
}
