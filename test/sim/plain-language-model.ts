import type { ListedModel } from '../../src/language/model.js';

/** n-grams and their back-off weights as an ARPA file has them, in natural logarithms; words apart by a space. */
export interface PlainNgrams {
  readonly order: number;
  readonly words: readonly string[];
  readonly ln: ReadonlyMap<string, number>;
  readonly backOff: ReadonlyMap<string, number>;
}

/** The slow, obvious n-gram model: maps from words to numbers. */
export class PlainLanguageModel implements ListedModel {
  readonly order: number;
  readonly end: number;
  readonly unknown: number;
  readonly begin: number;
  readonly empty = 0;
  private readonly contexts = new Map<string, number>([['', 0]]);
  private readonly texts: string[] = [''];

  constructor(private readonly ngrams: PlainNgrams) {
    this.order = ngrams.order;
    this.end = ngrams.words.indexOf('</s>');
    this.unknown = ngrams.words.indexOf('<unk>');
    this.begin = this.held('<s>');
  }

  get size(): number {
    return this.ngrams.words.length;
  }

  wordAt(word: number): string {
    return this.ngrams.words[word] ?? '';
  }

  numberOf(text: string): number | undefined {
    const at = this.ngrams.words.indexOf(text);
    return at < 0 ? undefined : at;
  }

  lnProbability(context: number, word: number): number {
    return this.ln(this.texts[context] ?? '', this.wordAt(word));
  }

  advance(context: number, word: number): number {
    return this.held(`${this.texts[context] ?? ''} ${this.wordAt(word)}`.trim());
  }

  lastWord(context: number): number {
    return this.ngrams.words.indexOf((this.texts[context] ?? '').split(' ').at(-1) ?? '');
  }

  followers(word: number, take: (second: number, ln: number) => void): void {
    this.ngrams.words.forEach((second, i) => {
      const ln = this.ngrams.ln.get(`${this.wordAt(word)} ${second}`);
      if (ln !== undefined) take(i, ln);
    });
  }

  lnBackOffOfWord(word: number): number {
    return this.ngrams.backOff.get(this.wordAt(word)) ?? 0;
  }

  private ln(context: string, word: string): number {
    const found = this.ngrams.ln.get(`${context} ${word}`.trim());
    if (found !== undefined) return found;
    if (context === '') return -20;
    return (this.ngrams.backOff.get(context) ?? 0) + this.ln(shorter(context), word);
  }

  /** Number of the longest context that n-grams begin with. */
  private held(text: string): number {
    let context = text
      .split(' ')
      .slice(-(this.order - 1))
      .join(' ');
    if (this.order === 1) context = '';
    while (context !== '' && !this.ngrams.backOff.has(context)) context = shorter(context);
    const known = this.contexts.get(context);
    if (known !== undefined) return known;
    this.texts.push(context);
    this.contexts.set(context, this.texts.length - 1);
    return this.texts.length - 1;
  }
}

const shorter = (context: string) => context.split(' ').slice(1).join(' ');

/** A random model of these words: some n-grams of each order, some back-off weights. */
export function randomNgrams(
  random: () => number,
  words: readonly string[],
  { order = 3, ends = true } = {},
): PlainNgrams {
  const all = ['<unk>', '<s>', ...(ends ? ['</s>'] : []), ...words];
  const ln = new Map<string, number>();
  const backOff = new Map<string, number>();
  for (const word of all) ln.set(word, -0.5 - 4 * random());
  let contexts = all.filter((w) => w !== '</s>' && w !== '<unk>');
  for (let n = 2; n <= order; n++) {
    const next: string[] = [];
    for (const context of contexts) {
      if (random() < 0.4) continue;
      backOff.set(context, -2 * random());
      for (const word of all)
        if (word !== '<s>' && random() < 0.3) {
          ln.set(`${context} ${word}`, -3 * random());
          if (word !== '</s>') next.push(`${context} ${word}`);
        }
    }
    contexts = next;
  }
  return { order, words: all, ln, backOff };
}
