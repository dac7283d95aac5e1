import { KikitoriError } from '../../runtime/errors.js';
import type { Lexicon } from './lexicon.js';
import { ownForm } from './word-form.js';

/** More words than this are refused: a site's list has tens. */
const wordsMax = 20_000;

interface Part {
  readonly text: string;
  /** Column in the line, from 1. */
  readonly column: number;
}

/**
 * A site's own words, one line each: `word: K AA N V EY ER` in ARPAbet (stress digits are ignored), or
 * `word: sounds like conveyor belt`. The word may be written in any way (`½`, `日本`, `c#`), in quotes too. Several
 * lines for one word are variants. `#` begins a comment at the start of a line and after a space.
 * Throws with every fault, each with line and column.
 */
export function parseUserWords(
  source: string,
  where: string,
  lexicon: Lexicon,
): Map<string, number[][]> {
  const words = new Map<string, number[][]>();
  const faults: string[] = [];
  source
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .forEach((raw, index) => {
      const fault = (column: number, what: string) =>
        faults.push(`${where}:${index + 1}:${column}: ${what}`);
      const text = raw.replace(/(^|\s)#.*/u, '');
      if (text.trim() === '') return;
      // Words may have colons of their own: "3:15: sounds like three fifteen".
      const spaced = text.search(/:(?=\s)/);
      const colon = spaced < 0 ? text.indexOf(':') : spaced;
      const written = text.slice(0, Math.max(0, colon)).trim();
      const said = text.slice(colon + 1).replace(/#.*/, '');
      if (written === '' || said.trim() === '') {
        fault(1, `"${raw.trim()}", expected "word: PHONES" or "word: sounds like OTHER WORDS"`);
        return;
      }
      const word = ownForm(written.replace(/^"(.+)"$/, '$1'));
      if (/\s/.test(word)) {
        const column = text.search(/\S/) + 1;
        fault(column, `"${written}" is no single word, expected one without spaces`);
        return;
      }
      const phones = pronunciation(partsOf(said, colon + 2), lexicon, fault);
      if (phones === null) return;
      words.set(word, [...(words.get(word) ?? []), phones]);
    });
  if (words.size > wordsMax) faults.push(`${where}: ${words.size} words, at most ${wordsMax}`);
  if (faults.length > 0) {
    const rest = faults.length > 50 ? `\n... and ${faults.length - 50} more` : '';
    throw new KikitoriError(faults.slice(0, 50).join('\n') + rest, { kind: 'grammar' });
  }
  return words;
}

function partsOf(text: string, firstColumn: number): Part[] {
  return [...text.matchAll(/\S+/g)].map((m) => ({ text: m[0], column: firstColumn + m.index }));
}

function pronunciation(
  parts: readonly Part[],
  lexicon: Lexicon,
  fault: (column: number, what: string) => void,
): number[] | null {
  const like = parts[0]?.text.toLowerCase() === 'sounds' && parts[1]?.text.toLowerCase() === 'like';
  const phones: number[] = [];
  let faulty = false;
  for (const { text, column } of like ? parts.slice(2) : parts) {
    if (like) {
      const found = lexicon.lookup(text.toLowerCase())[0]?.phones;
      if (found === undefined) {
        fault(column, `"${text}" has no pronunciation that could be taken over`);
        faulty = true;
      } else phones.push(...found);
      continue;
    }
    const unit = lexicon.units.indexOf(text.toUpperCase().replace(/[012]$/, ''));
    if (unit <= 0) {
      fault(
        column,
        `"${text}" is no phone, expected some of ${lexicon.units.slice(1).join(' ')}; or write "sounds like ..."`,
      );
      faulty = true;
    } else phones.push(unit);
  }
  if (!faulty && phones.length === 0) {
    fault(parts[0]?.column ?? 1, 'nothing follows "sounds like"');
    return null;
  }
  return faulty ? null : phones;
}
