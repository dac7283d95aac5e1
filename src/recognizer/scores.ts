import type { Decoding } from '../bundle/index.js';

/** log p(unit) - priorWeight * logPrior[unit], and + blankBias for blank, of rows of log-probabilities. */
export function scoresOf(logProbs: Float32Array, decoding: Decoding): Float32Array {
  const { priorWeight, logPrior, blankBias } = decoding;
  const units = logPrior.length;
  const offset = logPrior.map((p, u) => (u === 0 ? blankBias : 0) - priorWeight * p);
  return logProbs.map((v, i) => v + (offset[i % units] ?? 0));
}
