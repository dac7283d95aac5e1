import type { DictationGraph } from './dictation-graph.js';
import {
  DictationSearch,
  type Beside,
  type SearchLimits,
  defaultLimits,
} from './dictation-search.js';
import {
  bestEnd,
  bestSentences,
  latticeOf,
  Posteriors,
  type Ends,
  type Lattice,
} from './lattice.js';

/** A word with its frames, counted from the beginning of the search. */
export interface DictatedWord {
  readonly text: string;
  readonly startFrame: number;
  /** Last frame of the word. */
  readonly endFrame: number;
  /** 0 to 1: the share of all ways through the lattice that have the word there. */
  readonly confidence: number;
  /** How much less likely its sounds are than any at all, from the end of the word before on: nats, 0 or below. */
  readonly fit: number;
}

export interface Dictated {
  readonly words: readonly DictatedWord[];
  /** Whether a sentence may end here; false: the audio ended in a word, which is not among the words. */
  readonly complete: boolean;
  readonly score: number;
}

export interface PartialDictation {
  /** Words that will not change, since the last `commit`. */
  readonly committed: readonly string[];
  /** The best guess of what follows them. */
  readonly open: readonly string[];
}

/** Scores times this give the lattice's posteriors: fitted, see bench/notes/2026-11-30-dictation.md. */
export const defaultScale = 0.5;

/** Frames of words that are not handed out yet: a segment is cut before there are more. */
const framesKept = 8192;

/** One stretch of dictation, from posteriors to words: the search with what is asked of it. */
export class Dictation {
  private readonly search: DictationSearch;
  /** Sum of the best score of each frame, up to it: of the last frames. */
  private readonly free = new Float64Array(framesKept);

  constructor(
    private readonly graph: DictationGraph,
    limits: SearchLimits = defaultLimits,
    private readonly scale = defaultScale,
    beside: Beside = {},
  ) {
    this.search = new DictationSearch(graph, limits, beside);
  }

  get frames(): number {
    return this.search.frames;
  }

  get figures(): { tokens: number; frames: number; framesAtLimit: number } {
    const { tokens, frames, framesAtLimit } = this.search;
    return { tokens, frames, framesAtLimit };
  }

  /** Rows of scores, one a unit, blank first, under the bundle's weighting. */
  feed(scores: Float32Array, units: number): void {
    for (let at = 0; at + units <= scores.length; at += units) {
      let best = -Infinity;
      for (let u = 0; u < units; u++) best = Math.max(best, scores[at + u] ?? -Infinity);
      const { frames } = this.search;
      this.free[frames % framesKept] = this.freeUpTo(frames - 1) + best;
      this.search.feed(scores, at);
    }
  }

  partial(): PartialDictation {
    const shared = this.search.shared();
    const path = this.pathOf(this.search.ends(false));
    const committed = shared < 0 ? 0 : path.indexOf(shared) + 1;
    const texts = path.map((node) => this.textOf(node));
    return { committed: texts.slice(0, committed), open: texts.slice(committed) };
  }

  /** Hands out the words that will not change any more, and forgets them. */
  commit(): DictatedWord[] {
    const shared = this.search.shared();
    if (shared < 0) return [];
    const ends = this.search.ends(false);
    const path = this.pathOf(ends);
    const words = this.wordsOf(path.slice(0, path.indexOf(shared) + 1), ends);
    this.search.compact(shared);
    return words;
  }

  /** The best of what was said since the last `commit`. */
  finish(): Dictated {
    const ends = this.ends();
    const path = this.pathOf(ends.ends);
    return {
      words: this.wordsOf(path, ends.ends),
      complete: ends.complete,
      score: ends.ends.scores[bestEnd(ends.ends)] ?? -Infinity,
    };
  }

  /** Up to `count` different sentences, best first. */
  best(count: number): { words: string[]; score: number }[] {
    return bestSentences(this.search.links, this.ends().ends, count).map(({ words, score }) => ({
      words: words.map((word) => this.graph.wordAt(word)),
      score,
    }));
  }

  /** Words and other words that may have been said, small enough to be scored again by a larger model. */
  lattice(): Lattice {
    const { language: weight, word } = this.graph.weights;
    return latticeOf(this.search.links, this.ends().ends, this.scale, { weight, word });
  }

  private ends(): { ends: Ends; complete: boolean } {
    const complete = this.search.ends(true);
    if (complete.nodes.length > 0) return { ends: complete, complete: true };
    return { ends: this.search.ends(false), complete: false };
  }

  private pathOf(ends: Ends): number[] {
    return this.search.links.path(ends.nodes[bestEnd(ends)] ?? -1);
  }

  private textOf(node: number): string {
    return this.graph.wordAt(this.search.links.word[node] ?? 0);
  }

  private freeUpTo(frame: number): number {
    return frame < 0 ? 0 : (this.free[frame % framesKept] ?? 0);
  }

  /** Of the word that ends at this place. */
  private fitOf(node: number): number {
    const { links } = this.search;
    const { weights, boosts } = this.graph;
    const before = links.before[node] ?? -1;
    const [since, end] =
      before < 0
        ? [links.baseScore, links.baseEnd]
        : [links.score[before] ?? 0, links.end[before] ?? -1];
    const bonus = boosts.get(links.word[node] ?? 0) ?? 0;
    const language = weights.language * (links.language[node] ?? 0) + weights.word + bonus;
    const sound = (links.score[node] ?? 0) - since - language;
    return Math.min(0, sound - (this.freeUpTo(links.end[node] ?? -1) - this.freeUpTo(end)));
  }

  private wordsOf(path: readonly number[], ends: Ends): DictatedWord[] {
    const { links } = this.search;
    const confidences = new Posteriors(links, ends, this.scale).confidences(path);
    return path.map((node, i) => ({
      text: this.textOf(node),
      startFrame: links.start[node] ?? 0,
      endFrame: links.end[node] ?? 0,
      confidence: confidences[i] ?? 0,
      fit: this.fitOf(node),
    }));
  }
}
