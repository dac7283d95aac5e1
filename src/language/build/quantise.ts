/** Values are first gathered in so many bins of equal width: finer than any table here. */
const bins = 65_536;
const rounds = 30;

export interface Quantised {
  readonly table: Float32Array;
  /** Place in the table of the entry nearest to a value. */
  codeOf(value: number): number;
}

/**
 * A table of at most `levels` values for many: means of groups of equal size to begin with, then Lloyd's rounds (k-means in
 * one dimension), which make the mean square of the error smaller each time. Few different values stay as they are.
 */
export function quantiser(values: Float32Array, levels: number): Quantised {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (values.length === 0) return { table: new Float32Array(levels), codeOf: () => 0 };
  const scale = max > min ? (bins - 1) / (max - min) : 0;
  const count = new Float64Array(bins);
  const sum = new Float64Array(bins);
  for (const value of values) {
    const bin = Math.round((value - min) * scale);
    count[bin] = (count[bin] as number) + 1;
    sum[bin] = (sum[bin] as number) + value;
  }
  const used = [...count.keys()].filter((bin) => count[bin] !== 0);
  const means = levelMeans(used, count, sum, levels);
  const table = new Float32Array(levels).fill(means.at(-1) ?? 0);
  table.set(means);
  const codes = new Uint8Array(bins);
  let code = 0;
  for (const bin of used) {
    const mean = (sum[bin] as number) / (count[bin] as number);
    while (code + 1 < means.length && nearer(mean, means[code], means[code + 1])) code += 1;
    codes[bin] = code;
  }
  return { table, codeOf: (value) => codes[Math.round((value - min) * scale)] as number };
}

const nearer = (value: number, below = 0, above = 0) => value - below > above - value;

function levelMeans(
  used: readonly number[],
  count: Float64Array,
  sum: Float64Array,
  levels: number,
): number[] {
  const meanOf = (bin: number) => (sum[bin] as number) / (count[bin] as number);
  if (used.length <= levels) return used.map(meanOf);
  // Groups of equal size: the first of each that is not empty.
  const total = used.reduce((all, bin) => all + (count[bin] as number), 0);
  let passed = 0;
  const groups = used.map((bin) => {
    const group = Math.floor((passed * levels) / total);
    passed += count[bin] as number;
    return Math.min(group, levels - 1);
  });
  let means = meansOf(groups);
  for (let round = 0; round < rounds; round += 1) {
    let group = 0;
    const next = used.map((bin) => {
      while (group + 1 < means.length && nearer(meanOf(bin), means[group], means[group + 1]))
        group += 1;
      return group;
    });
    means = meansOf(next);
  }
  return means;

  function meansOf(of: readonly number[]): number[] {
    const sums = new Float64Array(levels);
    const counts = new Float64Array(levels);
    of.forEach((group, i) => {
      const bin = used[i] as number;
      sums[group] = (sums[group] as number) + (sum[bin] as number);
      counts[group] = (counts[group] as number) + (count[bin] as number);
    });
    return [...sums].flatMap((s, g) => (counts[g] === 0 ? [] : [s / (counts[g] as number)]));
  }
}
