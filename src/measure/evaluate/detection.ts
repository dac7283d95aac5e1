import { randomFrom, type Interval } from './statistics.js';

/** Scores of one recording or series, and what is so at each: 1, 0, or -1 where nobody says. */
export interface Scored {
  readonly scores: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
}

/** What two networks made of the same series, counted: enough for every figure and every resample of it. */
interface Counts {
  /** Of each step of the ranking, how many are so and how many are not. */
  readonly yes: Float64Array;
  readonly no: Float64Array;
  hits: number;
  misses: number;
  falseAlarms: number;
}

/** Steps of the ranking: scores nearer than this share of all count as equal. */
const ranks = 2000;

/**
 * Quantiles of all scores: values between two of them count as equal, as in any ranking by groups. Where
 * there are fewer values than steps, each has its own and the figures are exact.
 */
function edgesOf(all: readonly Scored[]): Float64Array {
  const sorted = Float64Array.from(all.flatMap((s) => [...Array.from(s.scores)])).sort();
  const distinct = sorted.filter((v, i) => i === 0 || v !== sorted[i - 1]);
  if (distinct.length <= ranks) return distinct;
  const picked = Array.from(
    { length: ranks },
    (_, i) => sorted[Math.floor((i / ranks) * sorted.length)] ?? 0,
  );
  return Float64Array.from(new Set(picked));
}

/** The last edge that is not above a value. */
function stepOf(edges: Float64Array, value: number): number {
  let [low, high] = [0, edges.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((edges[middle] ?? 0) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

function counted({ scores, labels }: Scored, edges: Float64Array, threshold: number): Counts {
  const counts: Counts = {
    yes: new Float64Array(edges.length),
    no: new Float64Array(edges.length),
    hits: 0,
    misses: 0,
    falseAlarms: 0,
  };
  for (let i = 0; i < scores.length; i++) {
    const [score = NaN, label = -1] = [scores[i], labels[i]];
    if (label !== 0 && label !== 1) continue;
    const which = label === 1 ? counts.yes : counts.no;
    const step = stepOf(edges, score);
    which[step] = (which[step] ?? 0) + 1;
    if (score > threshold) counts[label === 1 ? 'hits' : 'falseAlarms']++;
    else if (label === 1) counts.misses++;
  }
  return counts;
}

/** Area under the ROC curve: how often what is so scores above what is not; a tie counts half (Mann and Whitney, 1947). */
function area(all: readonly Counts[], at: (i: number) => number): number {
  const [first] = all;
  const length = first?.yes.length ?? 0;
  const [yes, no] = [new Float64Array(length), new Float64Array(length)];
  for (let i = 0; i < all.length; i++) {
    const one = all[at(i)];
    if (one === undefined) continue;
    for (let k = 0; k < length; k++) {
      yes[k] = (yes[k] ?? 0) + (one.yes[k] ?? 0);
      no[k] = (no[k] ?? 0) + (one.no[k] ?? 0);
    }
  }
  let [below, pairs, allYes] = [0, 0, 0];
  for (let k = 0; k < length; k++) {
    pairs += (yes[k] ?? 0) * (below + (no[k] ?? 0) / 2);
    below += no[k] ?? 0;
    allYes += yes[k] ?? 0;
  }
  return pairs / (below * allYes);
}

/** F1 at the threshold: the harmonic mean of precision and recall. */
function f1(all: readonly Counts[], at: (i: number) => number): number {
  let [hits, misses, falseAlarms] = [0, 0, 0];
  for (let i = 0; i < all.length; i++) {
    const one = all[at(i)];
    hits += one?.hits ?? 0;
    misses += one?.misses ?? 0;
    falseAlarms += one?.falseAlarms ?? 0;
  }
  return (2 * hits) / (2 * hits + misses + falseAlarms);
}

export interface Detection {
  readonly area: number;
  readonly f1: number;
  /** Less those of the first network, with 95 % intervals of a paired bootstrap over series. */
  readonly areaLess?: Interval;
  readonly f1Less?: Interval;
}

/** Figures of several networks on the same series; each after the first also against the first. */
export function detections(
  networks: readonly (readonly Scored[])[],
  threshold: number,
  { resamples = 1000, seed = 1 } = {},
): Detection[] {
  const edges = edgesOf(networks.flat());
  const counts = networks.map((series) => series.map((s) => counted(s, edges, threshold)));
  const [first = []] = counts;
  const random = randomFrom(seed);
  const draws = Array.from({ length: networks.length < 2 ? 0 : resamples }, () =>
    Array.from(first, () => Math.floor(random() * first.length)),
  );
  const figures = [area, f1] as const;
  const drawn = figures.map((of) => draws.map((draw) => of(first, (i) => draw[i] ?? 0)));
  return counts.map((own, n): Detection => {
    const [areaOf = NaN, f1Of = NaN] = figures.map((of) => of(own, (i) => i));
    if (n === 0) return { area: areaOf, f1: f1Of };
    const [areaLess, f1Less] = figures.map((of, k): Interval => {
      const less = draws
        .map((draw, d) => of(own, (i) => draw[i] ?? 0) - (drawn[k]?.[d] ?? 0))
        .filter(Number.isFinite)
        .sort((a, b) => a - b);
      const at = (q: number) => less[Math.min(less.length - 1, Math.floor(q * less.length))] ?? NaN;
      return { value: of(own, (i) => i) - of(first, (i) => i), low: at(0.025), high: at(0.975) };
    });
    return {
      area: areaOf,
      f1: f1Of,
      ...(areaLess === undefined ? {} : { areaLess }),
      ...(f1Less === undefined ? {} : { f1Less }),
    };
  });
}
