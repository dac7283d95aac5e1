import { packDictionary } from './build-dictionary.js';
import { writeContainer } from './container.js';
import { partNames } from './lexicon.js';
import { trainG2p } from './train-g2p.js';

/** CMUdict ("word" -> "W ER1 D", variants as "word(1)") -> [word, unit ids], stress removed. */
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
    if (!/^'?[a-z][a-z'.-]*$/.test(word) || phones.some((p) => p === undefined)) continue;
    const known = phones as number[];
    const line = `${word}\t${known.join()}`;
    if (seen.has(line)) continue;
    seen.add(line);
    entries.push([word, known]);
  }
  return entries;
}

/**
 * The bundle's lexicon file; container.ts says how it is laid out. Without `rules` it knows only the
 * dictionary's words. `effort` is the compression's, 0 to 11.
 */
export function buildLexicon(
  dictionary: Readonly<Record<string, string>>,
  units: readonly string[],
  { rules = true, effort }: { readonly rules?: boolean; readonly effort?: number } = {},
): Uint8Array {
  const entries = dictionaryEntries(dictionary, units);
  const parts = new Map<string, Uint8Array>([[partNames.dictionary, packDictionary(entries)]]);
  if (rules) parts.set(partNames.rules, trainG2p(entries));
  return writeContainer(units, parts, effort);
}
