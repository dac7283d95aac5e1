import type { Lexicon, Pronunciation } from './lexicon.js';

type Phones = readonly (readonly number[])[];

/** Words of a language model and a list of own terms; more are none of ours. */
const wordsMax = 200_000;
const waysMax = 8;
const phonesMax = 255;
const firstLine = 'kikitori-guesses 1';

/**
 * How words sound that only rules can say: seconds for a large vocabulary, at each start. So what was guessed is kept, and told for
 * the next start. It holds for one lexicon's file.
 */
export class Guesses {
  /** All that were asked for since the start. */
  private readonly asked = new Map<string, Phones>();
  /** How many of them were not known before. */
  fresh = 0;

  constructor(
    private readonly lexicon: Lexicon,
    private readonly known: ReadonlyMap<string, Phones> = new Map(),
  ) {}

  /** As the lexicon says it. */
  lookup(word: string): readonly Pick<Pronunciation, 'phones'>[] {
    const kept = this.known.get(word);
    // The site's own words come first, and may have changed.
    if (kept !== undefined && !this.isOwn(word)) {
      this.asked.set(word, kept);
      return kept.map((phones) => ({ phones }));
    }
    const ways = this.lexicon.lookup(word);
    if (ways.some(({ source }) => source === 'g2p')) {
      this.asked.set(
        word,
        ways.map(({ phones }) => phones),
      );
      this.fresh++;
    }
    return ways;
  }

  private isOwn(word: string): boolean {
    const { ownWords } = this.lexicon;
    if (ownWords.size === 0) return false;
    // "Plc's" is said as "plc" is.
    for (let base = word; ; base = base.replace(/'s?$/, '')) {
      if (ownWords.has(base)) return true;
      if (!/'s?$/.test(base)) return false;
    }
  }

  /** Nothing was guessed that was not known, and nothing is known that was not asked for. */
  get unchanged(): boolean {
    return this.fresh === 0 && this.asked.size === this.known.size;
  }

  /** What was asked for, as `parseGuesses` reads it. */
  toString(): string {
    const lines = [...this.asked].map(
      ([word, ways]) => `${word} ${ways.map((phones) => phones.join(',')).join(';')}`,
    );
    return [`${firstLine} ${lines.length}`, ...lines, 'end', ''].join('\n');
  }
}

/** Undefined for what is no such list, is cut off, or has units that a network of so many has not: it is made again. */
export function parseGuesses(text: string, units: number): Map<string, Phones> | undefined {
  const lines = text.split('\n');
  const count = Number(/ (\d{1,6})$/.exec(lines[0] ?? '')?.[1] ?? NaN);
  if (lines[0] !== `${firstLine} ${count}` || count > wordsMax) return undefined;
  if (lines.length !== count + 3 || lines.at(-2) !== 'end') return undefined;
  const known = new Map<string, Phones>();
  for (const line of lines.slice(1, -2)) {
    const [, word, said] = /^([a-z'.-]+) ([\d,;]+)$/.exec(line) ?? [];
    if (word === undefined || said === undefined) return undefined;
    const ways = said.split(';').map((phones) => phones.split(',').map(Number));
    const fits = (phones: readonly number[]) =>
      phones.length <= phonesMax && phones.every((p) => p >= 1 && p < units);
    if (ways.length > waysMax || !ways.every(fits)) return undefined;
    known.set(word, ways);
  }
  return known.size === count ? known : undefined;
}
