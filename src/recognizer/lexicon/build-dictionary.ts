import { alignLetters } from './align-letters.js';
import {
  blockEntries,
  sharedMax,
  symbolsMax,
  type DictionaryHeader,
  type DictionarySymbol,
} from './dictionary.js';

/** Which letters give which phones is learnt from one word in so many. */
const taughtEach = 8;

const nameOf = (letter: string, phones: readonly number[]) => `${letter}:${phones.join()}`;

/** Entries -> what PackedDictionary reads. Variants of a word keep their order. */
export function packDictionary(
  entries: readonly (readonly [string, readonly number[]])[],
): Uint8Array {
  const words = [...entries]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([word, phones]) => ({ word, phones }));
  const taught = words.filter((_, i) => i % taughtEach === 0);
  const aligned = alignLetters(words, taught);
  const symbols = chooseSymbols(words, aligned);
  const ids = new Map(symbols.map(([letter, phones], id) => [nameOf(letter, phones), id]));
  const body: number[] = [];
  let before: readonly number[] = [];
  words.forEach(({ word, phones }, i) => {
    const spelled = spell(word, aligned[i] ?? [[...phones]], ids);
    const shared = i % blockEntries === 0 ? 0 : sharedSymbols(before, spelled);
    body.push(255 - shared, ...spelled.slice(shared));
    before = spelled;
  });
  const header: DictionaryHeader = { symbols, entries: words.length };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), Uint8Array.from(body)]);
}

/**
 * Every letter without a phone and every phone without a letter, with which anything can be written, and
 * the most frequent letters with phones, with which nearly everything is.
 */
function chooseSymbols(
  words: readonly { readonly word: string; readonly phones: readonly number[] }[],
  aligned: readonly (readonly number[][] | null)[],
): DictionarySymbol[] {
  const needed = new Map<string, DictionarySymbol>();
  const counts = new Map<string, { symbol: DictionarySymbol; count: number }>();
  words.forEach(({ word, phones }, w) => {
    for (const letter of word) needed.set(nameOf(letter, []), [letter, []]);
    for (const phone of phones) needed.set(nameOf('', [phone]), ['', [phone]]);
    aligned[w]?.forEach((piece, i) => {
      const symbol: DictionarySymbol = [word[i] ?? '', piece];
      const name = nameOf(...symbol);
      const seen = counts.get(name);
      if (seen === undefined) counts.set(name, { symbol, count: 1 });
      else seen.count++;
    });
  });
  const room = symbolsMax - needed.size;
  if (room < 0) throw new Error(`${needed.size} letters and phones, at most ${symbolsMax}`);
  const frequent = [...counts]
    .filter(([name]) => !needed.has(name))
    .sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1))
    .slice(0, room)
    .map(([, { symbol }]) => symbol);
  return [...needed.values(), ...frequent].sort((a, b) => (nameOf(...a) < nameOf(...b) ? -1 : 1));
}

/** A word as symbols: pieces that have none of their own are split into a letter and loose phones. */
function spell(
  word: string,
  pieces: readonly (readonly number[])[],
  ids: ReadonlyMap<string, number>,
): number[] {
  const id = (letter: string, phones: readonly number[]) => ids.get(nameOf(letter, phones));
  const symbols = [...word].flatMap((letter, i) => {
    const piece = pieces[i] ?? [];
    const head = [piece, piece.slice(0, 1), []].find((part) => id(letter, part) !== undefined);
    const loose = piece.slice(head?.length ?? 0).map((phone) => id('', [phone]));
    return [id(letter, head ?? []), ...loose];
  });
  return symbols.map((s) => {
    if (s === undefined) throw new Error(`"${word}" has a letter or a phone without a symbol`);
    return s;
  });
}

function sharedSymbols(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length, sharedMax);
  let shared = 0;
  while (shared < most && a[shared] === b[shared]) shared++;
  return shared;
}
