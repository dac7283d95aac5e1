import type { WordLinks } from './word-links.js';

/** Where ways end, and the score of each: the tokens that are left. */
export interface Ends {
  readonly nodes: Int32Array;
  readonly scores: Float64Array;
}

export interface LatticeArc {
  /** Places between words; 0 is the beginning. */
  readonly from: number;
  readonly to: number;
  /** Number of the word in the graph. */
  readonly word: number;
  readonly startFrame: number;
  readonly endFrame: number;
  /** Score of the word without the language model, and ln P of the language model, unweighted. */
  readonly sound: number;
  readonly language: number;
  /** Share of all ways that go here. */
  readonly posterior: number;
}

export interface Lattice {
  readonly places: number;
  readonly arcs: readonly LatticeArc[];
  /** Places where the sentence may end, each with what its end adds. */
  readonly ends: readonly { readonly place: number; readonly score: number }[];
}

export interface Sentence {
  readonly words: readonly number[];
  readonly score: number;
}

/** Ends that are not among the best so many say nothing. */
const endsMax = 2000;
/** Ways that are looked at for the runners-up; where these are too few, fewer are told. */
const waysMax = 20_000;

/** The end of the best way; -1: there is none. */
export function bestEnd({ scores }: Ends): number {
  let best = -1;
  scores.forEach((score, i) => {
    if (score > (scores[best] ?? -Infinity)) best = i;
  });
  return best;
}

interface Arc {
  readonly from: number;
  readonly word: number;
  readonly start: number;
  readonly score: number;
  readonly language: number;
}

/** The best way into a node, and the others, without an object for each: there are tens of thousands. */
function eachArc(
  links: WordLinks,
  node: number,
  take: (from: number, score: number, word: number, start: number) => void,
): void {
  const { before, score, word, start, otherNext } = links;
  take(before[node] ?? -1, score[node] ?? 0, word[node] ?? 0, start[node] ?? 0);
  for (let l = links.other[node] ?? -1; l >= 0; l = otherNext[l] ?? -1)
    take(
      links.otherBefore[l] ?? -1,
      links.otherScore[l] ?? 0,
      links.otherWord[l] ?? 0,
      links.otherStart[l] ?? 0,
    );
}

function* arcsInto(links: WordLinks, node: number): Generator<Arc> {
  yield {
    from: links.before[node] ?? -1,
    word: links.word[node] ?? 0,
    start: links.start[node] ?? 0,
    score: links.score[node] ?? 0,
    language: links.language[node] ?? 0,
  };
  for (let l = links.other[node] ?? -1; l >= 0; l = links.otherNext[l] ?? -1)
    yield {
      from: links.otherBefore[l] ?? -1,
      word: links.otherWord[l] ?? 0,
      start: links.otherStart[l] ?? 0,
      score: links.otherScore[l] ?? 0,
      language: links.otherLanguage[l] ?? 0,
    };
}

/**
 * Sums over all ways through the links, scores times `scale`: forward and backward, relative to the best way. What
 * is in the search's beam only, and of ways that came together in a node only those within its lattice beam.
 */
export class Posteriors {
  private readonly forward: Float64Array;
  private readonly backward: Float64Array;
  private readonly total: number;

