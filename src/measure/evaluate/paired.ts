import { randomFrom, type Interval } from './statistics.js';

/** What one clip adds to a rate: errors out of a count. */
export interface Part {
  readonly file: string;
  readonly errors: number;
  readonly of: number;
}

/** Rate of errors over all clips. */
export function rateOf(parts: readonly Part[]): number {
  const total = parts.reduce((sum, p) => sum + p.of, 0);
  return total === 0 ? NaN : parts.reduce((sum, p) => sum + p.errors, 0) / total;
}

/**
 * Candidate's rate less the dense one's, with a 95 % interval: both are resampled by the same clips
 * (paired bootstrap; Efron and Tibshirani, 1993), so that hard clips do not blur the difference.
 */
export function pairedDifference(
  dense: readonly Part[],
  candidate: readonly Part[],
  { resamples = 2000, seed = 1, coverage = 0.95 } = {},
): Interval {
  const other = new Map(candidate.map((p) => [p.file, p]));
  const pairs = dense.flatMap((d) => {
    const c = other.get(d.file);
    return c === undefined ? [] : [{ d, c }];
  });
  const random = randomFrom(seed);
  const difference = (at: (i: number) => number): number => {
    const sums = [0, 0, 0, 0];
    for (let i = 0; i < pairs.length; i++) {
      const pair = pairs[at(i)];
      if (pair === undefined) continue;
      [pair.d.errors, pair.d.of, pair.c.errors, pair.c.of].forEach(
        (v, k) => (sums[k] = (sums[k] ?? 0) + v),
      );
    }
    const [dErrors = 0, dOf = 0, cErrors = 0, cOf = 0] = sums;
    return cErrors / cOf - dErrors / dOf;
  };
  const value = difference((i) => i);
  const draws = Array.from({ length: resamples }, () =>
    difference(() => Math.floor(random() * pairs.length)),
  ).sort((a, b) => a - b);
  const at = (q: number) => draws[Math.min(draws.length - 1, Math.floor(q * draws.length))] ?? NaN;
  return { value, low: at((1 - coverage) / 2), high: at((1 + coverage) / 2) };
}
