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
 * The directions in which the readers of a vector h look at it, most important first. A projection of
 * rank r is the first r rows of `directions`; whatever matrix W reads h becomes Z = W dual_r.
 */
export interface Basis {
  /** Squared singular values: what is lost by leaving a direction out; largest first. */
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
 * Singular vectors of the stacked readers [W_1; W_2; ...], each row weighted by the root of its cost,
 * in the metric C of h (C = L L^T; the identity when absent):
 *
 *     [D_1 W_1; D_2 W_2] L = U S V^T,   P = V_r^T L^-1,   Z = W C P^T   (and P C P^T = I)
 *
 * which is the P and Z of rank r with the least E ||D (W - Z P) h||^2. The singular vectors come from
 * the Gram matrix L^T (sum W^T D^2 W) L in double precision; its eigenvectors are orthogonal to
 * rounding, so that full rank is exact however small the last singular values are.
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
