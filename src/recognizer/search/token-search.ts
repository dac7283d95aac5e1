import type { DecodingGraph } from '../graph.js';

export interface SentenceWord {
  /** Index into graph.words. */
  readonly word: number;
  readonly startFrame: number;
  /** Last frame of the word. */
  readonly endFrame: number;
}

export interface Candidate {
  readonly words: readonly SentenceWord[];
  readonly score: number;
}

/**
 * Exact CTC Viterbi over a DecodingGraph by token passing (Young, Russell and Thornton, 1989), for
 * the topology of Graves et al. (2006): an arc emits its unit for one or more frames, a state emits
 * blank for any number, and two arcs of the same unit in a row need a blank between.
 *
 * Each arc and state keeps the best `k` tokens with different words so far. The best sentence is
 * exact for any k; the others are exact as long as no better sentence than them was crowded out of
 * a state by k others.
 */
export class TokenSearch {
  private frame = 0;
  private readonly arcs: number;
  private readonly source: Int32Array;
  private readonly arcScore: Float64Array;
  private readonly arcHistory: Int32Array;
  private readonly arcWordStart: Int32Array;
  private readonly blankScore: Float64Array;
  private readonly blankHistory: Int32Array;
  private readonly blankWordStart: Int32Array;
  /** Tokens that arrive at each state, best first: up to 2k, at most k of one unit. */
  private readonly inCount: Int32Array;
  private readonly inToken: Int32Array;
  private readonly history = new WordHistory();
  // Scratch of one merge.
  private readonly mergedScore: Float64Array;
  private readonly mergedHistory: Int32Array;
  private readonly mergedStart: Int32Array;
  private mergedCount = 0;
  private readonly entryScore: Float64Array;
  private readonly entryHistory: Int32Array;
  private readonly entryStart: Int32Array;
  private readonly entryUnit: Int32Array;

  constructor(
    private readonly graph: DecodingGraph,
    private readonly k = 1,
    /** Tokens further behind the best one are dropped after each frame. Infinity: exact. */
    private readonly beam = Infinity,
  ) {
    this.arcs = graph.arcUnit.length;
    this.source = new Int32Array(this.arcs);
    for (let s = 0; s < graph.states; s++) {
      this.source.fill(s, graph.arcStart[s], graph.arcStart[s + 1]);
    }
    const ofArcs = this.arcs * k;
    const ofStates = graph.states * k;
    this.arcScore = new Float64Array(ofArcs).fill(-Infinity);
    this.arcHistory = new Int32Array(ofArcs);
    this.arcWordStart = new Int32Array(ofArcs);
    this.savedScore = new Float64Array(ofArcs);
    this.savedHistory = new Int32Array(ofArcs);
    this.savedStart = new Int32Array(ofArcs);
    this.blankScore = new Float64Array(ofStates).fill(-Infinity);
    this.blankHistory = new Int32Array(ofStates).fill(-1);
    this.blankWordStart = new Int32Array(ofStates).fill(-1);
    this.inCount = new Int32Array(graph.states);
    this.inToken = new Int32Array(graph.states * 2 * k);
    this.mergedScore = new Float64Array(k);
    this.mergedHistory = new Int32Array(k);
    this.mergedStart = new Int32Array(k);
    this.entryScore = new Float64Array(2 * k);
    this.entryHistory = new Int32Array(2 * k);
    this.entryStart = new Int32Array(2 * k);
    this.entryUnit = new Int32Array(2 * k);
    this.blankScore[0] = 0;
  }

  get frames(): number {
    return this.frame;
  }

