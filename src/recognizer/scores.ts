import type { Decoding, Weighting } from '../bundle/index.js';

/** log p(unit) - priorWeight * logPrior[unit], and + blankBias for blank, of rows of log-probabilities. */
export function scoresOf(
  logProbs: Float32Array,
  { priorWeight, logPrior, blankBias }: Omit<Decoding, 'weightings'>,
): Float32Array {
  const units = logPrior.length;
  const offset = logPrior.map((p, u) => (u === 0 ? blankBias : 0) - priorWeight * p);
  return logProbs.map((v, i) => v + (offset[i % units] ?? 0));
}

/** The bundle's prior counts as so many steps beside the utterance's own. */
const priorSteps = 60;

/**
 * Scores of a whole utterance under another weighting, and the log-probabilities that its evidence is made of. With `ownShare` 1
 * the prior is the utterance's own mean posterior: a phone that this voice or this room brings up everywhere says little
 * where it comes up. The log-probabilities are then those that would score so under the bundle's first weighting.
 */
export function weighted(
  logProbs: Float32Array,
  decoding: Decoding,
  { priorWeight, blankBias, ownShare = 0 }: Weighting,
): { scores: Float32Array; logProbs: Float32Array } {
  const { logPrior } = decoding;
  if (ownShare === 0)
    return { scores: scoresOf(logProbs, { priorWeight, logPrior, blankBias }), logProbs };
  const units = logPrior.length;
  const own = logPrior.map((p) => priorSteps * Math.exp(p));
  logProbs.forEach((v, i) => (own[i % units] = (own[i % units] ?? 0) + Math.exp(v)));
  const steps = logProbs.length / units + priorSteps;
  const mixed = logPrior.map(
    (p, u) => (1 - ownShare) * p + ownShare * Math.log((own[u] ?? 0) / steps),
  );
  const scores = scoresOf(logProbs, { priorWeight, logPrior: mixed, blankBias });
  const undone = { priorWeight: -decoding.priorWeight, logPrior, blankBias: -decoding.blankBias };
  return { scores, logProbs: scoresOf(scores, undone) };
}
