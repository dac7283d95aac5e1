import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import type { Tensor } from '../safetensors.js';

/** A dense matrix in double precision, row-major. */
export interface Mat {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

export const zeros = (rows: number, cols: number): Mat => ({
  rows,
  cols,
  data: new Float64Array(rows * cols),
});

export function identity(n: number): Mat {
  const m = zeros(n, n);
  for (let i = 0; i < n; i++) m.data[i * n + i] = 1;
  return m;
}

export function fromTensor({ shape, data }: Tensor): Mat {
  const rows = shape[0] ?? 0;
  return { rows, cols: shape[1] ?? 1, data: Float64Array.from(data) };
}

export function toTensor({ rows, cols, data }: Mat): Tensor {
  return { shape: [rows, cols], data: Float32Array.from(data) };
}

export function transpose({ rows, cols, data }: Mat): Mat {
  const out = zeros(cols, rows);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) out.data[j * rows + i] = data[i * cols + j] ?? 0;
  }
  return out;
}

/** Rows of `a` above rows of `b`. */
export function stack(a: Mat, b: Mat): Mat {
  const out = zeros(a.rows + b.rows, a.cols);
  out.data.set(a.data);
  out.data.set(b.data, a.data.length);
  return out;
}

/** The first `count` rows. */
export const topRows = (a: Mat, count: number): Mat => ({
  rows: count,
  cols: a.cols,
  data: a.data.slice(0, count * a.cols),
});

/** A B. */
export function multiply(a: Mat, b: Mat): Mat {
  const out = zeros(a.rows, b.cols);
  for (let i = 0; i < a.rows; i++) addRow(out, i, a, b, 0);
  return out;
}

/**
 * out[i, from..] += A[i, :] B. Four rows of B at a time, so that each cell of the result is touched a
 * quarter as often.
 */
function addRow(out: Mat, i: number, a: Mat, b: Mat, from: number): void {
  if (a.cols !== b.rows) throw new Error(`[${a.rows},${a.cols}] times [${b.rows},${b.cols}]`);
  const n = b.cols;
  const inner = a.cols;
  const row = out.data.subarray(i * n, (i + 1) * n);
  const rowOf = (k: number) => b.data.subarray(k * n, (k + 1) * n);
  let k = 0;
  for (; k + 4 <= inner; k += 4) {
    const at = i * inner + k;
    const a0 = a.data[at] ?? 0;
    const a1 = a.data[at + 1] ?? 0;
    const a2 = a.data[at + 2] ?? 0;
    const a3 = a.data[at + 3] ?? 0;
    const b0 = rowOf(k);
    const b1 = rowOf(k + 1);
    const b2 = rowOf(k + 2);
    const b3 = rowOf(k + 3);
    for (let j = from; j < n; j++) {
      const sum = a0 * (b0[j] ?? 0) + a1 * (b1[j] ?? 0) + a2 * (b2[j] ?? 0) + a3 * (b3[j] ?? 0);
      row[j] = (row[j] ?? 0) + sum;
    }
  }
  for (; k < inner; k++) {
    const ak = a.data[i * inner + k] ?? 0;
    const bk = rowOf(k);
    for (let j = from; j < n; j++) row[j] = (row[j] ?? 0) + ak * (bk[j] ?? 0);
  }
}

/** A^T diag(w) A, symmetric [cols, cols]; without `w`, A^T A. */
export function gram(a: Mat, rowWeights?: ArrayLike<number>): Mat {
  const n = a.cols;
  const left = transpose(a);
  if (rowWeights !== undefined) {
    left.data.forEach((v, i) => (left.data[i] = v * (rowWeights[i % a.rows] ?? 0)));
  }
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) addRow(out, i, left, a, i);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) out.data[i * n + j] = out.data[j * n + i] ?? 0;
  }
  return out;
}

export function add(a: Mat, b: Mat): Mat {
  return { ...a, data: a.data.map((v, i) => v + (b.data[i] ?? 0)) };
}

export function subtract(a: Mat, b: Mat): Mat {
  return { ...a, data: a.data.map((v, i) => v - (b.data[i] ?? 0)) };
}

