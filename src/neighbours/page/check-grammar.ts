/** What compiling says of sentences, in a form that can be shown. */
import { compileGrammar, GrammarError, type Lexicon } from '../../recognizer/index.js';

const faultsShown = 50;

export interface Place {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Not checked or not saved, for a reason that is not in the text. */
export interface Refused {
  readonly ok: false;
  readonly refused: string;
}

export type Checked =
  | {
      readonly ok: true;
      readonly sentences: number;
      readonly warnings: readonly Place[];
    }
  | { readonly ok: false; readonly faults: readonly Place[]; readonly more: number };

/** Takes from a millisecond to minutes. */
export function checkGrammar(
  text: string,
  options: {
    readonly file: string;
    readonly lexicon: Lexicon;
    readonly phonesMax: number;
    readonly openSlots: boolean;
  },
): Checked {
  try {
    const { sentences, warnings } = compileGrammar(text, options);
    return { ok: true, sentences, warnings: warnings.slice(0, faultsShown) };
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    const sorted = [...error.faults].sort((a, b) => a.line - b.line || a.column - b.column);
    const faults = sorted.slice(0, faultsShown);
    return { ok: false, faults, more: sorted.length - faults.length };
  }
}
