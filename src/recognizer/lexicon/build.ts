import { gzipSync } from 'node:zlib';
import { phoneOffset } from './lexicon.js';
import { trainG2p } from './train-g2p.js';

/** CMUdict ("word" -> "W ER1 D", variants as "word(1)") -> sorted [word, unit ids], stress removed. */
export function dictionaryEntries(
  dictionary: Readonly<Record<string, string>>,
  units: readonly string[],
): [string, number[]][] {
  const ids = new Map(units.map((unit, id) => [unit, id]));
  const seen = new Set<string>();
  const entries: [string, number[]][] = [];
  for (const [key, value] of Object.entries(dictionary)) {
    const word = key.replace(/\(\d+\)$/, '').toLowerCase();
    const phones = (value.split('#')[0] ?? '')
      .trim()
      .replace(/\d/g, '')
      .split(' ')
      .map((p) => ids.get(p));
    if (!/^[a-z][a-z'.]*$|^'[a-z]+$/.test(word) || phones.some((p) => p === undefined)) continue;
    const known = phones as number[];
    const line = `${word}\t${known.join()}`;
    if (seen.has(line)) continue;
    seen.add(line);
    entries.push([word, known]);
  }
  return entries;
}

/** The bundle's lexicon file; see Lexicon for the format. Without `rules` it knows only the dictionary's words. */
export function buildLexicon(
  dictionary: Readonly<Record<string, string>>,
  units: readonly string[],
  { rules = true }: { readonly rules?: boolean } = {},
): Uint8Array {
  const entries = dictionaryEntries(dictionary, units);
  const line = ([word, phones]: [string, number[]]) =>
    `${word}\t${String.fromCharCode(...phones.map((p) => p + phoneOffset))}\n`;
  // A stable sort by byte value keeps the dictionary's order of variants.
  const byBytes = (a: string, b: string) =>
    Buffer.compare(Buffer.from(`${a}\t`), Buffer.from(`${b}\t`));
  const words = Buffer.from(
    [...entries]
      .sort((a, b) => byBytes(a[0], b[0]))
      .map(line)
      .join(''),
  );
  const g2p = rules ? trainG2p(entries) : new Uint8Array(0);
  const sizes = { units, words: words.length, g2p: g2p.length };
  const header = Buffer.from(`kikitori-lexicon 1\n${JSON.stringify(sizes)}\n`);
  return gzipSync(Buffer.concat([header, words, g2p]), { level: 9 });
}