  constructor(
    private readonly links: WordLinks,
    private readonly ends: Ends,
    private readonly scale: number,
  ) {
    const count = links.size;
    this.forward = new Float64Array(count).fill(-Infinity);
    this.backward = new Float64Array(count).fill(-Infinity);
    const most = ends.scores[bestEnd(ends)] ?? 0;
    let total = -Infinity;
    for (let node = 0; node < count; node++) {
      let sum = -Infinity;
      eachArc(links, node, (from, score) => (sum = logAdd(sum, this.upTo(from, score))));
      this.forward[node] = sum;
    }
    const kept = bestEnds(ends);
    // Ends are weighed by what they add to the score of the node at which they end.
    for (const i of kept) {
      const node = ends.nodes[i] ?? -1;
      const more = scale * ((ends.scores[i] ?? 0) - this.scoreOf(node));
      if (node >= 0) this.backward[node] = logAdd(this.backward[node] ?? -Infinity, more);
      total = logAdd(total, this.forwardOf(node) + more);
    }
    this.total = kept.length === 0 ? most : total;
    for (let node = count - 1; node >= 0; node--) {
      const after = this.backward[node] ?? -Infinity;
      if (after === -Infinity) continue;
      eachArc(links, node, (from, score) => {
        if (from < 0) return;
        const gain = scale * (score - this.scoreOf(from));
        this.backward[from] = logAdd(this.backward[from] ?? -Infinity, after + gain);
      });
    }
  }

  /** Share of all ways that go along an arc into `node`. */
  of(node: number, { from, score }: { readonly from: number; readonly score: number }): number {
    return this.share(node, from, score);
  }

  /** For each node of a way the share of ways that have its word at that time: of the frames of the word, the one where most do. */
  confidences(path: readonly number[]): number[] {
    const { links } = this;
    const wanted = new Map<number, number[]>();
    path.forEach((node, i) => {
      const word = links.word[node] ?? 0;
      wanted.set(word, [...(wanted.get(word) ?? []), i]);
    });
    const shares = path.map(
      (node) => new Float64Array((links.end[node] ?? 0) - (links.start[node] ?? 0) + 2),
    );
    for (let node = 0; node < links.size; node++) {
      if (this.backward[node] === -Infinity) continue;
      const nodeEnd = links.end[node] ?? 0;
      eachArc(links, node, (from, score, word, start) => {
        const here = wanted.get(word);
        if (here === undefined) return;
        const share = this.share(node, from, score);
        for (const i of here) {
          const at = path[i] ?? 0;
          const [first, last] = [links.start[at] ?? 0, links.end[at] ?? 0];
          const begins = Math.max(first, start);
          const ends = Math.min(last, nodeEnd);
          const sums = shares[i];
          if (begins > ends || sums === undefined) continue;
          sums[begins - first] = (sums[begins - first] ?? 0) + share;
          sums[ends - first + 1] = (sums[ends - first + 1] ?? 0) - share;
        }
      });
    }
    return shares.map((steps) => {
      let [sum, most] = [0, 0];
      for (const step of steps) {
        sum += step;
        most = Math.max(most, sum);
      }
      return Math.min(1, most);
    });
  }

  private share(node: number, from: number, score: number): number {
    const after = this.backward[node] ?? -Infinity;
    return after === -Infinity ? 0 : Math.exp(this.upTo(from, score) + after - this.total);
  }

  private upTo(from: number, score: number): number {
    return this.forwardOf(from) + this.scale * (score - this.scoreOf(from));
  }

  private forwardOf(node: number): number {
    return node < 0 ? 0 : (this.forward[node] ?? -Infinity);
  }

  private scoreOf(node: number): number {
    return node < 0 ? this.links.baseScore : (this.links.score[node] ?? 0);
  }
}

/** Different sentences, best first, of all ways that the links remember. */
export function bestSentences(links: WordLinks, ends: Ends, count: number): Sentence[] {
  interface Way {
    readonly node: number;
    readonly score: number;
    readonly words: readonly number[];
  }
  const queue = new Queue<Way>();
  for (const i of bestEnds(ends)) {
    const score = ends.scores[i] ?? -Infinity;
    queue.push(score, { node: ends.nodes[i] ?? -1, score, words: [] });
  }
  const found = new Map<string, Sentence>();
  for (let looked = 0; looked < waysMax && found.size < count; looked++) {
    const way = queue.pop();
    if (way === undefined) break;
    const { node, score, words } = way;
    if (node < 0) {
      const key = words.join();
      if (!found.has(key)) found.set(key, { words, score });
      continue;
    }
    const best = links.score[node] ?? 0;
    // What is left before a node is known exactly: the score of its best way. So the first that is complete is the best.
    for (const arc of arcsInto(links, node)) {
      const less = score - (best - arc.score);
      queue.push(less, { node: arc.from, score: less, words: [arc.word, ...words] });
    }
  }
  return [...found.values()];
}

