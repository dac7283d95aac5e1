import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import {
  basisOf,
  leastSquares,
  projection,
  readerFactor,
} from '../../../src/compress/factorize/basis.js';
import {
  cholesky,
  gram,
  identity,
  multiply,
  squaredNorm,
  stack,
  subtract,
  symmetricEigen,
  timesInverse,
  timesInverseLower,
  transpose,
  type Mat,
} from '../../../src/compress/factorize/matrix.js';
import { jacobiSvd } from '../../sim/jacobi-svd.js';

function random(rows: number, cols: number, seed: number): Mat {
  const next = randomFrom(seed);
  return { rows, cols, data: Float64Array.from({ length: rows * cols }, () => next() - 0.5) };
}

/** A matrix whose spectrum falls, as those of trained networks do. */
function falling(rows: number, cols: number, seed: number): Mat {
  const scaled = random(cols, cols, seed + 100);
  const scale = { ...scaled, data: scaled.data.map((v, i) => v * 0.8 ** Math.floor(i / cols)) };
  return multiply(random(rows, cols, seed), scale);
}

const far = (a: Mat, b: Mat) => Math.max(...subtract(a, b).data.map(Math.abs));

void t.test('products, triangles and inverses agree with their definitions', async (t) => {
  const a = random(7, 5, 1);
  const slow = (x: Mat, y: Mat): Mat => ({
    rows: x.rows,
    cols: y.cols,
    data: Float64Array.from({ length: x.rows * y.cols }, (_, at) => {
      const [i, j] = [Math.floor(at / y.cols), at % y.cols];
      let sum = 0;
      for (let k = 0; k < x.cols; k++)
        sum += (x.data[i * x.cols + k] ?? 0) * (y.data[k * y.cols + j] ?? 0);
      return sum;
    }),
  });
  t.ok(far(multiply(a, random(5, 6, 2)), slow(a, random(5, 6, 2))) < 1e-14);
  t.ok(far(gram(a), slow(transpose(a), a)) < 1e-14);
  const weights = [1, 2, 0, 4, 5, 6, 7];
  const weighted = { ...a, data: a.data.map((v, i) => v * (weights[Math.floor(i / 5)] ?? 0)) };
  t.ok(far(gram(a, weights), slow(transpose(a), weighted)) < 1e-13);
  const c = gram(random(9, 5, 3));
  const l = cholesky(c);
  t.ok(far(multiply(l, transpose(l)), c) < 1e-14);
  t.ok(far(multiply(timesInverseLower(a, l), l), a) < 1e-12);
  t.ok(far(multiply(timesInverse(a, c), c), a) < 1e-11);
  t.throws(() => cholesky({ ...c, data: c.data.map((v) => -v) }), /not positive definite/);
});

void t.test('singular values through the Gram matrix equal one-sided Jacobi', async (t) => {
  const w = falling(24, 12, 4);
  const { values, right } = jacobiSvd(w);
  const { gains, directions } = basisOf([{ weight: w }]);
  values.forEach((s, j) => {
    t.ok(Math.abs(Math.sqrt(gains[j] ?? 0) - s) < 1e-7 * (values[0] ?? 0), `value ${j}`);
    const dot = (right[j] ?? []).reduce(
      (sum, v, k) => sum + v * (directions.data[j * 12 + k] ?? 0),
      0,
    );
    t.ok(Math.abs(Math.abs(dot) - 1) < 1e-6, `vector ${j}`);
  });
  t.ok(far(multiply(directions, transpose(directions)), identity(12)) < 1e-12, 'orthonormal');
});

void t.test('an eigen decomposition of a matrix with rounding in it stays symmetric', async (t) => {
  const c = gram(random(9, 6, 5));
  c.data[1] = (c.data[1] ?? 0) * (1 + 1e-15);
  const { values, vectors } = symmetricEigen(c);
  const scaled = {
    ...vectors,
    data: vectors.data.map((v, i) => v * (values[Math.floor(i / 6)] ?? 0)),
  };
  t.ok(far(multiply(transpose(vectors), scaled), c) < 1e-13);
});

const n = 10;
const wh = falling(4 * n, n, 7);
const wx = falling(4 * n, n, 8);
const both = stack(wh, wx);
const metric = gram(falling(60, n, 9));
const costs = Float64Array.from({ length: 4 * n }, (_, i) => 0.1 + (i % 7));

/** E ||(W - Z P) h||^2 for h with second moment `c`, Z by least squares in the metric `fit`. */
function loss(p: Mat, fit: Mat | undefined, c: Mat | undefined, weight = both): number {
  return squaredNorm(subtract(weight, multiply(leastSquares(weight, p, fit), p)), c);
}

void t.test('full rank is exact, whatever the metric', async (t) => {
  for (const c of [undefined, metric]) {
    const basis = basisOf([{ weight: wh }, { weight: wx, rowCosts: costs }], c);
    const again = multiply(readerFactor(wx, basis, n), projection(basis, n));
    t.ok(far(again, wx) < 1e-9);
  }
});

void t.test('P C P^T = I, and Z is the least-squares one', async (t) => {
  const basis = basisOf([{ weight: wh, rowCosts: costs }, { weight: wx }], metric);
  for (const rank of [1, 4, n]) {
    const p = projection(basis, rank);
    t.ok(far(multiply(p, multiply(metric, transpose(p))), identity(rank)) < 1e-8);
    const z = readerFactor(wx, basis, rank);
    t.ok(far(z, leastSquares(wx, p, metric)) < 1e-7);
  }
});

void t.test(
  'stacked never loses more than the published projection, data-aware than stacked',
  async (t) => {
    const paper = basisOf([{ weight: wh }]);
    const stacked = basisOf([{ weight: wh }, { weight: wx }]);
    const aware = basisOf([{ weight: wh }, { weight: wx }], metric);
    for (let rank = 1; rank <= n; rank++) {
      const [a, b, c] = [paper, stacked, aware].map((basis) => projection(basis, rank)) as [
        Mat,
        Mat,
        Mat,
      ];
      t.ok(
        loss(b, undefined, undefined) <= loss(a, undefined, undefined) + 1e-12,
        `stacked, rank ${rank}`,
      );
      t.ok(loss(c, metric, metric) <= loss(b, metric, metric) + 1e-12, `data-aware, rank ${rank}`);
      t.ok(
        loss(b, metric, metric) <= loss(b, undefined, metric) + 1e-12,
        `least squares, rank ${rank}`,
      );
    }
  },
);

void t.test('gains say what is lost', async (t) => {
  const basis = basisOf([{ weight: wh, rowCosts: costs }, { weight: wx }], metric);
  const root = { ...wh, data: wh.data.map((v, i) => v * Math.sqrt(costs[Math.floor(i / n)] ?? 0)) };
  const weighted = stack(root, wx);
  for (const rank of [1, 5, 9]) {
    const left = basis.gains.subarray(rank).reduce((a, b) => a + b, 0);
    t.ok(Math.abs(loss(projection(basis, rank), metric, metric, weighted) - left) < 1e-9);
  }
});
