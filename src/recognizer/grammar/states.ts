import type { SlotValue } from '../../records.js';
import type { Automaton } from './automaton.js';
import type { Ways } from './readings.js';
import type { Intent, Place, SlotReader } from './tree.js';

/** What happens on a transition without a word, when a sentence is interpreted. */
export type Mark =
  | { readonly kind: 'intent'; readonly intent: Intent }
  | {
      readonly kind: 'open';
      readonly id: number;
      /** Letters of the first word that are not the slot's: the "un" of "un{state}". */
      readonly before?: string;
    }
  | ({ readonly kind: 'close'; readonly id: number; readonly slot: string } & SlotMeaning);

/** What a slot becomes: the value, or what `read` makes of the words said, or these words. */
export interface SlotMeaning {
  readonly value?: SlotValue;
  readonly read?: SlotReader;
  /** The slot belongs to the sentence and not to some of its words. */
  readonly fixed?: true;
  /** Letters of the last word that are not the slot's: the "s" of "{light}[s]". */
  readonly after?: string;
}

export interface Edge {
  readonly target: number;
  /** Word id, or -1 for a free transition. */
  readonly word: number;
  readonly mark?: Mark;
}

/** More states than this: the grammar is refused, after some 270 MB. 20,000 listed sentences need 140,000, Home Assistant's 59,000. */
const statesMax = 500_000;

export class GrammarTooLarge extends Error {}

/** The states of an automaton of words while it is built. */
export class States implements Automaton {
  readonly edges: Edge[][] = [];
  readonly words: string[] = [];
  /** Words that are also said letter by letter. */
  readonly spelledWords = new Set<string>();
  /** Where each word was written first. */
  readonly places = new Map<string, Place>();
  private readonly wordIds = new Map<string, number>();

  state(): number {
    if (this.edges.length >= statesMax) {
      throw new GrammarTooLarge(`the sentences need more than ${statesMax} states`);
    }
    return this.edges.push([]) - 1;
  }

  edge(from: number, target: number, word?: string): void {
    this.edges[from]?.push({ target, word: word === undefined ? -1 : this.wordId(word) });
  }

  spelled(word: string): void {
    this.spelledWords.add(word);
  }

  private wordId(word: string): number {
    let id = this.wordIds.get(word);
    if (id === undefined) {
      id = this.words.push(word) - 1;
      this.wordIds.set(word, id);
    }
    return id;
  }

  /** A state of its own behind `from`. */
  branch(from: number): number {
    const state = this.state();
    this.edge(from, state);
    return state;
  }

  marked(from: number, mark: Mark): number {
    const state = this.state();
    this.edges[from]?.push({ target: state, word: -1, mark });
    return state;
  }

  /** Words one after another, each in all its ways. */
  say(pieces: readonly Ways[], from: number, place: Place | undefined): number {
    return pieces.reduce((at, ways) => {
      const ends = ways.map((words) =>
        words.reduce((state, { word, spelled }) => {
          const next = this.state();
          this.edge(state, next, word);
          if (spelled === true) this.spelled(word);
          if (place !== undefined && !this.places.has(word)) this.places.set(word, place);
          return next;
        }, at),
      );
      return ends.length === 1 ? (ends[0] ?? at) : this.join(ends);
    }, from);
  }

  join(ends: readonly number[]): number {
    const end = this.state();
    for (const at of ends) this.edge(at, end);
    return end;
  }

  /**
   * Of the sentences built from state `first` on only those with one of the words count: every state is
   * there twice, and the word leads to the second, which is so many numbers further.
   */
  onlyWith(keywords: readonly string[], first: number): number {
    const wanted = new Set(keywords.map((word) => this.wordIds.get(word)));
    const count = this.edges.length - first;
    const second = this.edges
      .slice(first)
      .map((edges) => edges.map((edge) => ({ ...edge, target: edge.target + count })));
    for (let at = first; at < first + count; at++)
      this.edges[at] = (this.edges[at] ?? []).map((edge) =>
        wanted.has(edge.word) ? { ...edge, target: edge.target + count } : edge,
      );
    for (const edges of second) this.edges[this.state()] = edges;
    return count;
  }
}
