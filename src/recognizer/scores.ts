import type { Decoding, Reading } from '../bundle/index.js';

/** log p(unit) - priorWeight * logPrior[unit], and + blankBias for blank, of rows of log-probabilities. */
export function scoresOf(
  logProbs: Float32Array,
  { priorWeight, logPrior, blankBias }: Omit<Decoding, 'readings'>,
): Float32Array {
  const units = logPrior.length;
  const offset = logPrior.map((p, u) => (u === 0 ? blankBias : 0) - priorWeight * p);
  return logProbs.map((v, i) => v + (offset[i % units] ?? 0));
}

/** Log-probabilities that a reading with a prior of its own would need to score as it does under the first reading's weights. */
export function logProbsOf(
  scores: Float32Array,
  { priorWeight, logPrior, blankBias }: Omit<Decoding, 'readings'>,
): Float32Array {
  return scoresOf(scores, { priorWeight: -priorWeight, logPrior, blankBias: -blankBias });
}

/** The bundle's prior counts as so many steps beside the utterance's own. */
const priorSteps = 60;

/**
 * Scores of a whole utterance in another reading. With `ownShare` 1 the prior is the utterance's own mean posterior: a
 * phone that this voice or this room brings up everywhere says little where it comes up.
 */
export function readingScores(
  logProbs: Float32Array,
  decoding: Decoding,
  { priorWeight, blankBias, ownShare = 0 }: Reading,
): Float32Array {
  const { logPrior } = decoding;
  if (ownShare === 0) return scoresOf(logProbs, { priorWeight, logPrior, blankBias });
  const units = logPrior.length;
  const own = logPrior.map((p) => priorSteps * Math.exp(p));
  logProbs.forEach((v, i) => (own[i % units] = (own[i % units] ?? 0) + Math.exp(v)));
  const steps = logProbs.length / units + priorSteps;
  const mixed = logPrior.map(
    (p, u) => (1 - ownShare) * p + ownShare * Math.log((own[u] ?? 0) / steps),
  );
  return scoresOf(logProbs, { priorWeight, logPrior: mixed, blankBias });
}
