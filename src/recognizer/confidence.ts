import type { Confidence, Logistic } from '../bundle/index.js';
import type { AlignedPhone } from './search/align.js';

/**
 * What speaks for and against a sentence. Ratios are log-likelihood ratios against the phone loop, which allows
 * any phones. A ratio of 0: nothing explains the audio better.
 */
export interface Evidence {
  /**
   * Log-likelihood ratio of the sentence against the filler, over all of the audio. ln(sentences) is taken off:
   * the best of so many gains that much by chance. Clipped to leadMax either way; 0 in a bundle without a phone chain.
   */
  readonly lead: number;
  /** Mean over phones of ln(share of the phone among all phones, blank left out) near its frame. */
  readonly clarity: number;
  /** Phone error rate of greedy decoding without priors, against the sentence's phones. */
  readonly misheard: number;
  /** Mean over phones; at most 0. */
  readonly llrMean: number;
  /** Mean of the worst word. */
  readonly llrWorstWord: number;
  readonly llrWorstPhone: number;
  /** Distance to the best sentence that means something else, at most marginMax. */
  readonly margin: number;
  /** The same for each phone in which the two differ: a lone "on" or "off" must be certain by itself. */
  readonly marginPhone: number;
  /** Log-likelihood ratio to that sentence over the words in which they differ, all alignments added up; see duel.ts. */
  readonly duel: number;
  /** Share of all looks at the utterance (weightings, shifts, vocal tracts) that found a sentence of the same meaning. */
  readonly agreement: number;
  /** Mean margin over all looks, each at most marginLookMax. Negative for a look that found another meaning. */
  readonly marginMean: number;
  /** Share of the frames with a phone that lie outside of the sentence's words. */
  readonly outside: number;
  /** |ln(phones a second / usual)|. */
  readonly rate: number;
  /** Phone error rate of greedy decoding with priors, against the sentence's phones. */
  readonly mismatch: number;
  /** ln of the longest time between two phones of one word, in steps. */
  readonly gap: number;
  /** Share of the phones squeezed into the step after the one before. */
  readonly crowded: number;
  /** Mean of 1 - p(best unit) over the frames of the words: a network that does not know. */
  readonly doubt: number;
  /** Level of the words above the quietest tenth of the utterance, in standard deviations of a mel band. */
  readonly loudness: number;
  /** ln(sentences) for each phone: how much the grammar could choose to fit the audio. */
  readonly freedom: number;
  /** ln of the number of phones. */
  readonly length: number;
  readonly phones: number;
}

/** Evidence beyond this adds nothing: a few phones more or less of a long sentence must not outweigh the rest. */
const leadMax = 20;
export const marginMax = 20;
const marginPhoneMax = 10;
/** How far ahead one look may be for the mean: beyond this nearly none is wrong (docs/adr/0041-by-meaning.md). */
export const marginLookMax = 6;
const usualPhonesPerSecond = 11;
const secondsPerMs = 1e-3;
/** Frames around the words that still belong to them: the network spreads a phone. */
const framesBefore = 1;
const framesAfter = 3;
const quietShare = 0.1;
/** A phone that the network rules out counts as this and no worse: one such phone must not decide alone. */
const clarityMin = -10;

/** Everything that the evidence is made of; rows of `scores` and `logProbs` have one value a unit. */
export interface Heard {
  readonly phones: readonly AlignedPhone[];
  /** Score of the sentence over all of the audio. */
  readonly sentenceScore: number;
  /** Score of any phones over the same; absent in a bundle without a phone chain. */
  readonly fillerScore: number | undefined;
  readonly ratios: readonly number[];
  /** Scores of the search: log-probabilities after priors. */
  readonly scores: Float32Array;
  readonly units: number;
  /** Log-probabilities of the network as they came, for what must not depend on priors. */
  readonly logProbs: Float32Array;
  /** Level of each step. */
  readonly levels: Float32Array;
  readonly margin: number;
  readonly duel: number;
  /** Of the runner-up, the best sentence of another meaning; null: there is none. */
  readonly secondPhones: readonly number[] | null;
  readonly sentences: number;
  readonly stepMs: number;
}

/** Likelihood ratio of each phone's frames: the phone or blank against the best unit of each frame. */
export function phoneRatios(
  phones: readonly AlignedPhone[],
  scores: Float32Array,
  units: number,
): number[] {
  return phones.map(({ unit, startFrame, endFrame }) => {
    let ratio = 0;
    for (let t = startFrame; t < endFrame; t++) {
      const row = t * units;
      let best = -Infinity;
      for (let u = 0; u < units; u++) best = Math.max(best, scores[row + u] ?? -Infinity);
      const said = scores[row + unit] ?? -Infinity;
      ratio += (t === startFrame ? said : Math.max(said, scores[row] ?? -Infinity)) - best;
    }
    return ratio;
  });
}

