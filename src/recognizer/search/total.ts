import { latticeOf } from './align.js';

/**
 * Log-likelihood of a sentence: all CTC paths through all pronunciations of its words added up, where an alignment takes the best
 * one (forward algorithm). `scores`: log-probabilities, one value a unit and frame, unit 0 blank.
 */
export function totalScore(
  pronunciations: readonly (readonly (readonly number[])[])[],
  scores: Float32Array,
  units: number,
): number {
  const cells = latticeOf(pronunciations);
  let row = new Float64Array(cells.length).fill(-Infinity);
  let next = new Float64Array(cells.length);
  for (let at = 0; at < scores.length; at += units) {
    for (const [c, { unit, before, first }] of cells.entries()) {
      let sum = at === 0 && first ? 0 : (row[c] ?? -Infinity);
      if (at > 0) for (const b of before) sum = added(sum, row[b] ?? -Infinity);
      next[c] = sum + (scores[at + unit] ?? 0);
    }
    [row, next] = [next, row];
  }
  let all = -Infinity;
  cells.forEach(({ last }, c) => {
    if (last) all = added(all, row[c] ?? -Infinity);
  });
  return all;
}

/** ln(e^a + e^b). */
function added(a: number, b: number): number {
  const [high, low] = a > b ? [a, b] : [b, a];
  return low === -Infinity ? high : high + Math.log1p(Math.exp(low - high));
}
