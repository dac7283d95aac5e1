import type { DecodingGraph } from '../graph.js';
import { WordHistory, type SentenceWord } from './word-history.js';

export interface Candidate {
  readonly words: readonly SentenceWord[];
  readonly score: number;
}

/** The best token while a sentence is being said. */
export interface PartialSentence {
  readonly score: number;
  /** Words that are complete. */
  readonly words: readonly SentenceWord[];
  /** Whether it is in the middle of a word. */
  readonly inWord: boolean;
  /** Whether a sentence may end here. */
  readonly final: boolean;
  /** Whether a sentence may go on from here. */
  readonly open: boolean;
}

/**
 * Exact CTC Viterbi over a DecodingGraph by token passing (Young, Russell and Thornton, 1989), for
 * the topology of Graves et al. (2006): an arc emits its unit for one or more frames, a state emits
 * blank for any number, and two arcs of the same unit in a row need a blank between.
 *
 * One token an arc and one a state, no pruning: what runs with the audio. Runners-up are looked for
 * once, at the end, by runnersUp.
 */
export class TokenSearch {
  private frame = 0;
  private readonly arcs: number;
  // Tokens on arcs and at states (after blank), and the arrays that the next frame is written to.
  private arcScore: Float64Array;
  private arcHistory: Int32Array;
  private arcWordStart: Int32Array;
  private nextScore: Float64Array;
  private nextHistory: Int32Array;
  private nextWordStart: Int32Array;
  private readonly blankScore: Float64Array;
  private readonly blankHistory: Int32Array;
  private readonly blankWordStart: Int32Array;
  // The best token that arrives at each state, and the best with another unit than that one's.
  private readonly inScore: Float64Array;
  private readonly inArc: Int32Array;
  private readonly otherScore: Float64Array;
  private readonly otherArc: Int32Array;
  /** The node that was made for an arc's word in the frame `nodeFrame`. */
  private readonly node: Int32Array;
  private readonly nodeFrame: Int32Array;
  private readonly history = new WordHistory();

  constructor(private readonly graph: DecodingGraph) {
    this.arcs = graph.arcUnit.length;
    this.arcScore = new Float64Array(this.arcs).fill(-Infinity);
    this.arcHistory = new Int32Array(this.arcs).fill(-1);
    this.arcWordStart = new Int32Array(this.arcs);
    this.nextScore = new Float64Array(this.arcs);
    this.nextHistory = new Int32Array(this.arcs);
    this.nextWordStart = new Int32Array(this.arcs);
    this.blankScore = new Float64Array(graph.states).fill(-Infinity);
    this.blankHistory = new Int32Array(graph.states).fill(-1);
    this.blankWordStart = new Int32Array(graph.states).fill(-1);
    this.inScore = new Float64Array(graph.states);
    this.inArc = new Int32Array(graph.states);
    this.otherScore = new Float64Array(graph.states);
    this.otherArc = new Int32Array(graph.states);
    this.node = new Int32Array(this.arcs);
    this.nodeFrame = new Int32Array(this.arcs).fill(-1);
    this.blankScore[0] = 0;
  }

  get frames(): number {
    return this.frame;
  }

  /** One frame of scores, one a unit, unit 0 blank. `at` is where the row begins. */
  feed(scores: Float32Array, at = 0): void {
    this.arrive();
    const { graph, inScore, inArc, otherScore, otherArc, blankScore } = this;
    const { arcStart, arcUnit, arcCost } = graph;
    const blank = scores[at] ?? -Infinity;
    for (let s = 0, a = 0; s < graph.states; s++) {
      const end = arcStart[s + 1] ?? 0;
      const entry = inScore[s] ?? -Infinity;
      const entryUnit = arcUnit[inArc[s] ?? 0] ?? 0;
      const waited = blankScore[s] ?? -Infinity;
      for (; a < end; a++) {
        const unit = arcUnit[a] ?? 0;
        const cost = arcCost === undefined ? 0 : (arcCost[a] ?? 0);
        const paused = waited - cost;
        const stay = this.arcScore[a] ?? -Infinity;
        const differs = entryUnit !== unit;
        const enter = (differs ? entry : (otherScore[s] ?? -Infinity)) - cost;
        if (stay >= paused && stay >= enter) {
          this.nextScore[a] = stay + (scores[at + unit] ?? -Infinity);
          this.nextHistory[a] = this.arcHistory[a] ?? -1;
          this.nextWordStart[a] = this.arcWordStart[a] ?? 0;
        } else if (paused >= enter) {
          this.nextScore[a] = paused + (scores[at + unit] ?? -Infinity);
          this.nextHistory[a] = this.blankHistory[s] ?? -1;
          this.nextWordStart[a] = this.startOr(this.blankWordStart[s] ?? -1, this.frame);
        } else {
          const from = (differs ? inArc[s] : otherArc[s]) ?? 0;
          this.nextScore[a] = enter + (scores[at + unit] ?? -Infinity);
          this.nextHistory[a] = this.historyAfter(from);
          this.nextWordStart[a] = this.startOr(this.startAfter(from), this.frame);
        }
      }
      if (entry > waited) {
        const from = inArc[s] ?? 0;
        blankScore[s] = entry + blank;
        this.blankHistory[s] = this.historyAfter(from);
        this.blankWordStart[s] = this.startAfter(from);
      } else blankScore[s] = waited + blank;
    }
    this.swap();
    this.frame++;
    if (this.history.crowded) this.history.compact([this.arcHistory, this.blankHistory]);
  }

