import {
  add,
  cholesky,
  gram,
  multiply,
  symmetricEigen,
  timesInverse,
  timesInverseLower,
  transpose,
  type Mat,
} from './matrix.js';

/**
 * The directions of a vector h that its readers use, most important first. The projection of rank r is the first r rows of
 * `directions`. A matrix W that reads h becomes Z = W dual_r.
 */
export interface Basis {
  /** Squared singular values, largest first: the error of leaving the direction out. */
  readonly gains: Float64Array;
  /** [n, n]: P of full rank. */
  readonly directions: Mat;
  /** [n, n]: C P^T, so that W times its first r columns is the least-squares Z for P_r. */
  readonly dual: Mat;
}

/** A matrix that reads h, and how much an error in each of its rows costs. */
export interface Reader {
  readonly weight: Mat;
  readonly rowCosts?: ArrayLike<number>;
}

/**
 * Weighted singular value decomposition of the stacked readers [W_1; W_2; ...]. D is the root of each row's cost, C the
 * metric of h (C = L L^T; the identity when absent):
 *
 *     [D_1 W_1; D_2 W_2] L = U S V^T,   P = V_r^T L^-1,   Z = W C P^T   (and P C P^T = I)
 *
 * These P and Z of rank r have the least E ||D (W - Z P) h||^2. V comes from the Gram matrix L^T (sum W^T D^2 W) L in
 * double precision. Its eigenvectors are orthogonal to rounding, so full rank is exact even where singular values vanish.
 */
export function basisOf(readers: readonly Reader[], metric?: Mat): Basis {
  const grams = readers.map((r) => gram(r.weight, r.rowCosts));
  const [first, ...others] = grams;
  if (first === undefined) throw new Error('nothing reads this layer');
  const sum = others.reduce(add, first);
  if (metric === undefined) {
    const { values, vectors } = symmetricEigen(sum);
    return { gains: values, directions: vectors, dual: transpose(vectors) };
  }
  const l = cholesky(metric);
  const { values, vectors } = symmetricEigen(multiply(transpose(l), multiply(sum, l)));
  return {
    gains: values,
    directions: timesInverseLower(vectors, l),
    // C P^T = L L^T L^-T V = L V.
    dual: multiply(l, transpose(vectors)),
  };
}

/** The first `rank` rows of P. */
export function projection(basis: Basis, rank: number): Mat {
  const { cols, data } = basis.directions;
  return { rows: rank, cols, data: data.slice(0, rank * cols) };
}

/** Z = W dual_r [rows, rank]. */
export function readerFactor(weight: Mat, basis: Basis, rank: number): Mat {
  const { rows, cols, data } = basis.dual;
  const narrow: Mat = { rows, cols: rank, data: new Float64Array(rows * rank) };
  for (let i = 0; i < rows; i++) {
    narrow.data.set(data.subarray(i * cols, i * cols + rank), i * rank);
  }
  return multiply(weight, narrow);
}

/** Least squares for any P: Z = W C P^T (P C P^T)^-1. The slow way to the same Z. */
export function leastSquares(weight: Mat, p: Mat, metric?: Mat): Mat {
  const cp = metric === undefined ? transpose(p) : multiply(metric, transpose(p));
  return timesInverse(multiply(weight, cp), multiply(p, cp));
}
