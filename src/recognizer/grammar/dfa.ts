import type { Nfa } from './nfa.js';
import { GrammarTooLarge } from './states.js';

/** Sentences by words alone: no two edges of a state carry the same word. */
export interface Dfa {
  readonly edges: readonly ReadonlyMap<number, number>[];
  readonly final: readonly boolean[];
}

const statesMax = 500_000;
/** Instead of a state's number, where no sentence can end. */
const deadEnd = -2;

/**
 * Subset construction (Rabin and Scott, 1959), then equal suffixes merged from the end. State 0 is the start.
 * `accepted` hears of each set of sentences that the same words complete.
 */
export function determinize(nfa: Nfa, accepted?: (states: readonly number[]) => void): Dfa {
  const closureOf = closures(nfa);
  const ids = new Map<string, number>();
  const subsets: number[][] = [];
  const edges: Map<number, number>[] = [];
  const idOf = (subset: number[]) => {
    const key = subset.join();
    let id = ids.get(key);
    if (id === undefined) {
      if (subsets.length >= statesMax) {
        throw new GrammarTooLarge(`the sentences need more than ${statesMax} different beginnings`);
      }
      id = subsets.push(subset) - 1;
      ids.set(key, id);
      edges.push(new Map());
    }
    return id;
  };
  idOf(closureOf([nfa.start]));
  for (let s = 0; s < subsets.length; s++) {
    const targets = new Map<number, Set<number>>();
    for (const state of subsets[s] ?? []) {
      for (const { word, target } of nfa.edges[state] ?? []) {
        if (word < 0) continue;
        const set = targets.get(word) ?? new Set();
        set.add(target);
        targets.set(word, set);
      }
    }
    for (const [word, set] of targets) edges[s]?.set(word, idOf(closureOf([...set])));
  }
  if (accepted !== undefined) {
    for (const subset of subsets) {
      const states = subset.filter((state) => nfa.accepts.has(state));
      if (states.length > 0) accepted(states);
    }
  }
  return minimized(
    edges,
    subsets.map((subset) => subset.includes(nfa.end)),
  );
}

/** States reachable without a word that matter: those with word edges, completed sentences, and the end. */
function closures(nfa: Nfa): (states: readonly number[]) => number[] {
  return (states) => {
    const seen = new Set(states);
    const queue = [...states];
    const keep: number[] = [];
    for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
      const out = nfa.edges[state] ?? [];
      if (state === nfa.end || nfa.accepts.has(state) || out.some((e) => e.word >= 0))
        keep.push(state);
      for (const { word, target } of out) {
        if (word >= 0 || seen.has(target)) continue;
        seen.add(target);
        queue.push(target);
      }
    }
    return keep.sort((a, b) => a - b);
  };
}

/** Sentences are finite, so states merge exactly in one pass from the ends: same finality, same edges. */
function minimized(edges: readonly ReadonlyMap<number, number>[], final: readonly boolean[]): Dfa {
  const merged = new Int32Array(edges.length).fill(-1);
  const byShape = new Map<string, number>();
  const kept: Map<number, number>[] = [];
  const keptFinal: boolean[] = [];
  const stack: number[] = [0];
  while (stack.length > 0) {
    const state = stack.at(-1) ?? 0;
    const waiting = [...(edges[state]?.values() ?? [])].filter((t) => merged[t] === -1);
    if (waiting.length > 0) {
      stack.push(...waiting);
      continue;
    }
    stack.pop();
    if (merged[state] !== -1) continue;
    const out = [...(edges[state] ?? [])]
      .map(([w, t]) => [w, merged[t] ?? 0] as const)
      .filter(([, t]) => t !== deadEnd)
      .sort((a, b) => a[0] - b[0]);
    // What leads to no end is left out: "<VOID>", a list without values.
    if (out.length === 0 && final[state] !== true && state !== 0) {
      merged[state] = deadEnd;
      continue;
    }
    const shape = `${final[state] === true ? 1 : 0};${out.map(([w, t]) => `${w}:${t}`).join()}`;
    let id = byShape.get(shape);
    if (id === undefined) {
      id = kept.push(new Map(out)) - 1;
      keptFinal.push(final[state] === true);
      byShape.set(shape, id);
    }
    merged[state] = id;
  }
  // The start was completed last; it becomes state 0 by reversing the numbers.
  const last = kept.length - 1;
  return {
    edges: kept.reverse().map((map) => new Map([...map].map(([w, t]) => [w, last - t]))),
    final: keptFinal.reverse(),
  };
}

/** Number of different sentences, without listing them. */
export function countSentences(dfa: Dfa): number {
  const counts = new Float64Array(dfa.edges.length);
  // After minimisation edges lead to higher numbers only.
  for (let s = dfa.edges.length - 1; s >= 0; s--) {
    let count = dfa.final[s] === true ? 1 : 0;
    for (const target of dfa.edges[s]?.values() ?? []) count += counts[target] ?? 0;
    counts[s] = count;
  }
  return counts[0] ?? 0;
}
