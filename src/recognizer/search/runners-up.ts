import type { DecodingGraph } from '../graph.js';
import { RestBound } from './rest-bound.js';
import type { Candidate } from './token-search.js';
import { WordHistory } from './word-history.js';

/** The bound is kept in single precision. */
const boundError = 0.1;

export interface RunnersUp {
  /** The best sentences, best first, all different, down to `window` below `best`. */
  readonly candidates: readonly Candidate[];
  /** A sentence may be missing, because k better ones stood at the same place. */
  readonly crowded: boolean;
}

/**
 * Every sentence within `window` of the best one, whose score the live search has found or, without it, the bound does. Tokens are
 * passed as there, k with different words at each place, but only to where such a sentence can
 * still come of it.
 */
export function runnersUp(
  graph: DecodingGraph,
  scores: Float32Array,
  units: number,
  { best, window, k }: { best?: number; window: number; k: number },
): RunnersUp {
  const rest = new RestBound(graph, scores, units);
  const about = best ?? rest.best;
  if (about === -Infinity) return { candidates: [], crowded: false };
  const search = new RunnerUpSearch(graph, k, rest, about - window - boundError);
  for (let row = 0; row < scores.length; row += units) search.feed(scores, row);
  const found = search.best();
  const lowest = (found[0]?.score ?? about) - window;
  return { candidates: found.filter((c) => c.score >= lowest), crowded: search.crowded };
}

/** Tokens of one place: k slots in each array from `place * k` on; places are arcs, then states. */
class Tokens {
  readonly score: Float64Array;
  readonly history: Int32Array;
  readonly wordStart: Int32Array;
  /** Places that hold a token. */
  readonly live: Int32Array;
  liveCount = 0;

  constructor(places: number, k: number) {
    this.score = new Float64Array(places * k).fill(-Infinity);
    this.history = new Int32Array(places * k);
    this.wordStart = new Int32Array(places * k);
    this.live = new Int32Array(places);
  }
}

class RunnerUpSearch {
  crowded = false;
  private frame = 0;
  private readonly arcs: number;
  private now: Tokens;
  private next: Tokens;
  private readonly source: Int32Array;
  /** Arcs with tokens that lead to each state: a list a state, by the next arc; -1 ends it. */
  private readonly firstArriving: Int32Array;
  private readonly nextArriving: Int32Array;
  private readonly wanted: Int32Array;
  private readonly wantedFrame: Int32Array;
  private wantedCount = 0;
  private readonly history = new WordHistory();
  /** The node made for the word that ends with a token, by slot. */
  private readonly node: Int32Array;
  private readonly nodeFrame: Int32Array;
  // One merge.
  private readonly mergedScore: Float64Array;
  private readonly mergedHistory: Int32Array;
  private readonly mergedStart: Int32Array;
  private mergedCount = 0;
  private dropped = -Infinity;

  constructor(
    private readonly graph: DecodingGraph,
    private readonly k: number,
    private readonly rest: RestBound,
    private readonly floor: number,
  ) {
    this.arcs = graph.arcUnit.length;
    const places = this.arcs + graph.states;
    this.now = new Tokens(places, k);
    this.next = new Tokens(places, k);
    this.source = new Int32Array(this.arcs);
    for (let s = 0; s < graph.states; s++)
      this.source.fill(s, graph.arcStart[s], graph.arcStart[s + 1]);
    this.firstArriving = new Int32Array(graph.states).fill(-1);
    this.nextArriving = new Int32Array(this.arcs);
    this.wanted = new Int32Array(graph.states);
    this.wantedFrame = new Int32Array(graph.states).fill(-1);
    this.node = new Int32Array(this.arcs * k);
    this.nodeFrame = new Int32Array(this.arcs * k).fill(-1);
    this.mergedScore = new Float64Array(k);
    this.mergedHistory = new Int32Array(k);
    this.mergedStart = new Int32Array(k);
    const start = this.arcs;
    this.now.score[start * k] = 0;
    this.now.history.fill(-1, start * k, (start + 1) * k);
    this.now.wordStart.fill(-1, start * k, (start + 1) * k);
    this.now.live[this.now.liveCount++] = start;
  }