  /** One frame of scores, one a unit, unit 0 blank. `at` is where the row begins. */
  feed(scores: Float32Array | Float64Array, at = 0): void {
    const { graph, k } = this;
    this.snapshot();
    this.arrive();
    const blank = scores[at] ?? -Infinity;
    for (let s = 0; s < graph.states; s++) {
      const entries = this.readEntries(s);
      if (entries === 0 && this.blankScore[s * k] === -Infinity) {
        // Nothing comes in: arcs can only stay.
        this.stayOnly(s, scores, at);
        continue;
      }
      const end = graph.arcStart[s + 1] ?? 0;
      for (let a = graph.arcStart[s] ?? 0; a < end; a++) {
        const unit = graph.arcUnit[a] ?? 0;
        this.mergedCount = 0;
        for (let i = a * k; i < (a + 1) * k; i++) {
          this.merge(this.arcScore[i] ?? 0, this.arcHistory[i] ?? 0, this.arcWordStart[i] ?? 0);
        }
        for (let i = s * k; i < (s + 1) * k; i++) {
          this.merge(
            this.blankScore[i] ?? 0,
            this.blankHistory[i] ?? 0,
            this.blankWordStart[i] ?? 0,
          );
        }
        for (let e = 0; e < entries; e++) {
          if (this.entryUnit[e] === unit) continue;
          this.merge(this.entryScore[e] ?? 0, this.entryHistory[e] ?? 0, this.entryStart[e] ?? 0);
        }
        this.store(
          a * k,
          scores[at + unit] ?? -Infinity,
          this.arcScore,
          this.arcHistory,
          this.arcWordStart,
          this.frame,
        );
      }
      this.mergedCount = 0;
      for (let i = s * k; i < (s + 1) * k; i++) {
        this.merge(this.blankScore[i] ?? 0, this.blankHistory[i] ?? 0, this.blankWordStart[i] ?? 0);
      }
      for (let e = 0; e < entries; e++) {
        this.merge(this.entryScore[e] ?? 0, this.entryHistory[e] ?? 0, this.entryStart[e] ?? 0);
      }
      this.store(s * k, blank, this.blankScore, this.blankHistory, this.blankWordStart, -1);
    }
    this.frame++;
    if (this.beam < Infinity) this.prune();
  }

  private prune(): void {
    let best = -Infinity;
    for (const score of this.arcScore) if (score > best) best = score;
    for (const score of this.blankScore) if (score > best) best = score;
    for (const scores of [this.arcScore, this.blankScore])
      for (let i = 0; i < scores.length; i++)
        if ((scores[i] ?? 0) < best - this.beam) scores[i] = -Infinity;
  }

  /** The best complete sentences, best first, all different. */
  best(): Candidate[] {
    const found = new Map<number, Candidate>();
    this.eachEnd((state, score, history) => {
      if (this.graph.final[state] !== 1) return;
      const key = this.history.hash(history);
      const known = found.get(key);
      if (known === undefined || known.score < score) {
        found.set(key, { score, words: this.history.words(history) });
      }
    });
    return [...found.values()].sort((a, b) => b.score - a.score);
  }

  /**
   * The best token wherever it is: its score, the words complete so far, whether a sentence may end
   * there, and whether one may go on.
   */
  partial(): { score: number; words: readonly SentenceWord[]; final: boolean; open: boolean } {
    let best = { score: -Infinity, history: -1, state: 0, inWord: false };
    this.eachEnd((state, score, history, start) => {
      if (score > best.score) best = { score, history, state, inWord: start >= 0 };
    });
    for (let i = 0; i < this.arcScore.length; i++) {
      const score = this.arcScore[i] ?? -Infinity;
      const arc = Math.floor(i / this.k);
      if (score > best.score && (this.graph.arcWord[arc] ?? -1) < 0) {
        best = {
          score,
          history: this.arcHistory[i] ?? -1,
          state: this.graph.arcTarget[arc] ?? 0,
          inWord: true,
        };
      }
    }
    return {
      score: best.score,
      words: this.history.words(best.history),
      final: !best.inWord && this.graph.final[best.state] === 1,
      open: (this.graph.arcStart[best.state + 1] ?? 0) > (this.graph.arcStart[best.state] ?? 0),
    };
  }

