/** Intervals for what is measured. Pure. */

export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const Z95 = 1.959963984540054;

/** Wilson's 95 % interval of a share (E. B. Wilson, 1927): honest for few trials and near 0 or 1. */
export function wilson(successes: number, trials: number): Interval {
  if (trials === 0) return { value: NaN, low: 0, high: 1 };
  const share = successes / trials;
  const z2 = Z95 * Z95;
  const centre = (share + z2 / (2 * trials)) / (1 + z2 / trials);
  const half =
    (Z95 * Math.sqrt((share * (1 - share)) / trials + z2 / (4 * trials * trials))) /
    (1 + z2 / trials);
  return { value: share, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/** A small seeded generator (mulberry32): the same resamples on every machine. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Bootstrap 95 % interval of sum(numerator) / sum(denominator) over utterances. */
export function bootstrapRatio(
  numerators: readonly number[],
  denominators: readonly number[],
  { resamples = 1000, seed = 1 } = {},
): Interval {
  const n = numerators.length;
  const total = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const value = total(numerators) / total(denominators);
  if (n === 0) return { value: NaN, low: NaN, high: NaN };
  const random = randomFrom(seed);
  const draws: number[] = [];
  for (let r = 0; r < resamples; r++) {
    let top = 0;
    let bottom = 0;
    for (let i = 0; i < n; i++) {
      const at = Math.floor(random() * n);
      top += numerators[at] ?? 0;
      bottom += denominators[at] ?? 0;
    }
    if (bottom > 0) draws.push(top / bottom);
  }
  draws.sort((a, b) => a - b);
  const at = (q: number) => draws[Math.min(draws.length - 1, Math.floor(q * draws.length))] ?? NaN;
  return { value, low: at(0.025), high: at(0.975) };
}

/** Levenshtein distance between two sequences: substitutions, insertions and deletions cost 1. */
export function editDistance(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const position = q * (sorted.length - 1);
  const low = Math.floor(position);
  const fraction = position - low;
  return (sorted[low] ?? NaN) * (1 - fraction) + (sorted[Math.ceil(position)] ?? NaN) * fraction;
}