  feed(scores: Float32Array, at: number): void {
    const { graph, now } = this;
    this.gather();
    const bound = this.rest.after(this.frame);
    for (let i = 0; i < this.wantedCount; i++) {
      const s = this.wanted[i] ?? 0;
      const end = graph.arcStart[s + 1] ?? 0;
      const idle =
        this.firstArriving[s] === -1 && now.score[(this.arcs + s) * this.k] === -Infinity;
      for (let a = graph.arcStart[s] ?? 0; a < end; a++) {
        if (idle && now.score[a * this.k] === -Infinity) continue;
        const unit = graph.arcUnit[a] ?? 0;
        this.mergedCount = 0;
        this.dropped = -Infinity;
        this.mergePlace(a);
        if (!idle) {
          const cost = graph.arcCost?.[a] ?? 0;
          this.mergePlace(this.arcs + s, cost);
          this.mergeArriving(s, unit, cost);
        }
        this.store(a, scores[at + unit] ?? -Infinity, bound[a] ?? -Infinity, this.frame);
      }
      if (idle) continue;
      this.mergedCount = 0;
      this.dropped = -Infinity;
      this.mergePlace(this.arcs + s);
      this.mergeArriving(s, 0);
      const place = this.arcs + s;
      this.store(place, scores[at] ?? -Infinity, bound[place] ?? -Infinity, -1);
    }
    this.release();
    [this.now, this.next] = [this.next, this.now];
    this.frame++;
  }

  /** Complete sentences, best first, all different. */
  best(): Candidate[] {
    const { graph, now, k } = this;
    const found = new Map<number, Candidate>();
    const offer = (score: number, history: number) => {
      const key = this.history.hash(history);
      const known = found.get(key);
      if (known === undefined || known.score < score)
        found.set(key, { score, words: this.history.words(history) });
    };
    for (let i = 0; i < now.liveCount; i++) {
      const place = now.live[i] ?? 0;
      const isArc = place < this.arcs;
      const state = isArc ? (graph.arcTarget[place] ?? 0) : place - this.arcs;
      const word = isArc ? (graph.arcWord[place] ?? -1) : -1;
      if (graph.final[state] !== 1 || (isArc && word < 0)) continue;
      for (let slot = place * k; slot < (place + 1) * k; slot++) {
        const score = now.score[slot] ?? -Infinity;
        if (score === -Infinity) break;
        offer(score, isArc ? this.historyAfter(slot, word) : (now.history[slot] ?? -1));
      }
    }
    return [...found.values()].sort((a, b) => b.score - a.score);
  }

  /** The states that something comes to, stays at, or leaves in this frame, and the arcs that arrive at each. */
  private gather(): void {
    const { now, graph } = this;
    this.wantedCount = 0;
    for (let i = 0; i < now.liveCount; i++) {
      const place = now.live[i] ?? 0;
      if (place >= this.arcs) {
        this.want(place - this.arcs);
        continue;
      }
      const target = graph.arcTarget[place] ?? 0;
      this.want(this.source[place] ?? 0);
      this.want(target);
      this.nextArriving[place] = this.firstArriving[target] ?? -1;
      this.firstArriving[target] = place;
    }
  }

  private want(state: number): void {
    if (this.wantedFrame[state] === this.frame) return;
    this.wantedFrame[state] = this.frame;
    this.wanted[this.wantedCount++] = state;
  }

  /** Empties what this frame was made from. */
  private release(): void {
    const { now, k } = this;
    for (let i = 0; i < this.wantedCount; i++) this.firstArriving[this.wanted[i] ?? 0] = -1;
    for (let i = 0; i < now.liveCount; i++) {
      const place = now.live[i] ?? 0;
      now.score.fill(-Infinity, place * k, (place + 1) * k);
    }
    now.liveCount = 0;
  }