  /** Tokens that stand at a state: after blank, or with the last unit of an arc that leads to it. */
  private eachEnd(
    visit: (state: number, score: number, history: number, start: number) => void,
  ): void {
    const { graph, k } = this;
    for (let i = 0; i < this.blankScore.length; i++) {
      const score = this.blankScore[i] ?? -Infinity;
      if (score === -Infinity) continue;
      visit(Math.floor(i / k), score, this.blankHistory[i] ?? -1, this.blankWordStart[i] ?? -1);
    }
    for (let i = 0; i < this.arcScore.length; i++) {
      const score = this.arcScore[i] ?? -Infinity;
      const arc = Math.floor(i / k);
      const word = graph.arcWord[arc] ?? -1;
      if (score === -Infinity || word < 0) continue;
      const state = graph.arcTarget[arc] ?? 0;
      if (graph.final[state] !== 1) continue;
      const node = this.history.add(
        word,
        this.arcHistory[i] ?? -1,
        this.arcWordStart[i] ?? 0,
        this.frame - 1,
      );
      visit(state, score, node, -1);
    }
  }

  /** Puts each arc's tokens into the list of the state that it leads to. */
  private arrive(): void {
    const { graph, k } = this;
    this.inCount.fill(0);
    for (let a = 0; a < this.arcs; a++) {
      if (this.arcScore[a * k] === -Infinity) continue;
      const state = graph.arcTarget[a] ?? 0;
      for (let i = a * k; i < (a + 1) * k; i++) {
        const score = this.arcScore[i] ?? -Infinity;
        if (score === -Infinity) break;
        if (!this.arriveOne(state, i, score, graph.arcUnit[a] ?? 0)) break;
      }
    }
  }

  private arriveOne(state: number, token: number, score: number, unit: number): boolean {
    const { k } = this;
    const base = state * 2 * k;
    let count = this.inCount[state] ?? 0;
    if (count === 2 * k && score <= (this.arcScore[this.inToken[base + count - 1] ?? 0] ?? 0))
      return false;
    let sameUnit = 0;
    let worstSame = -1;
    for (let j = 0; j < count; j++) {
      const other = Math.floor((this.inToken[base + j] ?? 0) / k);
      if (this.graph.arcUnit[other] === unit) {
        sameUnit++;
        worstSame = j;
      }
    }
    if (sameUnit >= k) {
      if (score <= (this.arcScore[this.inToken[base + worstSame] ?? 0] ?? 0)) return false;
      this.inToken.copyWithin(base + worstSame, base + worstSame + 1, base + count);
      count--;
    }
    if (count === 2 * k) count--;
    let j = count;
    while (j > 0 && (this.arcScore[this.inToken[base + j - 1] ?? 0] ?? 0) < score) {
      this.inToken[base + j] = this.inToken[base + j - 1] ?? 0;
      j--;
    }
    this.inToken[base + j] = token;
    this.inCount[state] = count + 1;
    return true;
  }

  /** Copies a state's arrivals, ending words on the way; must happen before its arcs change. */
  private readEntries(state: number): number {
    const { graph, k } = this;
    const count = this.inCount[state] ?? 0;
    for (let j = 0; j < count; j++) {
      const token = this.inToken[state * 2 * k + j] ?? 0;
      const arc = Math.floor(token / k);
      const word = graph.arcWord[arc] ?? -1;
      const history = this.inHistory(token, word);
      this.entryScore[j] = this.inScore(token);
      this.entryHistory[j] = history;
      this.entryStart[j] = word >= 0 ? -1 : this.inStart(token);
      this.entryUnit[j] = graph.arcUnit[arc] ?? 0;
    }
    return count;
  }

  // Arcs are overwritten while states are visited in order; arrivals were saved by `snapshot`.
  private readonly savedScore: Float64Array;
  private readonly savedHistory: Int32Array;
  private readonly savedStart: Int32Array;

  private snapshot(): void {
    this.savedScore.set(this.arcScore);
    this.savedHistory.set(this.arcHistory);
    this.savedStart.set(this.arcWordStart);
  }

  private inScore(token: number): number {
    return this.savedScore[token] ?? -Infinity;
  }

  private inStart(token: number): number {
    return this.savedStart[token] ?? -1;
  }

  private inHistory(token: number, word: number): number {
    const before = this.savedHistory[token] ?? -1;
    if (word < 0) return before;
    return this.history.add(word, before, this.savedStart[token] ?? 0, this.frame - 1);
  }

