/** How a text is said: each way to read it, pronounced. */
import { connectedForms, type Lexicon, type Pronunciation } from '../lexicon/index.js';
import { pronounceWord } from './compile.js';
import { readingsOf } from './readings.js';

/** Ways for one text. */
const readingsMax = 20;

/** A pronunciation and where it came from. */
export interface Said {
  readonly phones: readonly number[];
  readonly source: string;
  /** As connected speech has it, by these rules. */
  readonly form?: string;
}

export interface SaidText {
  /** The words that are said: "PLC 12" is "p l c twelve". */
  readonly words: string;
  /** The usual one first. */
  readonly ways: readonly Said[];
}

/** Every reading of a text; or what of it has no pronunciation. */
export function pronounceText(
  text: string,
  lexicon: Lexicon,
): { readonly readings: readonly SaidText[] } | { readonly mute: string } {
  const pieces = readingsOf(text, { own: lexicon.ownWords, capitals: true });
  const readings = pieces
    .reduce<(readonly { word: string; spelled?: true }[])[]>(
      (heads, ways) =>
        heads.flatMap((head) => ways.map((way) => [...head, ...way])).slice(0, readingsMax),
      [[]],
    )
    .filter((words) => words.length > 0);
  const mute = readings.flatMap((words) =>
    words.filter(({ word }) => lexicon.lookup(word).length === 0).map(({ word }) => word),
  );
  if (readings.length === 0 || mute.length > 0) return { mute: mute[0] ?? text };
  return {
    readings: readings.map((words) => ({
      words: words.map(({ word }) => word).join(' '),
      ways: pronounceAll(words, lexicon),
    })),
  };
}

/** Several words one after another; variants of a lone one. */
function pronounceAll(
  words: readonly { word: string; spelled?: true }[],
  lexicon: Lexicon,
): Said[] {
  const each = words.map(({ word, spelled }) => pronounceWord(word, lexicon, spelled === true));
  const [only, ...more] = words;
  if (only !== undefined && more.length === 0) {
    const [listed = []] = each;
    return [...listed, ...connectedForms(only.word, listed, lexicon.units)];
  }
  const best = each.map((ways) => ways[0] as Pronunciation);
  return [
    {
      phones: best.flatMap((p) => p.phones),
      source: [...new Set(best.map((p) => p.source))].join('+'),
    },
  ];
}
