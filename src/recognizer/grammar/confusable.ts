import type { DecodingGraph, Interpretation } from '../graph.js';
import { phoneCosts, type PhoneCosts } from '../lexicon/phone-distance.js';
import type { GrammarDetails } from './compile.js';
import type { Dfa } from './dfa.js';
import { shownWord } from './open-slot.js';
import { expandPhones } from './phones.js';

/** Two sentences that mean different things and sound alike. */
export interface ConfusablePair {
  /** Weighted phone edits between the words that differ; see lexicon/phone-distance.ts. */
  readonly distance: number;
  /** The words that differ. */
  readonly words: readonly [string, string];
  /** A sentence with each. */
  readonly sentences: readonly [string, string];
  readonly intents: readonly [string, string];
}

export interface Confusables {
  /** Nearest first; one for each pair of words that differ. */
  readonly pairs: readonly ConfusablePair[];
  /** False when the search stopped at its bound: there may be more. */
  readonly complete: boolean;
}

/**
 * Pairs at this distance and below are warned of. For scale:
 * fifteen, fifty 0.6; start, stop 0.82; on, off 1.0; increase, decrease 1.05; lock, unlock 1.2;
 * and not warned of: left, right 1.33; up, down 1.7; open, close 2.7.
 */
export const confusableDistance = 1.25;

export interface ConfusableOptions {
  readonly maxDistance?: number;
  /** Bound of the search, in compared arcs. */
  readonly workMax?: number;
  readonly pairsMax?: number;
}

/** Contexts in which the meanings of two phrases are compared, for each pair of phrases. */
const contextsMax = 8;
/** Ways into and out of a context. */
const waysMax = 3;
const interpretationsMax = 20_000;
/**
 * Paths are kept apart by the first so many words of each side. Of those with the same ones only the nearest goes on from a
 * pair of states. Else every number behind them would be searched by itself.
 */
const apartWordsMax = 2;

/**
 * Finds acoustically similar pairs on the automaton, not among all pairs of sentences. From every state where words
 * part, two paths go on while their phones are near, until they meet again or both end. The cheapest pair of states goes
 * first (Dijkstra), so the bound on the distance bounds the search. Meanings are compared on example sentences through
 * the place where the words part.
 */
export function findConfusable(
  grammar: GrammarDetails,
  units: readonly string[],
  {
    maxDistance = confusableDistance,
    workMax = 20_000_000,
    pairsMax = 200,
  }: ConfusableOptions = {},
): Confusables {
  const { dfa } = grammar;
  const words = grammar.graph.words;
  const graph = expandPhones(
    dfa,
    words,
    // As the lexicon has them: by connected speech nearly every pair would be near.
    words.map((word) => (grammar.pronunciations.get(word) ?? []).map((p) => p.phones)),
    [],
  );
  const search = new PairSearch(graph, dfa, phoneCosts(units), maxDistance, workMax);
  for (let state = 0; state < dfa.edges.length && search.complete; state++) {
    const ways = (dfa.edges[state]?.size ?? 0) + (dfa.final[state] === true ? 1 : 0);
    if (ways > 1) search.from(state);
  }
  return differentInMeaning(grammar, search, pairsMax);
}

/** Two phrases between the states where they part (`before`) and meet (`after`; -1: both end). */
interface Context {
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly before: number;
  readonly after: number;
}

/** The words that differ, without what both go on with. */
interface Found {
  readonly a: readonly number[];
  readonly b: readonly number[];
  distance: number;
  readonly contexts: Context[];
}

interface Node {
  readonly left: number;
  readonly right: number;
  readonly cost: number;
  readonly from: Node | null;
  readonly leftWord: number;
  readonly rightWord: number;
  /** Names the first words of each side; see apartWordsMax. */
  readonly history: number;
}

class PairSearch {
  readonly found = new Map<string, Found>();
  complete = true;
  private work = 0;
  private heap: Node[] = [];
  private settled = new Map<number, Set<number>>();
  private histories: WordHistories = new WordHistories();

  constructor(
    private readonly graph: DecodingGraph,
    private readonly dfa: Dfa,
    private readonly costs: PhoneCosts,
    private readonly maxDistance: number,
    private readonly workMax: number,
  ) {}