/** The best unit of each frame. */
function greedy(rows: Float32Array, units: number): Uint8Array {
  const out = new Uint8Array(rows.length / units);
  for (let t = 0; t < out.length; t++) {
    let best = 0;
    for (let u = 1; u < units; u++)
      if ((rows[t * units + u] ?? 0) > (rows[t * units + best] ?? 0)) best = u;
    out[t] = best;
  }
  return out;
}

/** Frames in which a phone is more likely than blank. */
export function speechFrames(scores: Float32Array, units: number): number[] {
  return [...greedy(scores, units)].flatMap((u, t) => (u === 0 ? [] : [t]));
}

/** Evidence of one look; the rest compares them. */
export type LookEvidence = Omit<Evidence, 'agreement' | 'marginMean'>;

export function gatherEvidence(h: Heard): LookEvidence {
  const { phones, ratios, units } = h;
  const byWord = new Map<number, number[]>();
  phones.forEach(({ word }, i) => byWord.set(word, [...(byWord.get(word) ?? []), ratios[i] ?? 0]));
  const first = phones[0]?.startFrame ?? 0;
  const last = phones.at(-1)?.startFrame ?? 0;
  const [from, to] = [Math.max(0, first - framesBefore), last + framesAfter];
  const seconds = Math.max((last - first + 1) * h.stepMs * secondsPerMs, 0.05);
  const free = greedy(h.scores, units);
  const clear = greedy(h.logProbs.subarray(from * units, (to + 1) * units), units);
  const speech = [...free].flatMap((u, t) => (u === 0 ? [] : [t]));
  const count = Math.max(phones.length, 1);
  return {
    lead: lead(h),
    clarity: clarity(phones, h.logProbs, units),
    misheard: Math.min(2, edits(collapsed(clear), said(phones)) / count),
    llrMean: mean(ratios),
    llrWorstWord: Math.min(0, ...[...byWord.values()].map(mean)),
    llrWorstPhone: Math.min(0, ...ratios),
    margin: Math.min(h.margin, marginMax),
    marginPhone: Math.min(h.margin / differing(phones, h.secondPhones), marginPhoneMax),
    duel: h.duel,
    outside:
      speech.length === 0 ? 1 : speech.filter((t) => t < from || t > to).length / speech.length,
    rate: Math.abs(Math.log(count / seconds / usualPhonesPerSecond)),
    mismatch: Math.min(2, edits(collapsed(free.subarray(from, to + 1)), said(phones)) / count),
    gap: Math.log(Math.max(1, ...within(phones))),
    crowded: within(phones).filter((steps) => steps <= 1).length / count,
    doubt: doubt(h.logProbs.subarray(from * units, (to + 1) * units), units),
    loudness: loudness(h.levels, from, to),
    freedom: Math.log(1 + Math.min(h.sentences, Number.MAX_SAFE_INTEGER)) / count,
    length: Math.log(count),
    phones: phones.length,
  };
}

function lead({ sentenceScore, fillerScore, sentences }: Heard): number {
  if (fillerScore === undefined) return 0;
  const ahead = sentenceScore - fillerScore;
  const byChance = Math.log(1 + Math.min(sentences, Number.MAX_SAFE_INTEGER));
  return Math.min(leadMax, Math.max(-leadMax, ahead - byChance));
}

/** The network may say a phone one frame earlier or later than the best path. */
const nearFrames = 1;

function clarity(phones: readonly AlignedPhone[], logProbs: Float32Array, units: number): number {
  const frames = logProbs.length / units;
  const shares = phones.map(({ unit, startFrame }) => {
    let best = -Infinity;
    const end = Math.min(frames - 1, startFrame + nearFrames);
    for (let t = Math.max(0, startFrame - nearFrames); t <= end; t++) {
      let all = 0;
      for (let u = 1; u < units; u++) all += Math.exp(logProbs[t * units + u] ?? -Infinity);
      best = Math.max(best, (logProbs[t * units + unit] ?? -Infinity) - Math.log(all));
    }
    return Math.max(best, clarityMin);
  });
  return mean(shares);
}

const mean = (values: readonly number[]) =>
  values.reduce((a, b) => a + b, 0) / Math.max(values.length, 1);

const said = (phones: readonly AlignedPhone[]) => phones.map((p) => p.unit);

/** Steps from each phone to the next one of the same word. */
function within(phones: readonly AlignedPhone[]): number[] {
  return phones.flatMap((p, i) => {
    const next = phones[i + 1];
    return next === undefined || next.word !== p.word ? [] : [next.startFrame - p.startFrame];
  });
}

