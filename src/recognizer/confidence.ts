import type { Confidence } from '../bundle/index.js';
import type { AlignedPhone } from './search/align.js';

/**
 * What speaks for and against a sentence. Logarithms of likelihood ratios against the phone loop,
 * which may say any phones at all: 0 when the sentence explains the audio as well as anything could.
 */
export interface Evidence {
  /** Mean over phones; at most 0. */
  readonly llrMean: number;
  /** Mean of the worst word. */
  readonly llrWorstWord: number;
  readonly llrWorstPhone: number;
  /** Distance to the best sentence that means something else, at most marginMax. */
  readonly margin: number;
  /** Share of the frames with a phone that lie outside of the sentence's words. */
  readonly outside: number;
  /** |ln(phones a second / usual)|. */
  readonly rate: number;
  readonly phones: number;
}

export const marginMax = 20;
const usualPhonesPerSecond = 11;
const secondsPerMs = 1e-3;

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

/** Frames in which a phone is more likely than blank. */
export function speechFrames(scores: Float32Array, units: number): number[] {
  const frames: number[] = [];
  for (let row = 0; row < scores.length; row += units) {
    let best = 0;
    for (let u = 1; u < units; u++)
      if ((scores[row + u] ?? 0) > (scores[row + best] ?? 0)) best = u;
    if (best !== 0) frames.push(row / units);
  }
  return frames;
}

export function gatherEvidence(
  phones: readonly AlignedPhone[],
  ratios: readonly number[],
  margin: number,
  speech: readonly number[],
  stepMs: number,
): Evidence {
  const byWord = new Map<number, number[]>();
  phones.forEach(({ word }, i) => byWord.set(word, [...(byWord.get(word) ?? []), ratios[i] ?? 0]));
  const mean = (values: readonly number[]) =>
    values.reduce((a, b) => a + b, 0) / Math.max(values.length, 1);
  const first = phones[0]?.startFrame ?? 0;
  const last = phones.at(-1)?.startFrame ?? 0;
  const seconds = Math.max((last - first + 1) * stepMs * secondsPerMs, 0.05);
  return {
    llrMean: mean(ratios),
    llrWorstWord: Math.min(0, ...[...byWord.values()].map(mean)),
    llrWorstPhone: Math.min(0, ...ratios),
    margin: Math.min(margin, marginMax),
    outside:
      speech.length === 0
        ? 1
        : speech.filter((t) => t < first - 1 || t > last + 3).length / speech.length,
    rate: Math.abs(Math.log(phones.length / seconds / usualPhonesPerSecond)),
    phones: phones.length,
  };
}

/** Logistic regression over the evidence, fitted when the bundle was packed. */
export function probability(evidence: Evidence, model: Confidence): number {
  let sum = model.bias;
  for (const [name, weight] of Object.entries(model.weights)) {
    sum += weight * ((evidence as unknown as Record<string, number>)[name] ?? 0);
  }
  return 1 / (1 + Math.exp(-sum));
}

/** Probability that one word was said, from its mean ratio alone: a rough first scale. */
export function wordConfidence(ratio: number): number {
  return 1 / (1 + Math.exp(-(2.5 + ratio)));
}