/** Words with their places, down to a share of `least` of all ways, and of more than `arcsMax` those with most. */
export function latticeOf(
  links: WordLinks,
  ends: Ends,
  scale: number,
  { weight, word }: { readonly weight: number; readonly word: number },
  { least = 1e-4, arcsMax = 5000 } = {},
): Lattice {
  const posteriors = new Posteriors(links, ends, scale);
  const kept: { node: number; arc: Arc; posterior: number }[] = [];
  for (let node = 0; node < links.size; node++)
    for (const arc of arcsInto(links, node)) {
      const posterior = posteriors.of(node, arc);
      if (posterior >= least) kept.push({ node, arc, posterior });
    }
  kept.sort((a, b) => b.posterior - a.posterior || a.node - b.node);
  kept.length = Math.min(kept.length, arcsMax);
  const places = new Map<number, number>([[-1, 0]]);
  const placeOf = (node: number) => {
    const known = places.get(node);
    if (known !== undefined) return known;
    places.set(node, places.size);
    return places.size - 1;
  };
  const arcs = kept
    .sort((a, b) => a.node - b.node)
    .map(({ node, arc, posterior }): LatticeArc => {
      const before = arc.from < 0 ? links.baseScore : (links.score[arc.from] ?? 0);
      return {
        from: placeOf(arc.from),
        to: placeOf(node),
        word: arc.word,
        startFrame: arc.start,
        endFrame: links.end[node] ?? 0,
        sound: arc.score - before - weight * arc.language - word,
        language: arc.language,
        posterior,
      };
    });
  const final = bestEnds(ends).flatMap((i) => {
    const node = ends.nodes[i] ?? -1;
    const place = places.get(node);
    const before = node < 0 ? links.baseScore : (links.score[node] ?? 0);
    return place === undefined ? [] : [{ place, score: (ends.scores[i] ?? 0) - before }];
  });
  return { places: places.size, arcs, ends: final };
}

function bestEnds({ scores }: Ends): number[] {
  const order = [...scores.keys()];
  if (order.length <= endsMax) return order;
  return order.sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b).slice(0, endsMax);
}

function logAdd(a: number, b: number): number {
  if (a === -Infinity) return b;
  if (b === -Infinity) return a;
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b));
}

/** A binary heap, greatest key first; of equal ones the one that came first. */
class Queue<T> {
  private readonly heap: { key: number; order: number; value: T }[] = [];
  private pushed = 0;

  push(key: number, value: T): void {
    const { heap } = this;
    heap.push({ key, order: this.pushed++, value });
    for (let at = heap.length - 1; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!this.before(at, parent)) break;
      this.swap(at, parent);
      at = parent;
    }
  }

  pop(): T | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return undefined;
    if (heap.length > 0) {
      heap[0] = last;
      for (let at = 0; ;) {
        const child = 2 * at + 1;
        if (child >= heap.length) break;
        const better = child + 1 < heap.length && this.before(child + 1, child) ? child + 1 : child;
        if (!this.before(better, at)) break;
        this.swap(at, better);
        at = better;
      }
    }
    return first.value;
  }

  private before(a: number, b: number): boolean {
    const [x, y] = [this.heap[a], this.heap[b]];
    if (x === undefined || y === undefined) return false;
    return x.key > y.key || (x.key === y.key && x.order < y.order);
  }

  private swap(a: number, b: number): void {
    const { heap } = this;
    const [x, y] = [heap[a], heap[b]];
    if (x === undefined || y === undefined) return;
    heap[a] = y;
    heap[b] = x;
  }
}
