/** A budget that was tried, and whether its network lost no more than was allowed. */
export interface Tried {
  readonly budget: number;
  readonly within: boolean;
}

export interface Limits {
  /** Most bytes: the first budget tried. */
  readonly limit: number;
  /** Fewer bytes than any network of this shape has. */
  readonly least: number;
  /** Budgets to try, at most. */
  readonly most: number;
}

/** Budgets nearer than this are one. */
const nearest = 1.1;

/**
 * The next budget to try, in bytes; undefined when there is none. The first is the limit; then the
 * geometric middle between the smallest that was within and the largest below it that was not, so that
 * each try halves the ratio that is left. Losses are taken to fall as networks grow.
 */
export function nextBudget(
  tried: readonly Tried[],
  { limit, least, most }: Limits,
): number | undefined {
  if (tried.length >= most) return undefined;
  if (tried.length === 0) return limit;
  const within = Math.min(...tried.filter((t) => t.within).map((t) => t.budget));
  if (within === Infinity) return undefined;
  const beyond = tried.filter((t) => !t.within && t.budget < within).map((t) => t.budget);
  const low = Math.max(least, ...beyond);
  return within / low < nearest ? undefined : Math.round(Math.sqrt(within * low));
}
