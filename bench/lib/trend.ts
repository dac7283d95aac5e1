/** Whether a series grows: robust, so that one odd hour decides nothing. Pure. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Change of y for one x, with its 95 % interval. */
export interface Trend {
  readonly slope: number;
  readonly low: number;
  readonly high: number;
}

const Z95 = 1.959963984540054;

/**
 * Theil's and Sen's slope: the median over all pairs of points. The interval is Sen's (1968), from the variance of
 * Kendall's S, for x that are all different. Fewer than two points have no slope.
 */
export function theilSen(points: readonly Point[]): Trend {
  const slopes = points
    .flatMap((a, i) => points.slice(i + 1).map((b) => (b.y - a.y) / (b.x - a.x)))
    .sort((a, b) => a - b);
  const m = slopes.length;
  if (m === 0) return { slope: NaN, low: NaN, high: NaN };
  const at = (i: number) => slopes[Math.min(m - 1, Math.max(0, i))] ?? NaN;
  const n = points.length;
  const spread = Z95 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  return {
    slope: (at(Math.floor((m - 1) / 2)) + at(Math.ceil((m - 1) / 2))) / 2,
    low: at(Math.floor((m - spread) / 2) - 1),
    high: at(Math.ceil((m + spread) / 2)),
  };
}