  private mergePlace(place: number, cost = 0): void {
    const { now, k } = this;
    for (let slot = place * k; slot < (place + 1) * k; slot++) {
      const score = now.score[slot] ?? -Infinity;
      if (score === -Infinity) return;
      this.merge(score - cost, now.history[slot] ?? -1, now.wordStart[slot] ?? -1);
    }
  }

  /** Tokens whose arc ends at `state`, but for arcs of `unit`: the same unit twice needs a blank between. */
  private mergeArriving(state: number, unit: number, cost = 0): void {
    const { graph, now, k } = this;
    for (let a = this.firstArriving[state] ?? -1; a >= 0; a = this.nextArriving[a] ?? -1) {
      if (graph.arcUnit[a] === unit) continue;
      const word = graph.arcWord[a] ?? -1;
      for (let slot = a * k; slot < (a + 1) * k; slot++) {
        const score = now.score[slot] ?? -Infinity;
        if (score === -Infinity) break;
        const start = word >= 0 ? -1 : (now.wordStart[slot] ?? -1);
        this.merge(score - cost, this.historyAfter(slot, word), start);
      }
    }
  }

  private historyAfter(slot: number, word: number): number {
    const { now } = this;
    const before = now.history[slot] ?? -1;
    if (word < 0) return before;
    if (this.nodeFrame[slot] === this.frame) return this.node[slot] ?? -1;
    const node = this.history.add(word, before, now.wordStart[slot] ?? 0, this.frame - 1);
    this.node[slot] = node;
    this.nodeFrame[slot] = this.frame;
    return node;
  }

  /** Keeps the k best tokens with different words. */
  private merge(score: number, history: number, start: number): void {
    const { k, mergedScore, mergedHistory, mergedStart } = this;
    let count = this.mergedCount;
    const hash = this.history.hash(history);
    let same = 0;
    while (same < count && this.history.hash(mergedHistory[same] ?? -1) !== hash) same++;
    if (same < count) {
      if (score <= (mergedScore[same] ?? 0)) return;
      mergedScore.copyWithin(same, same + 1, count);
      mergedHistory.copyWithin(same, same + 1, count);
      mergedStart.copyWithin(same, same + 1, count);
      count--;
    } else if (count === k) {
      const worst = mergedScore[k - 1] ?? 0;
      this.dropped = Math.max(this.dropped, Math.min(score, worst));
      if (score <= worst) return;
      count--;
    }
    let j = count;
    while (j > 0 && (mergedScore[j - 1] ?? 0) < score) {
      mergedScore[j] = mergedScore[j - 1] ?? 0;
      mergedHistory[j] = mergedHistory[j - 1] ?? 0;
      mergedStart[j] = mergedStart[j - 1] ?? 0;
      j--;
    }
    mergedScore[j] = score;
    mergedHistory[j] = history;
    mergedStart[j] = start;
    this.mergedCount = count + 1;
  }

  /** Writes the merged tokens that are worth it; one between words begins its next word at `wordStart`, if that is a frame. */
  private store(place: number, score: number, bound: number, wordStart: number): void {
    const { next, k } = this;
    const needed = this.floor - bound - score;
    if (this.dropped >= needed) this.crowded = true;
    let kept = 0;
    for (; kept < this.mergedCount && (this.mergedScore[kept] ?? 0) >= needed; kept++) {
      const start = this.mergedStart[kept] ?? -1;
      next.score[place * k + kept] = (this.mergedScore[kept] ?? 0) + score;
      next.history[place * k + kept] = this.mergedHistory[kept] ?? -1;
      next.wordStart[place * k + kept] = start < 0 ? wordStart : start;
    }
    if (kept > 0) next.live[next.liveCount++] = place;
  }
}
