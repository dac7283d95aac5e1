import type { SlotValue } from '../../records.js';
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
  /** Phrases that are not written out, such as the numbers of a range. */
  | { readonly kind: 'phrases'; readonly build: Build }
  | { readonly kind: 'sequence'; readonly items: readonly Tree[] }
  | { readonly kind: 'choice'; readonly items: readonly Tree[] }
  | { readonly kind: 'permutation'; readonly items: readonly Tree[] }
  | { readonly kind: 'list'; readonly list: string; readonly slot: string; readonly at: Place }
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
}

export interface Fault extends Place {
  readonly message: string;
}

export const nothing: Tree = { kind: 'sequence', items: [] };

export interface Intent {
  readonly name: string;
  readonly minConfidence?: number;
  readonly confirm?: boolean;
  /** Each sentence with the lists and rules that only it sees. */
  readonly sentences: readonly { readonly tree: Tree; readonly scope: Scope }[];
}

/** Lists and rules by name. A list is a choice of slot values. */
export interface Scope {
  readonly lists: ReadonlyMap<string, readonly ListValue[]>;
  readonly rules: ReadonlyMap<string, Tree>;
}

export interface ListValue {
  readonly spoken: Tree;
  /** What the slot becomes; the words as said when undefined. */
  readonly value?: SlotValue;
  /** Or: what the words said mean. */
  readonly read?: (words: readonly string[]) => SlotValue;
  /** hassil's context of a value, which `requires_context` looks at. */
  readonly context?: Readonly<Record<string, unknown>>;
}

export interface ParsedGrammar {
  readonly intents: readonly Intent[];
  readonly skipWords: readonly (readonly string[])[];
  readonly warnings: readonly Fault[];
}
