import { randomFrom } from '../../src/measure/evaluate/statistics.js';

export interface WordErrors {
  readonly substituted: number;
  readonly left: number;
  readonly added: number;
  /** Words of the reference. */
  readonly length: number;
}

/** Substitutions, words left out and words added of the cheapest alignment. */
export function wordErrors(guess: readonly string[], reference: readonly string[]): WordErrors {
  type Cell = readonly [cost: number, substituted: number, left: number, added: number];
  let row: Cell[] = guess.map((_, j): Cell => [j + 1, 0, 0, j + 1]);
  row.unshift([0, 0, 0, 0]);
  for (const word of reference) {
    const first = row[0] ?? [0, 0, 0, 0];
    const next: Cell[] = [[first[0] + 1, first[1], first[2] + 1, first[3]]];
    guess.forEach((other, j) => {
      const [diagonal, above, beside] = [row[j], row[j + 1], next[j]];
      if (diagonal === undefined || above === undefined || beside === undefined) return;
      const same = word === other ? 0 : 1;
      const ways: Cell[] = [
        [diagonal[0] + same, diagonal[1] + same, diagonal[2], diagonal[3]],
        [above[0] + 1, above[1], above[2] + 1, above[3]],
        [beside[0] + 1, beside[1], beside[2], beside[3] + 1],
      ];
      next.push(ways.reduce((a, b) => (b[0] < a[0] ? b : a)));
    });
    row = next;
  }
  const [, substituted, left, added] = row[guess.length] ?? [0, 0, 0, 0];
  return { substituted, left, added, length: reference.length };
}

/** The rate with its counts, and a 95 % interval: bootstrap over people, or over clips where there is one person. */
export function rate(
  errors: readonly (WordErrors & { readonly speaker: string })[],
  { resamples = 2000, seed = 1 } = {},
): string {
  const one = new Set(errors.map((e) => e.speaker)).size < 2;
  const groups = new Map<string, { wrong: number; length: number }>();
  const sum = { substituted: 0, left: 0, added: 0, length: 0 };
  errors.forEach((e, i) => {
    sum.substituted += e.substituted;
    sum.left += e.left;
    sum.added += e.added;
    sum.length += e.length;
    const key = one ? `${i}` : e.speaker;
    const group = groups.get(key) ?? { wrong: 0, length: 0 };
    groups.set(key, {
      wrong: group.wrong + e.substituted + e.left + e.added,
      length: group.length + e.length,
    });
  });
  const list = [...groups.values()];
  const random = randomFrom(seed);
  const draws = Array.from({ length: resamples }, () => {
    let [wrong, length] = [0, 0];
    for (let i = 0; i < list.length; i++) {
      const drawn = list[Math.floor(random() * list.length)];
      wrong += drawn?.wrong ?? 0;
      length += drawn?.length ?? 0;
    }
    return wrong / length;
  }).sort((a, b) => a - b);
  const percent = (share: number) => (100 * share).toFixed(1);
  const at = (q: number) => percent(draws[Math.floor(q * draws.length)] ?? NaN);
  const { substituted, left, added, length } = sum;
  const wrong = substituted + left + added;
  return `${percent(wrong / length)} % (${at(0.025)} to ${at(0.975)}): ${substituted} substituted, ${left} left out, ${added} added of ${length} words`;
}
