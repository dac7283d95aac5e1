import { segmentWeights, type SegmentWeights } from './segment-weights.js';

/** Behind the confidence of a segment. */
export interface DictationEvidence {
  /** Mean of the confidences of its words. */
  readonly wordMean: number;
  readonly words: number;
  /** Steps with a phone, of the steps from its first word to its last. */
  readonly phoneShare: number;
}

/**
 * Probability that a segment was speech: a logistic regression on speech and on noise without any (bench/dictation-noise.ts fits
 * it). Noise gives one word or two that the search has stretched over a few phones.
 */
export function segmentConfidence(
  { wordMean, words, phoneShare }: DictationEvidence,
  weights: SegmentWeights = segmentWeights,
): number {
  const evidence =
    weights.bias +
    weights.wordMean * wordMean +
    weights.lnWords * Math.log(words) +
    weights.phoneShare * phoneShare;
  return 1 / (1 + Math.exp(-evidence));
}
