import type { LanguageModel } from '../model.js';
import { ArpaLines } from './arpa-lines.js';

interface Entry {
  readonly ln: number;
  readonly lnBackOff: number;
}

/** What ARPA files write for a probability of 0. */
export const log10Never = -99;

/**
 * An ARPA model as its definition says, in maps: slow and obvious. Tests hold everything faster against it.
 *
 * P(w | h) is the written probability where "h w" is written; else back-off(h) * P(w | h without its first word).
 */
export class ReferenceModel implements LanguageModel {
  readonly order: number;
  readonly end: number;
  readonly unknown: number;
  readonly begin: number;
  readonly empty = 0;
  private readonly words: string[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly grams = new Map<string, Entry>();
  /** Words of each context; a context's number is its place. */
  private readonly contexts: string[][] = [[]];
  private readonly contextNumbers = new Map<string, number>();

  constructor(arpa: string, where = 'ARPA') {
    let order = 0;
    const extended = new Set<string>();
    const reader = new ArpaLines(where, {
      counts: (counts) => {
        order = counts.length;
      },
      gram: ({ words, log10Probability, log10BackOff, line }) => {
        const key = words.join(' ');
        if (this.grams.has(key)) reader.fault(`${JSON.stringify(key)} stands twice`, line);
        if (words.length === 1) this.name(key);
        const unheard = words.find((word) => !this.numbers.has(word));
        if (unheard !== undefined)
          reader.fault(`${JSON.stringify(unheard)} is not among the 1-grams`, line);
        this.grams.set(key, {
          ln: log10Probability * Math.LN10,
          lnBackOff: (log10BackOff ?? 0) * Math.LN10,
        });
        extended.add(words.slice(0, -1).join(' '));
      },
    });
    for (const line of arpa.split(/\r?\n/)) reader.take(line);
    reader.end();
    this.order = order;
    const special = ['<s>', '</s>', '<unk>'].map((word) => {
      if (!this.grams.has(word)) this.grams.set(word, { ln: log10Never * Math.LN10, lnBackOff: 0 });
      return this.name(word);
    });
    this.end = special[1] ?? 0;
    this.unknown = special[2] ?? 0;
    for (const [key, { lnBackOff }] of this.grams) {
      if (!extended.has(key) && lnBackOff === 0) continue;
      this.contextNumbers.set(key, this.contexts.length);
      this.contexts.push(key.split(' '));
    }
    this.begin = this.contextNumbers.get('<s>') ?? this.empty;
  }

  get size(): number {
    return this.words.length;
  }

  wordAt(word: number): string {
    const text = this.words[word];
    if (text === undefined) throw new RangeError(`word ${word} of ${this.size}`);
    return text;
  }

  numberOf(text: string): number | undefined {
    return this.numbers.get(text);
  }

  lnProbability(context: number, word: number): number {
    const history = this.wordsOf(context);
    const last = this.wordAt(word);
    let ln = 0;
    for (;;) {
      const entry = this.grams.get([...history, last].join(' '));
      if (entry !== undefined) return ln + entry.ln;
      ln += this.grams.get(history.join(' '))?.lnBackOff ?? 0;
      history.shift();
    }
  }

  advance(context: number, word: number): number {
    const history = [...this.wordsOf(context), this.wordAt(word)];
    while (history.length >= this.order) history.shift();
    while (history.length > 0) {
      const number = this.contextNumbers.get(history.join(' '));
      if (number !== undefined) return number;
      history.shift();
    }
    return this.empty;
  }

  private wordsOf(context: number): string[] {
    const words = this.contexts[context];
    if (words === undefined) throw new RangeError(`context ${context} of ${this.contexts.length}`);
    return [...words];
  }

  private name(word: string): number {
    const known = this.numbers.get(word);
    if (known !== undefined) return known;
    this.numbers.set(word, this.words.length);
    this.words.push(word);
    return this.words.length - 1;
  }
}
