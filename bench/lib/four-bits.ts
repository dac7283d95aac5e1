/**
 * Weights on a grid of 4 bits, as values: q from -7 to 7, one scale for 32 inputs of a row. The scale is a whole multiple
 * of the row's (1 to 18 of them), so that every weight is a whole number of at most 126 row scales: unpacked to bytes,
 * it goes through the integer products of 8 bits unchanged.
 */
import type { Mat } from '../../src/compress/factorize/matrix.js';

export const groupOf = 32;
const most = 7;
const multiples = Math.floor(127 / most);

export interface Grid {
  /** Step of each group of each row. */
  readonly step: (row: number, column: number) => number;
}

export function gridOf(w: Mat, group = groupOf): Grid {
  const groups = Math.ceil(w.cols / group);
  const steps = new Float64Array(w.rows * groups);
  for (let o = 0; o < w.rows; o++) {
    const row = w.data.subarray(o * w.cols, (o + 1) * w.cols);
    const largest = row.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
    const unit = largest / (most * multiples) || 1;
    for (let g = 0; g < groups; g++) {
      const part = row.subarray(g * group, (g + 1) * group);
      let [best, least] = [unit * multiples, Infinity];
      for (let m = 1; m <= multiples; m++) {
        const error = part.reduce((sum, v) => sum + (v - rounded(v, unit * m)) ** 2, 0);
        if (error < least) [best, least] = [unit * m, error];
      }
      steps[o * groups + g] = best;
    }
  }
  return { step: (o, k) => steps[o * groups + Math.floor(k / group)] ?? 1 };
}

export const rounded = (v: number, step: number): number =>
  step * Math.max(-most, Math.min(most, Math.round(v / step)));

export function nearest(w: Mat, grid: Grid): Mat {
  const data = w.data.map((v, i) => rounded(v, grid.step(Math.floor(i / w.cols), i % w.cols)));
  return { ...w, data };
}

/**
 * Column after column, each error made good by the columns that are not rounded yet, by least squares on what the matrix
 * reads (optimal brain quantisation in fixed order; Frantar et al., GPTQ, 2022). `inverse`: of the inputs' second moments.
 */
export function adaptive(w: Mat, grid: Grid, inverse: Mat): Mat {
  const { rows, cols } = w;
  const data = w.data.slice();
  const h = inverse.data.slice();
  for (let k = 0; k < cols; k++) {
    const pivot = h[k * cols + k] ?? 1;
    for (let o = 0; o < rows; o++) {
      const v = data[o * cols + k] ?? 0;
      const q = rounded(v, grid.step(o, k));
      data[o * cols + k] = q;
      const error = (v - q) / pivot;
      for (let j = k + 1; j < cols; j++)
        data[o * cols + j] = (data[o * cols + j] ?? 0) - error * (h[k * cols + j] ?? 0);
    }
    // The inverse of what is left.
    for (let i = k + 1; i < cols; i++) {
      const share = (h[i * cols + k] ?? 0) / pivot;
      for (let j = k + 1; j < cols; j++)
        h[i * cols + j] = (h[i * cols + j] ?? 0) - share * (h[k * cols + j] ?? 0);
    }
  }
  return { rows, cols, data };
}
