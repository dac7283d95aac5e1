/**
 * The contract between grammar and search: a deterministic-by-word automaton expanded into phones.
 * Plain arrays, frozen after compilation, shared by all utterances.
 */
import type { SlotValue } from '../records.js';

export interface DecodingGraph {
  /** State 0 is the start. */
  readonly states: number;
  /** Arcs of state s are arcStart[s] .. arcStart[s + 1] - 1. */
  readonly arcStart: Int32Array;
  /** Unit (1 .. units - 1; never blank) consumed by the arc. */
  readonly arcUnit: Int32Array;
  readonly arcTarget: Int32Array;
  /** Index into `words` of the word that ends with this arc, or -1. */
  readonly arcWord: Int32Array;
  /** 1 where a sentence may end. */
  readonly final: Uint8Array;
  readonly words: readonly string[];
  /** Of `words` the one that stands for any words: an open slot. Absent: there is none. */
  readonly open?: number;
  /** Taken off the score of whoever enters an arc: any phones pay, those of known words do not. Absent: nobody pays. */
  readonly arcCost?: Float32Array;
}

/** What a sentence means. */
export interface Interpretation {
  readonly intent: string;
  readonly slots: Readonly<Record<string, SlotValue>>;
  /** The words that gave each slot; none for slots that belong to the whole sentence. */
  readonly said: Readonly<Record<string, string>>;
  /** Equal for sentences that mean the same: intent and slots in a canonical form. */
  readonly key: string;
  /** Operator settings of the intent, from the grammar file. */
  readonly minConfidence?: number;
  readonly confirm?: boolean;
  /** No sentence of the grammar: heard only so that it is not taken for one. */
  readonly refuse?: true;
}

export interface CompiledGrammar {
  readonly graph: DecodingGraph;
  /** A word of the graph that is heard but not told: the wake phrase before each sentence. */
  readonly hidden?: number;
  /** Number of different sentences; capped counts are reported as Infinity. */
  readonly sentences: number;
  /** Hex SHA-256 of the grammar source. */
  readonly sha256: string;
  /** All pronunciations of a word (an index into graph.words), as unit ids. */
  phonesOf(word: number): readonly (readonly number[])[];
  /**
   * Meaning of a word sequence that the graph accepts (indices into graph.words); first match in file order. `texts`: what
   * was said in open slots, by their place among the words.
   */
  interpret(words: readonly number[], texts?: ReadonlyMap<number, string>): Interpretation;
}
