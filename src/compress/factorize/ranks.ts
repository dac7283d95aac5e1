import { KikitoriError } from '../../runtime/errors.js';

/** Smallest k with sum_{j<=k} s_j^2 / sum_j s_j^2 >= tau: the published rule, one tau for all layers. */
export function explainedRank(gains: ArrayLike<number>, tau: number): number {
  let total = 0;
  for (let i = 0; i < gains.length; i++) total += gains[i] ?? 0;
  let sum = 0;
  for (let k = 0; k < gains.length; k++) {
    sum += gains[k] ?? 0;
    if (sum >= tau * total) return k + 1;
  }
  return gains.length;
}

/** A projection whose rank is to be chosen. */
export interface Candidate {
  readonly name: string;
  /** Gain of each direction, largest first, in a unit that all candidates share. */
  readonly gains: ArrayLike<number>;
  /** Cost of one more rank. */
  readonly cost: number;
}

export interface Fill {
  readonly ranks: readonly number[];
  /** Cost of these ranks. */
  readonly spent: number;
  /** Sum of the gains left out. */
  readonly loss: number;
}

/**
 * Ranks of all projections from one budget: always the group of `multiple` directions with the most
 * gain per cost next (water-filling; since gains fall within a projection, no other choice of whole
 * groups of the same cost keeps more). Each projection gets one group at least.
 */
export function waterFill(
  candidates: readonly Candidate[],
  budget: number,
  multiple: number,
): Fill {
  const ranks = candidates.map((c) => Math.min(multiple, c.gains.length));
  let spent = ranks.reduce((sum, r, i) => sum + r * (candidates[i]?.cost ?? 0), 0);
  if (spent > budget) {
    throw new KikitoriError(`the budget leaves ${Math.floor(budget)} for the projections`, {
      kind: 'input',
      expected: `at least ${spent}: ${candidates.map((c, i) => `${c.name} of rank ${ranks[i] ?? 0}`).join(', ')}`,
      hint: 'raise the budget or lower --multiple',
    });
  }
  for (;;) {
    let best = -1;
    let bestValue = -1;
    candidates.forEach((c, i) => {
      const rank = ranks[i] ?? 0;
      const group = Math.min(multiple, c.gains.length - rank);
      if (group <= 0 || spent + group * c.cost > budget) return;
      const value = sumOf(c.gains, rank, rank + group) / (group * c.cost);
      if (value > bestValue) [best, bestValue] = [i, value];
    });
    const chosen = candidates[best];
    if (chosen === undefined) break;
    const group = Math.min(multiple, chosen.gains.length - (ranks[best] ?? 0));
    ranks[best] = (ranks[best] ?? 0) + group;
    spent += group * chosen.cost;
  }
  const loss = candidates.reduce(
    (sum, c, i) => sum + sumOf(c.gains, ranks[i] ?? 0, c.gains.length),
    0,
  );
  return { ranks, spent, loss };
}

function sumOf(values: ArrayLike<number>, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += values[i] ?? 0;
  return sum;
}