export function timesVector(a: Mat, x: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: a.rows }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < a.cols; j++) sum += (a.data[i * a.cols + j] ?? 0) * (x[j] ?? 0);
    return sum;
  });
}

/** Squared Frobenius norm; with a symmetric C, that of A in its metric: trace(A C A^T). */
export function squaredNorm(a: Mat, c?: Mat): number {
  const ac = c === undefined ? a : multiply(a, c);
  return a.data.reduce((sum, v, i) => sum + v * (ac.data[i] ?? 0), 0);
}

/** Lower triangular L with L L^T = C (Cholesky, Banachiewicz order). Throws when C is not positive definite. */
export function cholesky(c: Mat): Mat {
  const n = c.rows;
  const l = zeros(n, n);
  for (let i = 0; i < n; i++) {
    const li = l.data.subarray(i * n, (i + 1) * n);
    for (let j = 0; j <= i; j++) {
      const lj = l.data.subarray(j * n, (j + 1) * n);
      let sum = c.data[i * n + j] ?? 0;
      for (let k = 0; k < j; k++) sum -= (li[k] ?? 0) * (lj[k] ?? 0);
      if (i > j) li[j] = sum / (lj[j] ?? 1);
      else if (sum > 0) li[j] = Math.sqrt(sum);
      else throw new Error(`not positive definite at row ${i}`);
    }
  }
  return l;
}

/** X with X L = B for a lower triangular L: B L^-1, row by row, last column first. */
export function timesInverseLower(b: Mat, l: Mat): Mat {
  const n = l.rows;
  const x = { ...b, data: b.data.slice() };
  for (let i = 0; i < b.rows; i++) {
    const row = x.data.subarray(i * n, (i + 1) * n);
    for (let j = n - 1; j >= 0; j--) {
      const lj = l.data.subarray(j * n, (j + 1) * n);
      const value = (row[j] ?? 0) / (lj[j] ?? 1);
      row[j] = value;
      for (let k = 0; k < j; k++) row[k] = (row[k] ?? 0) - value * (lj[k] ?? 0);
    }
  }
  return x;
}

/** B C^-1 for a symmetric positive definite C. */
export function timesInverse(b: Mat, c: Mat): Mat {
  const l = cholesky(c);
  // C^-1 = L^-T L^-1, and X L^T = B is solved on the transposed triangle.
  const n = l.rows;
  const y = { ...b, data: b.data.slice() };
  for (let i = 0; i < b.rows; i++) {
    const row = y.data.subarray(i * n, (i + 1) * n);
    for (let j = 0; j < n; j++) {
      const lj = l.data.subarray(j * n, (j + 1) * n);
      let sum = row[j] ?? 0;
      for (let k = 0; k < j; k++) sum -= (lj[k] ?? 0) * (row[k] ?? 0);
      row[j] = sum / (lj[j] ?? 1);
    }
  }
  return timesInverseLower(y, l);
}

/** Eigenvalues, largest first, none below zero, and unit eigenvectors as rows, of a symmetric matrix. */
export function symmetricEigen(a: Mat): { readonly values: Float64Array; readonly vectors: Mat } {
  const n = a.rows;
  const source = Matrix.zeros(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      // Rounding must not make it unsymmetric: the decomposition would silently take another way.
      source.set(i, j, ((a.data[i * n + j] ?? 0) + (a.data[j * n + i] ?? 0)) / 2);
    }
  }
  const eigen = new EigenvalueDecomposition(source, { assumeSymmetric: true });
  const order = Array.from({ length: n }, (_, i) => i).sort(
    (i, j) => (eigen.realEigenvalues[j] ?? 0) - (eigen.realEigenvalues[i] ?? 0),
  );
  const vectors = zeros(n, n);
  const columns = eigen.eigenvectorMatrix;
  order.forEach((column, row) => {
    for (let k = 0; k < n; k++) vectors.data[row * n + k] = columns.get(k, column);
  });
  const values = Float64Array.from(order, (i) => Math.max(0, eigen.realEigenvalues[i] ?? 0));
  return { values, vectors };
}
