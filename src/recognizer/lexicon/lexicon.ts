import { createHash } from 'node:crypto';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { isContainer, readContainer, unpack, type PackedPart } from './container.js';
import { PackedDictionary, type Dictionary } from './dictionary.js';
import { G2p } from './g2p.js';
import { letterNames, otherLetterNames } from './letter-names.js';
import { decodeOldRules, isOldLexicon, readOldLexicon } from './old-format.js';

export type PronunciationSource = 'user' | 'dictionary' | 'spelled' | 'g2p';

export interface Pronunciation {
  /** Unit ids, 1-based into the manifest's units; never blank. */
  readonly phones: readonly number[];
  readonly source: PronunciationSource;
  /** The rules of connected speech by which it came from one of the lexicon's; see connected-speech.ts. */
  readonly form?: string;
}

/** An unknown word's second guess counts when it is at most this much less likely: one nat. */
const secondGuessNats = 1;
/** Unknown words up to this length may be abbreviations: they are understood spelled as well. */
const abbreviationLength = 4;

/** The parts of a lexicon file. */
export const partNames = { dictionary: 'dictionary', rules: 'rules' } as const;

/** Letter-to-sound rules, unpacked when the first unknown word is met: most daemons never do. */
type LazyRules = () => G2p | undefined;

/**
 * Words to pronunciations. The dictionary stays packed in blocks and only the block that holds a word is
 * read, so that a daemon does not spend its start on 130,000 map entries. A file without rules knows only
 * its words. Throws a KikitoriError for a file that is cut off, damaged, or of an unknown format.
 */
export class Lexicon {
  /** The site's own words, lower case. */
  readonly ownWords: ReadonlySet<string>;

  private constructor(
    readonly units: readonly string[],
    private readonly dictionary: Dictionary,
    private readonly rules: LazyRules,
    private readonly user: ReadonlyMap<string, readonly (readonly number[])[]>,
    /** Of the file that it was read from. */
    readonly sha256: string,
  ) {
    this.ownWords = new Set(user.keys());
  }

  static read(file: Uint8Array, where: string): Lexicon {
    const sha256 = createHash('sha256').update(file).digest('hex');
    return explained(where, () => {
      if (isOldLexicon(file)) {
        const { units, dictionary, rules } = readOldLexicon(file);
        const read = () =>
          rules.length === 0 ? undefined : new G2p(decodeOldRules(rules, units.length));
        return new Lexicon(units, dictionary, lazy(where, read), new Map(), sha256);
      }
      if (!isContainer(file)) {
        const first = Buffer.from(file.subarray(0, 64)).toString('latin1').split('\n')[0] ?? '';
        const newer = /^kikitori-lexicon (\d+)$/.exec(first)?.[1];
        if (newer === undefined) throw new Error('it is no lexicon of kikitori');
        throw new Error(`it has format ${newer}; this version reads 1 and 2`);
      }
      const { units, parts } = readContainer(file);
      const words = parts.get(partNames.dictionary);
      const rules = copyOf(parts.get(partNames.rules));
      if (words === undefined) throw new Error('it has no dictionary');
      const read = () => (rules === undefined ? undefined : G2p.parse(unpack(rules), units.length));
      const dictionary = PackedDictionary.parse(unpack(words), units.length);
      return new Lexicon(units, dictionary, lazy(where, read), new Map(), sha256);
    });
  }

  /** The same lexicon with a site's own words, which come first. */
  withUserWords(words: ReadonlyMap<string, readonly (readonly number[])[]>): Lexicon {
    return new Lexicon(this.units, this.dictionary, this.rules, words, this.sha256);
  }

  /** All pronunciations of one lower-case word, best source first. Empty only for a word without letters. */
  lookup(word: string): Pronunciation[] {
    const own = this.user.get(word);
    if (own !== undefined) return own.map((phones) => ({ phones, source: 'user' }));
    const known = this.dictionary.find(word);
    if (known.length > 0) return known.map((phones) => ({ phones, source: 'dictionary' }));
    const possessive = /^(.+)'s?$/.exec(word)?.[1];
    if (possessive !== undefined) {
      return this.lookup(possessive).map((p) => ({ ...p, phones: this.withSuffixS(p.phones) }));
    }
    return this.guessed(word);
  }

  /** Every pronunciation of the dictionary, word after word. */
  pronunciations(): Iterable<number[]> {
    return this.dictionary.all();
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
    const rules = this.rules();
    if (rules === undefined) return short;
    const [first, second] = rules.guesses(word, 2);
    const near =
      first !== undefined &&
      second !== undefined &&
      second.cost - first.cost <= secondGuessNats * rules.costUnits;
    const guesses = [first, ...(near ? [second] : [])].flatMap((g) =>
      g === undefined ? [] : [{ phones: g.phones, source: 'g2p' as const }],
    );
    const spelled = new Set(short.map((p) => p.phones.join()));
    return [...guesses.filter((g) => !spelled.has(g.phones.join())), ...short];
  }

  private withSuffixS(phones: readonly number[]): number[] {
    const last = this.units[phones.at(-1) ?? 0] ?? '';
    const id = (name: string) => this.units.indexOf(name);
    const more = ['S', 'Z', 'SH', 'ZH', 'CH', 'JH'].includes(last)
      ? [id('IH'), id('Z')]
      : [['P', 'T', 'K', 'F', 'TH'].includes(last) ? id('S') : id('Z')];
    return [...phones, ...more.filter((phone) => phone > 0)];
  }
}

/** Kept until it is needed; a view would keep the whole file. */
function copyOf(part: PackedPart | undefined): PackedPart | undefined {
  return part === undefined ? undefined : { ...part, bytes: Uint8Array.from(part.bytes) };
}

function lazy(where: string, read: () => G2p | undefined): LazyRules {
  let rules: { readonly g2p: G2p | undefined } | undefined;
  return () => (rules ??= { g2p: explained(where, read) }).g2p;
}

function explained<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new KikitoriError(`the lexicon cannot be read: ${messageOf(error)}`, {
      kind: 'bundle',
      where,
      cause: error,
    });
  }
}
