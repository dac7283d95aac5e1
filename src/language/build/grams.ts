import { BackOffModel } from '../back-off.js';

/**
 * An n-gram model of at most three words in the making: words in the order of their bytes, the pairs of each word and the
 * triples of each pair in the order of their last words. Exact where the file is rounded.
 */
export interface Grams {
  readonly order: number;
  readonly words: readonly string[];
  readonly wordLn: Float32Array;
  readonly wordBackOff: Float32Array;
  /** First pair of each word, and one number more. */
  readonly wordPairs: Uint32Array;
  readonly pairWord: Uint32Array;
  readonly pairLn: Float32Array;
  readonly pairBackOff: Float32Array;
  /** First triple of each pair, and one number more. */
  readonly pairTriples: Uint32Array;
  readonly tripleWord: Uint32Array;
  readonly tripleLn: Float32Array;
  /** How often each word and pair stood in the text, where that is known: pruning asks. */
  readonly occurrences?: { readonly word: Float64Array; readonly pair: Uint32Array };
}

export const specialWords = ['<s>', '</s>', '<unk>'] as const;

/** ln of what ARPA files write for a probability of 0. */
export const lnNever = -99 * Math.LN10;

/** Words in the order of the file: of their bytes. */
export function sortWords(words: readonly string[]): string[] {
  return words
    .map((word) => Buffer.from(word))
    .sort((a, b) => Buffer.compare(a, b))
    .map((bytes) => bytes.toString('utf8'));
}

/** Place of a value among ascending ones, or -1. */
export function findIn(
  values: Uint32Array | Float64Array,
  value: number,
  from: number,
  to: number,
): number {
  let low = from;
  let high = to - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = values[middle] as number;
    if (found === value) return middle;
    if (found < value) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** The exact model: probabilities before they are rounded. */
export class GramsModel extends BackOffModel {
  readonly order: number;
  readonly size: number;
  readonly end: number;
  readonly unknown: number;
  readonly begin: number;
  private readonly numbers: ReadonlyMap<string, number>;

  constructor(readonly grams: Grams) {
    super();
    this.order = grams.order;
    this.size = grams.words.length;
    this.numbers = new Map(grams.words.map((word, i) => [word, i]));
    const [begin, end, unknown] = specialWords.map((word) => this.numbers.get(word) ?? NaN) as [
      number,
      number,
      number,
    ];
    this.end = end;
    this.unknown = unknown;
    this.begin = this.order > 1 && this.isContextWord(begin) ? 1 + begin : this.empty;
  }

  wordAt(word: number): string {
    const text = this.grams.words[word];
    if (text === undefined) throw new RangeError(`word ${word} of ${this.size}`);
    return text;
  }
  numberOf(text: string): number | undefined {
    return this.numbers.get(text);
  }
  lnOfWord(word: number): number {
    return this.grams.wordLn[word] as number;
  }
  lnBackOffOfWord(word: number): number {
    return this.grams.wordBackOff[word] as number;
  }
  isContextWord(word: number): boolean {
    const { wordBackOff, wordPairs } = this.grams;
    return wordBackOff[word] !== 0 || (wordPairs[word] as number) < (wordPairs[word + 1] as number);
  }
  pairsOf(word: number): readonly [number, number] {
    const { wordPairs } = this.grams;
    return [wordPairs[word] as number, wordPairs[word + 1] as number];
  }
  pairOf(first: number, second: number): number {
    const { pairWord, wordPairs } = this.grams;
    return findIn(pairWord, second, wordPairs[first] as number, wordPairs[first + 1] as number);
  }
  secondOf(pair: number): number {
    return this.grams.pairWord[pair] as number;
  }
  lnOfPair(pair: number): number {
    return this.grams.pairLn[pair] as number;
  }
  lnBackOffOfPair(pair: number): number {
    return this.grams.pairBackOff[pair] as number;
  }
  isContextPair(pair: number): boolean {
    const { pairBackOff, pairTriples } = this.grams;
    return (
      pairBackOff[pair] !== 0 || (pairTriples[pair] as number) < (pairTriples[pair + 1] as number)
    );
  }
  tripleOf(pair: number, third: number): number {
    const { tripleWord, pairTriples } = this.grams;
    return findIn(tripleWord, third, pairTriples[pair] as number, pairTriples[pair + 1] as number);
  }
  lnOfTriple(triple: number): number {
    return this.grams.tripleLn[triple] as number;
  }
}