  /** The best complete sentence; empty when none is. */
  best(): Candidate[] {
    let best = { score: -Infinity, history: -1, arc: -1 };
    for (let s = 0; s < this.graph.states; s++) {
      const score = this.blankScore[s] ?? -Infinity;
      if (this.graph.final[s] === 1 && score > best.score)
        best = { score, history: this.blankHistory[s] ?? -1, arc: -1 };
    }
    for (let a = 0; a < this.arcs; a++) {
      const score = this.arcScore[a] ?? -Infinity;
      if (score > best.score && this.endsSentence(a)) best = { score, history: -1, arc: a };
    }
    if (best.score === -Infinity) return [];
    return [{ score: best.score, words: this.wordsOf(best) }];
  }

  partial(): PartialSentence {
    // A word in the middle of a sentence counts as complete once something follows it.
    return this.bestToken((arc) => !this.endsWord(arc) || this.endsSentence(arc));
  }

  /** The best token that is in no word. */
  betweenWords(): PartialSentence {
    return this.bestToken((arc) => this.endsWord(arc), true);
  }

  private bestToken(counts: (arc: number) => boolean, betweenWords = false): PartialSentence {
    const { graph } = this;
    let best = { score: -Infinity, history: -1, arc: -1, state: 0, inWord: false };
    for (let state = 0; state < graph.states; state++) {
      const score = this.blankScore[state] ?? -Infinity;
      if (score <= best.score) continue;
      const inWord = (this.blankWordStart[state] ?? -1) >= 0;
      if (inWord && betweenWords) continue;
      best = { score, history: this.blankHistory[state] ?? -1, arc: -1, state, inWord };
    }
    for (let arc = 0; arc < this.arcs; arc++) {
      const score = this.arcScore[arc] ?? -Infinity;
      if (score <= best.score || !counts(arc)) continue;
      const ends = this.endsWord(arc);
      best = {
        score,
        history: this.arcHistory[arc] ?? -1,
        arc: ends ? arc : -1,
        state: graph.arcTarget[arc] ?? 0,
        inWord: !ends,
      };
    }
    const words = this.wordsOf(best);
    return {
      score: best.score,
      words,
      inWord: best.inWord,
      final: !best.inWord && graph.final[best.state] === 1,
      // More may be said in an open slot too.
      open:
        (graph.open !== undefined && words.at(-1)?.word === graph.open) ||
        (graph.arcStart[best.state + 1] ?? 0) > (graph.arcStart[best.state] ?? 0),
    };
  }

  private endsWord(arc: number): boolean {
    return (this.graph.arcWord[arc] ?? -1) >= 0;
  }

  private endsSentence(arc: number): boolean {
    return this.endsWord(arc) && this.graph.final[this.graph.arcTarget[arc] ?? 0] === 1;
  }

  private wordsOf({ history, arc }: { history: number; arc: number }): SentenceWord[] {
    if (arc < 0) return this.history.words(history);
    return [
      ...this.history.words(this.arcHistory[arc] ?? -1),
      {
        word: this.graph.arcWord[arc] ?? 0,
        startFrame: this.arcWordStart[arc] ?? 0,
        endFrame: this.frame - 1,
      },
    ];
  }

  /** For each state the best arriving token, and the best whose unit differs from that one's. */
  private arrive(): void {
    const { inScore, inArc, otherScore, otherArc, arcScore } = this;
    const { arcTarget, arcUnit } = this.graph;
    inScore.fill(-Infinity);
    otherScore.fill(-Infinity);
    for (let a = 0; a < this.arcs; a++) {
      const score = arcScore[a] ?? -Infinity;
      const s = arcTarget[a] ?? 0;
      if (score > (inScore[s] ?? 0)) {
        if (arcUnit[inArc[s] ?? 0] !== arcUnit[a]) {
          otherScore[s] = inScore[s] ?? -Infinity;
          otherArc[s] = inArc[s] ?? 0;
        }
        inScore[s] = score;
        inArc[s] = a;
      } else if (score > (otherScore[s] ?? 0) && arcUnit[inArc[s] ?? 0] !== arcUnit[a]) {
        otherScore[s] = score;
        otherArc[s] = a;
      }
    }
  }

  /** Words said once an arc is left: with the word that ends on it. */
  private historyAfter(arc: number): number {
    const word = this.graph.arcWord[arc] ?? -1;
    const before = this.arcHistory[arc] ?? -1;
    if (word < 0) return before;
    if (this.nodeFrame[arc] === this.frame) return this.node[arc] ?? -1;
    const node = this.history.add(word, before, this.arcWordStart[arc] ?? 0, this.frame - 1);
    this.node[arc] = node;
    this.nodeFrame[arc] = this.frame;
    return node;
  }

  private startAfter(arc: number): number {
    return (this.graph.arcWord[arc] ?? -1) >= 0 ? -1 : (this.arcWordStart[arc] ?? 0);
  }

  /** A token between two words begins its next word now. */
  private startOr(start: number, now: number): number {
    return start < 0 ? now : start;
  }

  private swap(): void {
    [this.arcScore, this.nextScore] = [this.nextScore, this.arcScore];
    [this.arcHistory, this.nextHistory] = [this.nextHistory, this.arcHistory];
    [this.arcWordStart, this.nextWordStart] = [this.nextWordStart, this.arcWordStart];
  }
}