/** Phones in which two sentences differ, at least 1. */
function differing(phones: readonly AlignedPhone[], second: readonly number[] | null): number {
  return second === null ? Math.max(1, phones.length) : Math.max(1, edits(said(phones), second));
}

/** CTC's reading of a path of units: repeats joined, blanks left out. */
export function collapsed(path: ArrayLike<number>): number[] {
  return Array.from(path).filter((u, t) => u !== 0 && u !== path[t - 1]);
}

/** Levenshtein distance of two phone strings. */
export function edits(a: readonly number[], b: readonly number[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const kept = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(kept, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function doubt(rows: Float32Array, units: number): number {
  const frames = rows.length / units;
  let sum = 0;
  for (let t = 0; t < frames; t++) {
    let best = -Infinity;
    for (let u = 0; u < units; u++) best = Math.max(best, rows[t * units + u] ?? -Infinity);
    sum += 1 - Math.exp(best);
  }
  return frames === 0 ? 1 : sum / frames;
}

function loudness(levels: Float32Array, from: number, to: number): number {
  if (levels.length === 0) return 0;
  const sorted = Float32Array.from(levels).sort();
  const quiet = sorted[Math.floor(quietShare * (sorted.length - 1))] ?? 0;
  const inside = [...levels.subarray(from, to + 1)];
  return inside.length === 0 ? 0 : mean(inside) - quiet;
}

/**
 * Evidence that a fit may use, with the sign of its weight. A set for each question; all must be answered with yes.
 * Few on purpose: each of these ranks new voices as it ranks known ones. Other evidence did not; it is still
 * computed for bundles that have weights for it.
 */
export const signs = {
  /** Did anybody speak? */
  speech: { misheard: -1, clarity: 1 },
  /** Is it this sentence, and not something outside of the grammar? */
  said: { lead: 1, llrMean: 1, llrWorstPhone: 1 },
  /** Is it this one, and no other command? */
  rival: { margin: 1, marginPhone: 1, marginMean: 1, agreement: 1, duel: 1 },
} as const satisfies Record<string, Partial<Record<keyof Evidence, -1 | 0 | 1>>>;

function linear(evidence: Readonly<Record<string, number>>, { bias, weights }: Logistic): number {
  let sum = bias;
  for (const [name, weight] of Object.entries(weights)) sum += weight * (evidence[name] ?? 0);
  return sum;
}

/** The answers to all questions as one number: the logit of the product of their probabilities. */
export function scoreOf(
  evidence: Readonly<Record<string, number>>,
  model: Logistic & Pick<Confidence, 'rival' | 'speech'>,
): number {
  const parts = [model, model.rival, model.speech].flatMap((part) =>
    part === undefined ? [] : [linear(evidence, part)],
  );
  const [only = 0] = parts;
  if (parts.length === 1) return only;
  // The odds against, 1 / p - 1: the product of (1 + exp(-x)) less 1, added up so that small ones survive.
  const against = parts.reduce((sum, x) => sum + (1 + sum) * Math.exp(-x), 0);
  return -Math.log(against);
}

/** Probability that no other command was meant. 1 for a bundle without weights for it. */
export function certaintyOf(
  evidence: Readonly<Record<string, number>>,
  { rival }: Pick<Confidence, 'rival'>,
): number {
  return rival === undefined ? 1 : 1 / (1 + Math.exp(-linear(evidence, rival)));
}

/** The measured curve from a score to a probability, if the bundle has one. */
export function probabilityOf(score: number, model: Pick<Confidence, 'curve'>): number {
  return model.curve === undefined ? 1 / (1 + Math.exp(-score)) : interpolated(model.curve, score);
}

/** Piecewise linear through [x, y] with rising x; constant beyond the ends. */
export function interpolated(curve: readonly (readonly [number, number])[], x: number): number {
  const after = curve.findIndex(([at]) => at >= x);
  if (after < 0) return curve.at(-1)?.[1] ?? 0;
  const [x1, y1] = curve[after] ?? [0, 0];
  const [x0, y0] = curve[Math.max(0, after - 1)] ?? [0, 0];
  return x1 === x0 ? y1 : y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}

/** Probability that one word was said, from its mean ratio alone: a rough first scale. */
export function wordConfidence(ratio: number): number {
  return 1 / (1 + Math.exp(-(2.5 + ratio)));
}

/** That of the word at a place of a sentence, by its phones' ratios. */
export function confidenceAt(
  position: number,
  phones: readonly AlignedPhone[],
  ratios: readonly number[],
): number {
  return wordConfidence(mean(ratios.filter((_, i) => phones[i]?.word === position)));
}