  /** All near pairs of phrases whose first words part at a state. */
  from(state: number): void {
    this.heap = [];
    this.settled = new Map();
    this.histories = new WordHistories();
    for (const node of this.treeOf(state)) {
      const start: Node = {
        left: node,
        right: node,
        cost: 0,
        from: null,
        leftWord: -1,
        rightWord: -1,
        history: 0,
      };
      this.expand(start, true);
    }
    for (let node = this.pop(); node !== undefined; node = this.pop()) {
      if (node.left === node.right) {
        if (node.left < this.dfa.edges.length) this.note(state, node, node.left);
        else if (this.settle(node)) this.goOnTogether(node);
        continue;
      }
      if (!this.settle(node)) continue;
      if (this.graph.final[node.left] === 1 && this.graph.final[node.right] === 1)
        this.note(state, node, -1);
      this.expand(node, false);
      if (this.work > this.workMax) {
        this.complete = false;
        return;
      }
    }
  }

  /** False when a cheaper path was here with the same words. */
  private settle({ left, right, history }: Node): boolean {
    const key = left * this.graph.states + right;
    const settled = this.settled.get(history) ?? new Set();
    if (settled.has(key)) return false;
    this.settled.set(history, settled.add(key));
    return true;
  }

  /** A state and the inner states of its words. */
  private treeOf(state: number): number[] {
    const nodes = [state];
    for (const node of nodes) {
      for (let arc = this.first(node); arc < this.first(node + 1); arc++) {
        if (this.graph.arcWord[arc] === -1) nodes.push(this.graph.arcTarget[arc] ?? 0);
      }
    }
    return nodes;
  }

  private first(state: number): number {
    return this.graph.arcStart[state] ?? 0;
  }

  /** Both have come to a branch that their words end with alike: the same phones to the same words. */
  private goOnTogether(node: Node): void {
    for (let arc = this.first(node.left); arc < this.first(node.left + 1); arc++)
      this.step(node, arc, arc, 0);
  }

  /** `parting`: both sides are at the same place, and one order of the two is enough. */
  private expand(node: Node, parting: boolean): void {
    const { arcUnit } = this.graph;
    const { units, substitution, missing } = this.costs;
    for (let a = this.first(node.left); a < this.first(node.left + 1); a++) {
      const unit = arcUnit[a] ?? 0;
      this.step(node, a, -1, missing[unit] ?? 0);
      const begin = parting ? a + 1 : this.first(node.right);
      for (let b = begin; b < this.first(node.right + 1); b++)
        this.step(node, a, b, substitution[unit * units + (arcUnit[b] ?? 0)] ?? 0);
    }
    if (parting) return;
    for (let b = this.first(node.right); b < this.first(node.right + 1); b++)
      this.step(node, -1, b, missing[arcUnit[b] ?? 0] ?? 0);
  }

  private step(node: Node, a: number, b: number, cost: number): void {
    this.work++;
    const total = node.cost + cost;
    if (total > this.maxDistance + 1e-9) return;
    const { arcTarget, arcWord } = this.graph;
    const leftWord = a < 0 ? -1 : (arcWord[a] ?? -1);
    const rightWord = b < 0 ? -1 : (arcWord[b] ?? -1);
    this.push({
      left: a < 0 ? node.left : (arcTarget[a] ?? 0),
      right: b < 0 ? node.right : (arcTarget[b] ?? 0),
      cost: total,
      from: node,
      leftWord,
      rightWord,
      history: this.histories.after(node.history, leftWord, rightWord),
    });
  }

  private note(before: number, node: Node, after: number): void {
    const left: number[] = [];
    const right: number[] = [];
    for (let at: Node | null = node; at !== null; at = at.from) {
      if (at.leftWord >= 0) left.push(at.leftWord);
      if (at.rightWord >= 0) right.push(at.rightWord);
    }
    left.reverse();
    right.reverse();
    // Variants of the same words, or words that part later: another state's business.
    if (left[0] === right[0]) return;
    const [shortLeft, shortRight] = withoutCommonEnd(left, right);
    const swap = shortLeft.join() > shortRight.join();
    const [shortA, shortB] = swap ? [shortRight, shortLeft] : [shortLeft, shortRight];
    const [a, b] = swap ? [right, left] : [left, right];
    const context = { a, b, before, after };
    const key = `${shortA.join()}|${shortB.join()}`;
    const known = this.found.get(key);
    if (known === undefined) {
      this.found.set(key, { a: shortA, b: shortB, distance: node.cost, contexts: [context] });
      return;
    }
    known.distance = Math.min(known.distance, node.cost);
    if (known.contexts.length < contextsMax) known.contexts.push(context);
  }

  private push(node: Node): void {
    const heap = this.heap;
    let at = heap.push(node) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Node;
      if (parent.cost <= node.cost) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = node;
  }

