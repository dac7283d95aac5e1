import type { SlotType, SlotValue } from '../../records.js';
import type { Build } from './automaton.js';

/** A sentence template as a tree, whatever language it was written in. */
export type Tree =
  | {
      readonly kind: 'word';
      readonly word: string;
      /** Also said letter by letter. */
      readonly spelled?: true;
      readonly at?: Place;
    }
  /** Written, but without a sound: punctuation. It may stand beside words, not for itself. */
  | { readonly kind: 'mute'; readonly text: string; readonly at?: Place }
  /** Text without a space as it is written; what touches it belongs to the same word. */
  | {
      readonly kind: 'part';
      readonly text: string;
      /** Capitals in it mean letters; see readingsOf. */
      readonly capitals: boolean;
      readonly at: Place;
    }
  /** Ends a word made of parts. */
  | { readonly kind: 'space' }
  /** Phrases that are not written out, such as the numbers of a range; `like` is one of them as written. */
  | { readonly kind: 'phrases'; readonly build: Build; readonly like: string }
  | { readonly kind: 'sequence'; readonly items: readonly Tree[] }
  | { readonly kind: 'choice'; readonly items: readonly Tree[] }
  | { readonly kind: 'permutation'; readonly items: readonly Tree[] }
  | {
      readonly kind: 'list';
      readonly list: string;
      /** Filled with the value; none for a capture. */
      readonly slot?: string;
      /** The values of a range that is written in the sentence; else they are looked up by name. */
      readonly values?: readonly ListValue[];
      readonly at: Place;
    }
  | { readonly kind: 'rule'; readonly rule: string; readonly at: Place }
  /** What is inside is said; the slot gets the value, or the words as said when there is none. */
  | {
      readonly kind: 'slot';
      readonly slot: string;
      readonly value?: SlotValue;
      /** Holds for the whole sentence, whatever is said. */
      readonly fixed?: true;
      readonly item: Tree;
    };

export interface Place {
  readonly line: number;
  readonly column: number;
  /** Of a grammar of several files; undefined in one of a single file. */
  readonly file?: string;
}

export interface Fault extends Place {
  readonly message: string;
}

export const placeInWords = ({ file, line, column }: Place) =>
  `${file === undefined ? '' : `${file}:`}${line}:${column}`;

export const nothing: Tree = { kind: 'sequence', items: [] };

export interface Intent {
  readonly name: string;
  readonly minConfidence?: number;
  readonly confirm?: boolean;
  readonly sentences: readonly Sentence[];
}

export interface Sentence {
  readonly tree: Tree;
  /** The lists and rules that it sees. */
  readonly scope: Scope;
  /** One of these words must be in it. */
  readonly keywords?: readonly string[];
  /** Written for this site beside sentences that come ready-made: counts before them. */
  readonly own?: true;
  /** Why it can never be said, whatever its words. */
  readonly never?: Loss;
  readonly at?: Place;
}

/** Lists and rules by name. A list is a choice of slot values. */
export interface Scope {
  readonly lists: ReadonlyMap<string, readonly ListValue[]>;
  readonly rules: ReadonlyMap<string, Tree>;
  /** Why lists are empty, by name: what needs one of them is left out. */
  readonly losses: ReadonlyMap<string, Loss>;
}

/** Why sentences are left out. Losses with the same text are told of once. */
export interface Loss {
  readonly why: string;
  /** What exactly, beside others. */
  readonly detail?: string;
  readonly at: Place;
}

/** What the words of a slot mean, where the value is not written beside them. */
export interface SlotReader {
  readonly gives: SlotType;
  readonly of: (words: readonly string[]) => SlotValue;
}

export interface ListValue {
  readonly spoken: Tree;
  /** What the slot becomes; the words as said when undefined. */
  readonly value?: SlotValue;
  /** Or: what the words said mean. */
  readonly read?: SlotReader;
  /** hassil's context of a value, which `requires_context` looks at. */
  readonly context?: Readonly<Record<string, unknown>>;
}

export interface ParsedGrammar {
  readonly intents: readonly Intent[];
  readonly skipWords: readonly Sentence[];
  readonly warnings: readonly Fault[];
  /** What of it can never be said and is left out. */
  readonly lost?: readonly Fault[];
  /** Which of several meanings of the same words counts; the first in file order unless this says otherwise. */
  readonly order?: 'home assistant';
}

/** A list of this name holds any words, unless a grammar says otherwise. */
export const dictationList = 'dictation';
