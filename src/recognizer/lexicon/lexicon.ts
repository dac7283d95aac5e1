import { gunzipSync } from 'node:zlib';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { costUnits, G2p } from './g2p.js';
import { letterNames, otherLetterNames } from './letter-names.js';

export type PronunciationSource = 'user' | 'dictionary' | 'spelled' | 'g2p';

export interface Pronunciation {
  /** Unit ids, 1-based into the manifest's units; never blank. */
  readonly phones: readonly number[];
  readonly source: PronunciationSource;
}

/** More is no lexicon. */
const unpackedBytesMax = 64 * 1024 * 1024;

/** Phone n of a lexicon line is the character with code 64 + n. */
const phoneOffset = 64;
const newline = 10;
const tab = 9;

/** An unknown word's second guess counts when it is at most this much less likely: one nat. */
const secondGuessCost = costUnits;
/** Unknown words up to this length may be abbreviations: they are understood spelled as well. */
const abbreviationLength = 4;

/**
 * Words to pronunciations. The compiled file is gzip of: a line `kikitori-lexicon 1`, a line of JSON
 * {units, words, g2p: bytes of each part}, the dictionary (lines `word TAB phones`, sorted by byte
 * value, variants as further lines) and the letter-to-sound rules. The dictionary stays a buffer and
 * is searched by bisection, so that a daemon does not spend its start on 130,000 map entries; the
 * rules are unpacked when the first unknown word is met. A file without rules knows only its words.
 */
export class Lexicon {
  private rules: G2p | undefined;

  private constructor(
    readonly units: readonly string[],
    private readonly dictionary: Buffer,
    private readonly packedRules: Uint8Array,
    private readonly user: ReadonlyMap<string, readonly (readonly number[])[]>,
  ) {}

  static read(file: Uint8Array, where: string): Lexicon {
    try {
      const bytes = gunzipSync(file, {
        chunkSize: sizeWithin(file),
        maxOutputLength: unpackedBytesMax,
      });
      const firstEnd = bytes.indexOf(newline);
      const secondEnd = bytes.indexOf(newline, firstEnd + 1);
      if (bytes.toString('utf8', 0, firstEnd) !== 'kikitori-lexicon 1')
        throw new Error('unknown format');
      const header = JSON.parse(bytes.toString('utf8', firstEnd + 1, secondEnd)) as {
        units: string[];
        words: number;
        g2p?: number;
      };
      if (!Array.isArray(header.units) || !Number.isInteger(header.words))
        throw new Error('its second line says neither units nor bytes');
      const begin = secondEnd + 1;
      const end = begin + header.words;
      const rulesEnd = end + (header.g2p ?? 0);
      if (!(rulesEnd <= bytes.length)) throw new Error('the file is cut off');
      return new Lexicon(
        header.units,
        bytes.subarray(begin, end),
        bytes.subarray(end, rulesEnd),
        new Map(),
      );
    } catch (error) {
      throw new KikitoriError(`the lexicon cannot be read: ${messageOf(error)}`, {
        kind: 'bundle',
        where,
        cause: error,
      });
    }
  }

  /** The same lexicon with a site's own words, which come first. */
  withUserWords(words: ReadonlyMap<string, readonly (readonly number[])[]>): Lexicon {
    return new Lexicon(this.units, this.dictionary, this.packedRules, words);
  }

  /** The site's own words, lower case. */
  get ownWords(): ReadonlySet<string> {
    return new Set(this.user.keys());
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
    return this.guessed(word);
  }

  /** Every pronunciation of the dictionary, word after word. */
  *pronunciations(): Generator<number[]> {
    const d = this.dictionary;
    for (let at = 0; at < d.length;) {
      const end = d.indexOf(newline, at);
      const stop = end < 0 ? d.length : end;
      const from = d.indexOf(tab, at) + 1;
      if (from > at && from < stop)
        yield [...d.subarray(from, stop)].map((code) => code - phoneOffset);
      at = stop + 1;
    }
  }

  /** Said letter by letter ("plc"), whatever else the word may be. Empty unless all are letters. */
  spell(word: string): Pronunciation[] {
    if (!/^[a-z]+$/.test(word)) return [];
    const named = (names: Readonly<Record<string, string>>) =>
      [...word].flatMap((l) => this.phonesNamed(names[l] ?? letterNames[l] ?? ''));
    const ways = [named(letterNames)];
    if ([...word].some((l) => l in otherLetterNames)) ways.push(named(otherLetterNames));
    return ways
      .filter((phones) => phones.every((p) => p > 0))
      .map((phones) => ({ phones, source: 'spelled' }));
  }

  private phonesNamed(names: string): number[] {
    return names.split(' ').map((name) => this.units.indexOf(name));
  }

  /** A word that is in no list: without vowels it is spelled, else the rules say how it may sound. */
  private guessed(word: string): Pronunciation[] {
    if (!/[a-z]/.test(word)) return [];
    const short = word.length <= abbreviationLength ? this.spell(word) : [];
    if (/^[bcdfghjklmnpqrstvwxz]{1,5}$/.test(word)) return this.spell(word);
    if (this.packedRules.length === 0) return short;
    this.rules ??= G2p.parse(this.packedRules);
    const [first, second] = this.rules.guesses(word, 2);
    const near =
      first !== undefined && second !== undefined && second.cost - first.cost <= secondGuessCost;
    const guesses = [first, ...(near ? [second] : [])].flatMap((g) =>
      g === undefined ? [] : [{ phones: g.phones, source: 'g2p' as const }],
    );
    const spelled = new Set(short.map((p) => p.phones.join()));
    return [...guesses.filter((g) => !spelled.has(g.phones.join())), ...short];
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

/**
 * What a gzip file says of its own unpacked size in its last four bytes (RFC 1952), and one more, so that
 * all of it goes into one piece of memory. In Node's pieces of 16 KB it leaves the allocator full
 * of holes: 5 MB more at each change of the model, at first.
 */
function sizeWithin(file: Uint8Array): number {
  const end = file.length;
  const size = end < 4 ? 0 : Buffer.from(file.buffer, file.byteOffset, end).readUInt32LE(end - 4);
  return Math.min(Math.max(size + 1, 64 * 1024), unpackedBytesMax);
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
