import type { Nfa } from './nfa.js';
import type { Fault, Intent, ParsedGrammar, Place, Scope, Tree } from './tree.js';

const somewhere: Place = { line: 1, column: 1 };

/**
 * Sentences that never count, because others that come before them in the file say the same words. Fed
 * with each set of sentences that some words complete.
 */
export class ShadowedSentences {
  private readonly counted = new Set<number>();
  /** Sentence -> the intents that took its words. */
  private readonly takers = new Map<number, Set<Intent>>();

  constructor(private readonly nfa: Nfa) {}

  accepted(states: readonly number[]): void {
    // States are numbered in file order.
    const [winner, ...others] = [...states].sort((a, b) => a - b);
    if (winner === undefined) return;
    this.counted.add(winner);
    const taker = this.nfa.accepts.get(winner)?.intent;
    for (const state of others) {
      const takers = this.takers.get(state) ?? new Set();
      if (taker !== undefined) takers.add(taker);
      this.takers.set(state, takers);
    }
  }

  /** Intents of which nothing is ever heard, and single sentences of other intents. */
  warnings(): Fault[] {
    const lost = [...this.nfa.accepts]
      .filter(([state]) => !this.counted.has(state))
      .map(([state, { intent, sentence }]) => {
        const takers = [...(this.takers.get(state) ?? [])].filter((taker) => taker !== intent);
        return { intent, sentence, takers };
      })
      .filter(({ takers }) => takers.length > 0);
    const heard = new Set([...this.counted].map((state) => this.nfa.accepts.get(state)?.intent));
    const byIntent = new Map<Intent, (typeof lost)[number][]>();
    for (const one of lost) byIntent.set(one.intent, [...(byIntent.get(one.intent) ?? []), one]);
    return [...byIntent].flatMap(([intent, all]) => {
      const said = (one: (typeof lost)[number], what: string): Fault => ({
        ...(one.sentence.at ?? somewhere),
        message: `${what}: ${named(one.takers)} in the file, and the first that fits counts`,
      });
      const [first] = all;
      if (heard.has(intent) || first === undefined)
        return all.map((one) => said(one, `no way to say this gives ${intent.name}`));
      const takers = [...new Set(all.flatMap((one) => one.takers))];
      return [said({ ...first, takers }, `intent ${intent.name} can never be heard`)];
    });
  }
}

const named = (takers: readonly Intent[]) =>
  `all of it is said by ${takers.map(({ name }) => name).join(' and ')}, which ${takers.length === 1 ? 'comes' : 'come'} before`;

/** Where the words of a sentence fill one slot twice: the second value takes the place of the first. */
export function slotsFilledTwice({ intents }: ParsedGrammar): Fault[] {
  return intents.flatMap(({ name, sentences }) =>
    sentences.flatMap((sentence) => {
      const counter = new SlotCounter(sentence.scope);
      const twice = [...counter.of(sentence.tree)].filter(([, count]) => count > 1);
      return twice.map(([slot]) => ({
        ...(sentence.at ?? somewhere),
        message: `intent ${name}: a sentence fills the slot "${slot}" more than once, and only the last value is kept: name the slots apart, as in {list:first} and {list:second}`,
      }));
    }),
  );
}

type Counts = ReadonlyMap<string, number>;

/** How often a sentence may fill each slot, at most. */
class SlotCounter {
  private readonly rules = new Map<string, Counts>();
  private readonly lists = new Map<string, Counts>();

  constructor(private readonly scope: Scope) {}

  of(tree: Tree): Counts {
    switch (tree.kind) {
      case 'sequence':
      case 'permutation':
        return tree.items.reduce<Counts>((sum, item) => added(sum, this.of(item)), new Map());
      case 'choice':
        return tree.items.reduce<Counts>((most, item) => larger(most, this.of(item)), new Map());
      case 'slot':
        return added(this.of(tree.item), new Map([[tree.slot, 1]]));
      case 'list': {
        const own: Counts = new Map(tree.slot === undefined ? [] : [[tree.slot, 1]]);
        const values = () => tree.values ?? this.scope.lists.get(tree.list) ?? [];
        const inner = remembered(this.lists, tree.list, () =>
          values().reduce<Counts>((most, { spoken }) => larger(most, this.of(spoken)), new Map()),
        );
        return added(own, inner);
      }
      case 'rule': {
        const body = this.scope.rules.get(tree.rule);
        return body === undefined
          ? new Map()
          : remembered(this.rules, tree.rule, () => this.of(body));
      }
      default:
        return new Map();
    }
  }
}

function remembered(known: Map<string, Counts>, name: string, count: () => Counts): Counts {
  const found = known.get(name);
  if (found !== undefined) return found;
  // Circles are faults and have been refused; this ends one all the same.
  known.set(name, new Map());
  const counts = count();
  known.set(name, counts);
  return counts;
}

const merge = (a: Counts, b: Counts, how: (x: number, y: number) => number): Counts => {
  if (b.size === 0) return a;
  const all = new Map(a);
  for (const [slot, count] of b) all.set(slot, how(all.get(slot) ?? 0, count));
  return all;
};
const added = (a: Counts, b: Counts) => merge(a, b, (x, y) => x + y);
const larger = (a: Counts, b: Counts) => merge(a, b, Math.max);

/** Sentences in which every part is optional. */
export function emptySentences({ edges, start, accepts }: Nfa): Fault[] {
  const seen = new Set([start]);
  const queue = [start];
  for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
    for (const { word, target } of edges[state] ?? []) {
      if (word >= 0 || seen.has(target)) continue;
      seen.add(target);
      queue.push(target);
    }
  }
  return [...accepts]
    .filter(([state]) => seen.has(state))
    .map(([, { sentence }]) => ({
      ...(sentence.at ?? somewhere),
      message: 'a sentence may be empty: every part of it is optional',
    }));
}
