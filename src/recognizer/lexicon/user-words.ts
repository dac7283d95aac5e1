import { KikitoriError } from '../../runtime/errors.js';
import type { Lexicon } from './lexicon.js';

/**
 * A site's own words, one line each: `word: K AA N V EY ER` in ARPAbet (stress digits are ignored), or
 * `word: sounds like conveyor belt`. Several lines for one word are variants. `#` begins a comment.
 */
export function parseUserWords(
  source: string,
  where: string,
  lexicon: Lexicon,
): Map<string, number[][]> {
  const words = new Map<string, number[][]>();
  const faults: string[] = [];
  source.split(/\r?\n/).forEach((raw, index) => {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') return;
    const fault = (column: number, what: string) =>
      faults.push(`${where}:${index + 1}:${column}: ${what}`);
    const at = line.indexOf(':');
    const word = line.slice(0, at).trim().toLowerCase();
    const said = line.slice(at + 1).trim();
    if (at < 0 || !/^[a-z0-9'-]+$/.test(word) || said === '') {
      fault(1, `"${line}", expected "word: PHONES" or "word: sounds like OTHER WORDS"`);
      return;
    }
    const like = /^sounds like\s+(.+)$/i.exec(said)?.[1];
    const phones =
      like === undefined
        ? said.split(/\s+/).map((p) => lexicon.units.indexOf(p.toUpperCase().replace(/\d$/, '')))
        : like
            .toLowerCase()
            .split(/\s+/)
            .flatMap((w) => lexicon.lookup(w)[0]?.phones ?? [-1]);
    if (phones.some((p) => p <= 0)) {
      const bad = said.split(/\s+/)[phones.findIndex((p) => p <= 0)] ?? said;
      fault(
        raw.indexOf(bad) + 1,
        `"${bad}" is no phone, expected ${lexicon.units.slice(1).join(' ')}`,
      );
      return;
    }
    words.set(word, [...(words.get(word) ?? []), phones]);
  });
  if (faults.length > 0) throw new KikitoriError(faults.join('\n'), { kind: 'grammar' });
  return words;
}