  private stayOnly(state: number, scores: Float32Array | Float64Array, at: number): void {
    const { graph, k } = this;
    const end = graph.arcStart[state + 1] ?? 0;
    for (let a = graph.arcStart[state] ?? 0; a < end; a++) {
      if (this.arcScore[a * k] === -Infinity) continue;
      const score = scores[at + (graph.arcUnit[a] ?? 0)] ?? -Infinity;
      for (let i = a * k; i < (a + 1) * k; i++) this.arcScore[i] = (this.arcScore[i] ?? 0) + score;
    }
  }

  /** Keeps the k best tokens with different words. */
  private merge(score: number, history: number, start: number): void {
    const { k } = this;
    if (score === -Infinity) return;
    let count = this.mergedCount;
    if (count === k && score <= (this.mergedScore[count - 1] ?? 0)) return;
    if (k > 1) {
      const hash = this.history.hash(history);
      for (let j = 0; j < count; j++) {
        if (this.history.hash(this.mergedHistory[j] ?? -1) !== hash) continue;
        if (score <= (this.mergedScore[j] ?? 0)) return;
        this.mergedScore.copyWithin(j, j + 1, count);
        this.mergedHistory.copyWithin(j, j + 1, count);
        this.mergedStart.copyWithin(j, j + 1, count);
        count--;
        break;
      }
    }
    if (count === k) count--;
    let j = count;
    while (j > 0 && (this.mergedScore[j - 1] ?? 0) < score) {
      this.mergedScore[j] = this.mergedScore[j - 1] ?? 0;
      this.mergedHistory[j] = this.mergedHistory[j - 1] ?? 0;
      this.mergedStart[j] = this.mergedStart[j - 1] ?? 0;
      j--;
    }
    this.mergedScore[j] = score;
    this.mergedHistory[j] = history;
    this.mergedStart[j] = start;
    this.mergedCount = count + 1;
  }

  /** Writes the merged tokens; a token between words begins its next word at `wordStart`, if that is a frame. */
  private store(
    base: number,
    score: number,
    scores: Float64Array,
    histories: Int32Array,
    starts: Int32Array,
    wordStart: number,
  ): void {
    for (let j = 0; j < this.k; j++) {
      if (j >= this.mergedCount) {
        scores[base + j] = -Infinity;
        continue;
      }
      scores[base + j] = (this.mergedScore[j] ?? 0) + score;
      histories[base + j] = this.mergedHistory[j] ?? -1;
      const start = this.mergedStart[j] ?? -1;
      starts[base + j] = start < 0 ? wordStart : start;
    }
  }
}

/** Word sequences as a tree grown from the start; nodes are shared by the tokens that said the same. */
class WordHistory {
  private count = 0;
  private words_ = new Int32Array(1024);
  private previous = new Int32Array(1024);
  private starts = new Int32Array(1024);
  private ends = new Int32Array(1024);
  private hashes = new Float64Array(1024);

  add(word: number, previous: number, startFrame: number, endFrame: number): number {
    if (this.count === this.words_.length) this.grow();
    const node = this.count++;
    this.words_[node] = word;
    this.previous[node] = previous;
    this.starts[node] = startFrame;
    this.ends[node] = endFrame;
    // 48 bits of a polynomial hash: different sentences that collide would only lose a runner-up.
    this.hashes[node] =
      ((this.hash(previous) % 8589934592) * 31337 + word * 2654435761 + 1) % 281474976710597;
    return node;
  }

  hash(node: number): number {
    return node < 0 ? 7 : (this.hashes[node] ?? 7);
  }

  words(node: number): SentenceWord[] {
    const out: SentenceWord[] = [];
    for (let at = node; at >= 0; at = this.previous[at] ?? -1) {
      out.unshift({
        word: this.words_[at] ?? 0,
        startFrame: this.starts[at] ?? 0,
        endFrame: this.ends[at] ?? 0,
      });
    }
    return out;
  }

  private grow(): void {
    const larger = <T extends Int32Array | Float64Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    const size = this.count * 2;
    this.words_ = larger(this.words_, new Int32Array(size));
    this.previous = larger(this.previous, new Int32Array(size));
    this.starts = larger(this.starts, new Int32Array(size));
    this.ends = larger(this.ends, new Int32Array(size));
    this.hashes = larger(this.hashes, new Float64Array(size));
  }
}
