import { add, timesInverse, zeros, type Mat } from './matrix.js';
import { beside, ones, rowsIn, type Products, type Rows } from './rows.js';

/** Posteriors of rows of logits. */
export function softmaxOf({ cols, data }: Rows): Rows {
  const out = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += cols) {
    const row = data.subarray(at, at + cols);
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    let sum = 0;
    for (let u = 0; u < cols; u++) sum += out[at + u] = Math.exp((row[u] ?? 0) - most);
    for (let u = 0; u < cols; u++) out[at + u] = (out[at + u] ?? 0) / sum;
  }
  return { cols, data: out };
}

/** Mean Kullback-Leibler divergence of posteriors from those wanted, nats a step. */
export function meanDivergence(wanted: Rows, given: Rows): number {
  const sum = wanted.data.reduce(
    (all, p, i) => (p > 0 ? all + p * Math.log(p / Math.max(given.data[i] ?? 0, 1e-30)) : all),
    0,
  );
  return sum / Math.max(rowsIn(wanted), 1);
}

/** A symmetric matrix with a share added to its diagonal; not to the last row, which is the bias's. */
export function ridged(gram: Mat, by: number): Mat {
  const data = gram.data.slice();
  const n = gram.rows;
  for (let i = 0; i < n - 1; i++) data[i * n + i] = (data[i * n + i] ?? 0) + by;
  return { ...gram, data };
}

/**
 * [W b] whose softmax(W x + b) is nearest to the wanted posteriors, in mean divergence. The problem is convex. Newton's
 * method with a Hessian that is an upper bound everywhere, 1/2 x x^T for each unit (Boehning, 1992): every step is one
 * product with a matrix that is inverted once, and none makes it worse.
 */
export async function fitSoftmax(
  products: Products,
  x: Rows,
  wanted: Rows,
  {
    begin,
    ridge,
    iterations = 60,
  }: { readonly begin: Mat; readonly ridge: number; readonly iterations?: number },
): Promise<Mat> {
  const seen = beside(x, ones(rowsIn(x)));
  const steps = rowsIn(seen);
  const bound = ridged(await products.sum(seen, seen), 2 * ridge * steps);
  bound.data.forEach((v, i) => (bound.data[i] = v / 2));
  let w = begin;
  for (let k = 0; k < iterations; k++) {
    const given = softmaxOf(await products.through(seen, w));
    given.data.forEach((v, i) => (given.data[i] = (wanted.data[i] ?? 0) - v));
    const slope = add(await products.sum(given, seen), pull(w, ridge * steps));
    w = add(w, timesInverse(slope, bound));
  }
  return w;
}

/** The slope of the ridge: towards smaller weights; biases are free. */
function pull(w: Mat, by: number): Mat {
  const out = zeros(w.rows, w.cols);
  for (let i = 0; i < w.rows; i++)
    for (let j = 0; j < w.cols - 1; j++)
      out.data[i * w.cols + j] = -by * (w.data[i * w.cols + j] ?? 0);
  return out;
}
