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
    for (let c = 0; c < cells.length; c++) {
      const cell = cells[c];
      if (cell === undefined) continue;
      let sum = at === 0 && cell.first ? 0 : (row[c] ?? -Infinity);
      if (at > 0) for (const b of cell.before) sum = added(sum, row[b] ?? -Infinity);
      next[c] = sum + (scores[at + cell.unit] ?? 0);
    }
    [row, next] = [next, row];
  }
  let all = -Infinity;
  cells.forEach(({ last }, c) => {
    if (last) all = added(all, row[c] ?? -Infinity);
  });
  return all;
}

/** Beyond this many nats the less likely of two paths adds nothing. */
const nothing = 16;

/** ln(e^a + e^b). */
function added(a: number, b: number): number {
  if (a > b) return a - b > nothing ? a : a + Math.log1p(Math.exp(b - a));
  return b - a > nothing || b === -Infinity ? b : b + Math.log1p(Math.exp(a - b));
}
