import { segmentWeights, type SegmentWeights } from './segment-weights.js';

/** Behind the confidence of a segment. */
export interface DictationEvidence {
  /** Mean of the confidences of its words. */
  readonly wordMean: number;
  readonly words: number;
  /** Steps with a phone, of the steps from its first word to its last. */
  readonly phoneShare: number;
  /** How much less likely its words' sounds are than any at all, for each step with a phone: nats, 0 or below. */
  readonly fit: number;
}

/** Words that fit worse than this are no speech, however much worse. */
const fitMin = -8;

/** The evidence as the regression takes it. */
export function segmentFeatures({ wordMean, words, phoneShare, fit }: DictationEvidence) {
  return { wordMean, lnWords: Math.log(words), phoneShare, fit: Math.max(fitMin, fit) };
}

/**
 * Probability that a segment was speech: a logistic regression on sentences and words said alone, and on noise without any
 * (bench/dictation-noise.ts fits it). Noise gives one word or two that are stretched over a few phones, and fit them badly. One word
 * that fits well is no noise.
 */
export function segmentConfidence(
  evidence: DictationEvidence,
  { bias, ...weights }: SegmentWeights = segmentWeights,
): number {
  const features = segmentFeatures(evidence);
  const sum =
    weights.wordMean * features.wordMean +
    weights.lnWords * features.lnWords +
    weights.phoneShare * features.phoneShare +
    weights.fit * features.fit;
  return 1 / (1 + Math.exp(-(bias + sum)));
}