  private pop(): Node | undefined {
    const heap = this.heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Node).cost < (heap[child] as Node).cost)
        child++;
      if ((heap[child] as Node).cost >= last.cost) break;
      heap[at] = heap[child] as Node;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function withoutCommonEnd(a: readonly number[], b: readonly number[]): [number[], number[]] {
  let same = 0;
  while (same < Math.min(a.length, b.length) && a.at(-1 - same) === b.at(-1 - same)) same++;
  return [a.slice(0, a.length - same), b.slice(0, b.length - same)];
}

/** Numbers for the first words of both sides of a pair. */
class WordHistories {
  private readonly ids = new Map<string, number>([['', 0]]);
  private readonly words: (readonly [readonly number[], readonly number[]])[] = [[[], []]];

  after(history: number, left: number, right: number): number {
    if (left < 0 && right < 0) return history;
    const [a, b] = this.words[history] ?? [[], []];
    const next = [grown(a, left), grown(b, right)] as const;
    const key = `${next[0].join()}|${next[1].join()}`;
    const known = this.ids.get(key);
    if (known !== undefined) return known;
    const id = this.words.push(next) - 1;
    this.ids.set(key, id);
    return id;
  }
}

function grown(words: readonly number[], word: number): readonly number[] {
  return word < 0 || words.length >= apartWordsMax ? words : [...words, word];
}

function differentInMeaning(
  grammar: GrammarDetails,
  search: PairSearch,
  pairsMax: number,
): Confusables {
  const ways = new SentenceWays(grammar.dfa);
  const pairs: ConfusablePair[] = [];
  let left = interpretationsMax;
  const nearest = [...search.found.values()].sort((a, b) => a.distance - b.distance);
  for (const { a, b, distance, contexts } of nearest) {
    if (pairs.length >= pairsMax || left <= 0) return { pairs, complete: false };
    const text = (ids: readonly number[]) => ids.map((w) => shownWord(grammar.graph, w)).join(' ');
    examples: for (const { a: oneWay, b: otherWay, before, after } of contexts) {
      for (const head of ways.into(before)) {
        for (const tail of ways.outOf(after)) {
          const sentences = [
            [...head, ...oneWay, ...tail],
            [...head, ...otherWay, ...tail],
          ] as const;
          const [one, other] = sentences.map((s) => grammar.interpret(s)) as [
            Interpretation,
            Interpretation,
          ];
          left -= 2;
          if (one.key === other.key) continue;
          pairs.push({
            distance: Number(distance.toFixed(3)),
            words: [text(a), text(b)],
            sentences: [text(sentences[0]), text(sentences[1])],
            intents: [one.intent, other.intent],
          });
          break examples;
        }
      }
    }
  }
  return { pairs, complete: search.complete };
}

/** Short ways from the start to a state and from a state to an end. */
class SentenceWays {
  private readonly edgesInto: { readonly from: number; readonly word: number }[][];
  private readonly toState: (readonly number[] | undefined)[] = [];
  private readonly toEnd: (readonly number[] | undefined)[] = [];

  constructor(private readonly dfa: Dfa) {
    this.edgesInto = dfa.edges.map(() => []);
    // Edges of a DFA lead to higher numbers only.
    this.toState[0] = [];
    dfa.edges.forEach((edges, from) => {
      for (const [word, to] of edges) {
        const into = this.edgesInto[to];
        if (into !== undefined && into.length < waysMax) into.push({ from, word });
        const way = this.toState[from];
        const known = this.toState[to];
        if (way !== undefined && (known === undefined || known.length > way.length + 1))
          this.toState[to] = [...way, word];
      }
    });
    for (let state = dfa.edges.length - 1; state >= 0; state--) {
      let best: readonly number[] | undefined = dfa.final[state] === true ? [] : undefined;
      for (const [word, to] of dfa.edges[state] ?? []) {
        const way = this.toEnd[to];
        if (way !== undefined && (best === undefined || way.length + 1 < best.length))
          best = [word, ...way];
      }
      this.toEnd[state] = best;
    }
  }

  into(state: number): (readonly number[])[] {
    if (state === 0) return [[]];
    return (this.edgesInto[state] ?? []).map(({ from, word }) => [
      ...(this.toState[from] ?? []),
      word,
    ]);
  }

  outOf(state: number): (readonly number[])[] {
    if (state < 0) return [[]];
    const ways: (readonly number[])[] = this.dfa.final[state] === true ? [[]] : [];
    for (const [word, to] of this.dfa.edges[state] ?? []) {
      if (ways.length >= waysMax) break;
      ways.push([word, ...(this.toEnd[to] ?? [])]);
    }
    return ways;
  }
}
