import { gunzipSync } from 'node:zlib';
import { KikitoriError } from '../../runtime/errors.js';
import { G2p } from './g2p.js';

export type PronunciationSource = 'user' | 'dictionary' | 'spelled' | 'g2p';

export interface Pronunciation {
  /** Unit ids, 1-based into the manifest's units; never blank. */
  readonly phones: readonly number[];
  readonly source: PronunciationSource;
}

/** Phone n of a lexicon line is the character with code 64 + n. */
const phoneOffset = 64;
const newline = 10;
const tab = 9;

/**
 * Words to pronunciations. The compiled file is gzip of: a line `kikitori-lexicon 1`, a line of JSON
 * {units, words: bytes of the dictionary}, the dictionary (lines `word TAB phones`, sorted by byte
 * value, variants as further lines) and the letter-to-sound model. The dictionary stays a buffer and
 * is searched by bisection, so that a daemon does not spend its start on 130,000 map entries.
 */
export class Lexicon {
  private constructor(
    readonly units: readonly string[],
    private readonly dictionary: Buffer,
    private readonly g2p: G2p,
    private readonly user: ReadonlyMap<string, readonly (readonly number[])[]>,
  ) {}

  static read(file: Uint8Array, where: string): Lexicon {
    try {
      const bytes = gunzipSync(file, { maxOutputLength: 64 * 1024 * 1024 });
      const firstEnd = bytes.indexOf(newline);
      const secondEnd = bytes.indexOf(newline, firstEnd + 1);
      if (bytes.toString('utf8', 0, firstEnd) !== 'kikitori-lexicon 1')
        throw new Error('unknown format');
      const header = JSON.parse(bytes.toString('utf8', firstEnd + 1, secondEnd)) as {
        units: string[];
        words: number;
      };
      const begin = secondEnd + 1;
      const dictionary = bytes.subarray(begin, begin + header.words);
      const g2p = G2p.parse(bytes.toString('utf8', begin + header.words));
      return new Lexicon(header.units, dictionary, g2p, new Map());
    } catch (error) {
      throw new KikitoriError('the lexicon cannot be read', {
        kind: 'bundle',
        where,
        cause: error,
      });
    }
  }

  /** The same lexicon with a site's own words, which come first. */
  withUserWords(words: ReadonlyMap<string, readonly (readonly number[])[]>): Lexicon {
    return new Lexicon(this.units, this.dictionary, this.g2p, words);
  }

  /** All pronunciations of one lower-case word, best source first. Empty only for a word without letters. */
  lookup(word: string): Pronunciation[] {
    const own = this.user.get(word);
    if (own !== undefined) return own.map((phones) => ({ phones, source: 'user' }));
    const known = this.find(word);
    if (known.length > 0) return known.map((phones) => ({ phones, source: 'dictionary' }));
    const possessive = /^(.+)'s?$/.exec(word)?.[1];
    if (possessive !== undefined) {
      return this.lookup(possessive).map((p) => ({ ...p, phones: this.withSuffixS(p.phones) }));
    }
    if (/^[bcdfghjklmnpqrstvwxz]{2,5}$/.test(word)) return this.spelled(word);
    const phones = this.g2p.pronounce(word);
    return phones.length === 0 ? [] : [{ phones, source: 'g2p' }];
  }

  /** A word without vowels is said letter by letter: "plc". */
  private spelled(word: string): Pronunciation[] {
    const letters = [...word].map((letter) => this.find(letter)[0] ?? []);
    return [{ phones: letters.flat(), source: 'spelled' }];
  }

  private withSuffixS(phones: readonly number[]): number[] {
    const last = this.units[phones.at(-1) ?? 0] ?? '';
    const id = (name: string) => this.units.indexOf(name);
    if (['S', 'Z', 'SH', 'ZH', 'CH', 'JH'].includes(last)) return [...phones, id('IH'), id('Z')];
    return [...phones, ['P', 'T', 'K', 'F', 'TH'].includes(last) ? id('S') : id('Z')];
  }

  /** Bisection over lines; gathers the neighbours that are the same word. */
  private find(word: string): number[][] {
    const d = this.dictionary;
    const wanted = Buffer.from(`${word}\t`);
    let low = 0;
    let high = d.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const start = d.lastIndexOf(newline, middle - 1) + 1;
      const lineStart = middle === 0 ? 0 : start;
      if (compareAt(d, lineStart, wanted) < 0) {
        const end = d.indexOf(newline, middle);
        low = end < 0 ? d.length : end + 1;
      } else high = lineStart;
    }
    const found: number[][] = [];
    for (let at = low; at < d.length && compareAt(d, at, wanted) === 0;) {
      const end = d.indexOf(newline, at);
      const stop = end < 0 ? d.length : end;
      found.push([...d.subarray(at + wanted.length, stop)].map((code) => code - phoneOffset));
      at = stop + 1;
    }
    return found;
  }
}

/** Order of the line at `at` against `wanted` (a word and its tab); 0 when it begins with it. */
function compareAt(d: Buffer, at: number, wanted: Buffer): number {
  for (let i = 0; i < wanted.length; i++) {
    const a = at + i < d.length ? (d[at + i] ?? tab) : tab;
    const b = wanted[i] ?? tab;
    if (a !== b) return a - b;
  }
  return 0;
}

export { phoneOffset };
