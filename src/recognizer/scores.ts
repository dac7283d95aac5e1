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
 * The bundle's prior, each phone's share of all phones moved to that in this utterance. How much blank there is stays the bundle's: it says
 * how long it was silent before and after, and nothing of the voice.
 */
function ownPrior(logProbs: Float32Array, logPrior: readonly number[]): number[] {
  const units = logPrior.length;
  const usual = logPrior.map(Math.exp);
  const own = usual.map((p) => priorSteps * p);
  logProbs.forEach((v, i) => (own[i % units] = (own[i % units] ?? 0) + Math.exp(v)));
  const phonesOf = (shares: readonly number[]) =>
    shares.reduce((sum, p, u) => (u === 0 ? 0 : sum + p), 0);
  const scale = phonesOf(usual) / phonesOf(own);
  return own.map((p, u) => (u === 0 ? (logPrior[0] ?? 0) : Math.log(p * scale)));
}

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
  const own = ownPrior(logProbs, logPrior);
  const mixed = logPrior.map((p, u) => (1 - ownShare) * p + ownShare * (own[u] ?? 0));
  const scores = scoresOf(logProbs, { priorWeight, logPrior: mixed, blankBias });
  const undone = { priorWeight: -decoding.priorWeight, logPrior, blankBias: -decoding.blankBias };
  return { scores, logProbs: scoresOf(scores, undone) };
}
