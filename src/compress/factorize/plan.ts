import type { Tensor } from '../safetensors.js';
import { basisOf, projection, readerFactor, type Basis, type Reader } from './basis.js';
import { fromTensor, multiply, subtract, timesVector, zeros, type Mat } from './matrix.js';
import { metricOf, type Moments } from './moments.js';

export type Method = 'paper' | 'data-aware';

/** A vector that is computed at each step and that matrices read: h of a direction, or an input. */
export interface PlanVector {
  readonly name: string;
  readonly size: number;
  /** An input rather than the h of cells: the published method leaves it as it is. */
  readonly input: boolean;
}

/** A matrix that reads one vector. A matrix that reads two is two of these, side by side. */
export interface PlanMatrix {
  readonly name: string;
  /** Index of the vector. */
  readonly reads: number;
  readonly rows: number;
  /** [rows, size of the vector] */
  readonly weight: Tensor;
  /** The recurrent matrix of the vector's own cells: all that the published method looks at. */
  readonly recurrent: boolean;
  /** Rows whose mean is not the vector's: they gain no bias for what is left out. */
  readonly unshifted?: readonly [number, number];
}

/** The sizes of a plan. */
export interface Sizes {
  readonly vectors: readonly PlanVector[];
  readonly matrices: readonly { readonly reads: number; readonly rows: number }[];
}

/** What of a network is factored: vectors, each with one projection, and their readers. */
export interface Plan {
  readonly vectors: readonly PlanVector[];
  readonly matrices: readonly PlanMatrix[];
}

/** A plan taken apart: every choice of ranks is one cut of it. */
export interface PlanAnalysis {
  readonly method: Method;
  readonly plan: Plan;
  /** Of each vector; absent where the method does not project it. */
  readonly bases: readonly (Basis | undefined)[];
  readonly moments?: readonly Moments[];
}

/** A plan factored. A vector without a projection is left as it is, and its readers with it. */
export interface Cut {
  readonly ranks: readonly number[];
  readonly projections: readonly (Mat | undefined)[];
  /** Z of each matrix, or the matrix itself. */
  readonly readers: readonly Mat[];
  /** What each matrix's bias gains: what the left-out directions give on average. */
  readonly shifts: readonly Float64Array[];
}

/**
 * The published method (Prabhavalkar et al., 2016): singular vectors of the recurrent matrix alone, no
 * metric. Directions are orthonormal rows, so Z_x by least squares is W_x P^T.
 */
export function analyseByRecurrent(plan: Plan): PlanAnalysis {
  const bases = plan.vectors.map((vector, v) => {
    const own = plan.matrices.find((m) => m.reads === v && m.recurrent);
    return vector.input || own === undefined
      ? undefined
      : basisOf([{ weight: fromTensor(own.weight) }]);
  });
  return { method: 'paper', plan, bases };
}

/**
 * Stacked readers in the metric of the activations. Without `moments` the metric is the identity (the
 * stacked method alone), without `costs` (of each matrix's rows) every row costs the same.
 */
export function analyseByReaders(
  plan: Plan,
  {
    moments,
    costs,
    progress = () => undefined,
  }: {
    readonly moments?: readonly Moments[];
    readonly costs?: readonly (ArrayLike<number> | undefined)[];
    readonly progress?: (vector: number) => void;
  } = {},
): PlanAnalysis {
  const bases = plan.vectors.map(({ name }, v) => {
    // In a branch that no call took: nothing is known of it, and nothing is done.
    if (moments?.[v]?.count === 0) return undefined;
    progress(v);
    const readers = plan.matrices.flatMap((m, i): Reader[] => {
      if (m.reads !== v) return [];
      const rowCosts = costs?.[i];
      const weight = fromTensor(m.weight);
      return [rowCosts === undefined ? { weight } : { weight, rowCosts }];
    });
    const seen = moments?.[v];
    return basisOf(readers, seen === undefined ? undefined : metricOf(seen, name));
  });
  return { method: 'data-aware', plan, bases, ...(moments === undefined ? {} : { moments }) };
}

/** The factors of these ranks; rank 0 leaves a vector as it is. */
export function cutAt({ plan, bases, moments }: PlanAnalysis, ranks: readonly number[]): Cut {
  const projections = plan.vectors.map((_, v) => {
    const basis = bases[v];
    const rank = ranks[v] ?? 0;
    return basis === undefined || rank === 0 ? undefined : projection(basis, rank);
  });
  const readers: Mat[] = [];
  const shifts: Float64Array[] = [];
  for (const { reads, weight: tensor, unshifted } of plan.matrices) {
    const weight = fromTensor(tensor);
    const basis = bases[reads];
    const p = projections[reads];
    if (basis === undefined || p === undefined) {
      readers.push(weight);
      shifts.push(new Float64Array(weight.rows));
      continue;
    }
    const z = readerFactor(weight, basis, p.rows);
    readers.push(z);
    const mean = moments?.[reads]?.mean;
    const shift =
      mean === undefined
        ? new Float64Array(weight.rows)
        : subtract(column(timesVector(weight, mean)), multiply(z, column(timesVector(p, mean))))
            .data;
    if (unshifted !== undefined) shift.fill(0, ...unshifted);
    shifts.push(shift);
  }
  const kept = plan.vectors.map((_, v) => projections[v]?.rows ?? 0);
  return { ranks: kept, projections, readers, shifts };
}

const column = (x: Float64Array): Mat => ({ rows: x.length, cols: 1, data: x });

/** Nothing factored: every matrix as it is. */
export const uncut = (plan: Plan): Cut => ({
  ranks: plan.vectors.map(() => 0),
  projections: plan.vectors.map(() => undefined),
  readers: plan.matrices.map((m) => fromTensor(m.weight)),
  shifts: plan.matrices.map((m) => new Float64Array(m.weight.shape[0] ?? 0)),
});

/** A cut of these ranks, all zeros. */
export const blankCut = ({ vectors, matrices }: Plan, ranks: readonly number[]): Cut => ({
  ranks,
  projections: vectors.map(({ size }, v) => zeros(ranks[v] ?? 0, size)),
  readers: matrices.map(({ rows, reads }) => zeros(rows, ranks[reads] ?? 0)),
  shifts: matrices.map(({ rows }) => new Float64Array(rows)),
});
