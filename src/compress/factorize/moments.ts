import { KikitoriError } from '../../runtime/errors.js';
import { zeros, type Mat } from './matrix.js';

/** Mean and covariance of a vector over calibration data. */
export interface Moments {
  readonly count: number;
  readonly mean: Float64Array;
  /** Symmetric [dim, dim], about the mean. */
  readonly covariance: Mat;
}

/** What each projection sees: the input of a step, and the cells' outputs h of every layer. */
export interface Activations {
  readonly input: Moments;
  readonly layers: readonly Moments[];
}

/** Sums of x and x x^T, in double precision. */
export class MomentSums {
  private count = 0;
  private readonly sum: Float64Array;
  private readonly products: Mat;

  constructor(readonly dim: number) {
    this.sum = new Float64Array(dim);
    this.products = zeros(dim, dim);
  }

  add(count: number, sum: ArrayLike<number>, products: ArrayLike<number>): void {
    this.count += count;
    const { data } = this.products;
    for (let i = 0; i < this.dim; i++) this.sum[i] = (this.sum[i] ?? 0) + (sum[i] ?? 0);
    for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) + (products[i] ?? 0);
  }

  get steps(): number {
    return this.count;
  }

  moments(): Moments {
    const n = Math.max(this.count, 1);
    const mean = this.sum.map((v) => v / n);
    const { dim } = this;
    const covariance = zeros(dim, dim);
    for (let i = 0; i < dim; i++) {
      for (let j = 0; j < dim; j++) {
        const at = i * dim + j;
        covariance.data[at] = (this.products.data[at] ?? 0) / n - (mean[i] ?? 0) * (mean[j] ?? 0);
      }
    }
    return { count: this.count, mean, covariance };
  }
}

/**
 * The covariance made safely invertible: a small share of its mean variance on the diagonal, so that
 * directions which the calibration data never took cost little and do no harm.
 */
export function metricOf({ covariance }: Moments, where: string): Mat {
  const n = covariance.rows;
  let trace = 0;
  for (let i = 0; i < n; i++) trace += covariance.data[i * n + i] ?? 0;
  if (!(trace > 0) || !Number.isFinite(trace)) {
    throw new KikitoriError(`nothing varies at ${where} on the calibration data`, {
      kind: 'input',
      expected: 'data like what the network will meet',
    });
  }
  const data = covariance.data.slice();
  for (let i = 0; i < n; i++) data[i * n + i] = (data[i * n + i] ?? 0) + (1e-6 * trace) / n;
  return { rows: n, cols: n, data };
}
