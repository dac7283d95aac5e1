import type { ListedModel } from './model.js';

/**
 * What a back-off model of at most three words answers, wherever its numbers lie. Contexts: 0 has no word, 1 + w is word
 * w, 1 + size + i is pair i. A context is one that some longer n-gram begins with: of others nothing depends, so a search
 * may join the tokens that differ only in them.
 */
export abstract class BackOffModel implements ListedModel {
  abstract readonly order: number;
  abstract readonly size: number;
  abstract readonly end: number;
  abstract readonly unknown: number;
  abstract readonly begin: number;
  readonly empty = 0;

  abstract wordAt(word: number): string;
  abstract numberOf(text: string): number | undefined;

  protected abstract lnOfWord(word: number): number;
  abstract lnBackOffOfWord(word: number): number;
  /** Does a pair begin with it? */
  protected abstract isContextWord(word: number): boolean;
  /** Numbers of the first pair of a word and of the one behind its last. */
  abstract pairsOf(word: number): readonly [number, number];
  /** Number of the pair, or -1. */
  protected abstract pairOf(first: number, second: number): number;
  protected abstract secondOf(pair: number): number;
  protected abstract lnOfPair(pair: number): number;
  protected abstract lnBackOffOfPair(pair: number): number;
  protected abstract isContextPair(pair: number): boolean;
  /** Number of the triple, or -1. */
  protected abstract tripleOf(pair: number, third: number): number;
  protected abstract lnOfTriple(triple: number): number;

  lnProbability(context: number, word: number): number {
    let ln = 0;
    let last = context - 1;
    if (last >= this.size) {
      const pair = last - this.size;
      const triple = this.tripleOf(pair, word);
      if (triple >= 0) return this.lnOfTriple(triple);
      ln = this.lnBackOffOfPair(pair);
      last = this.secondOf(pair);
    }
    if (last >= 0) {
      const pair = this.pairOf(last, word);
      if (pair >= 0) return ln + this.lnOfPair(pair);
      ln += this.lnBackOffOfWord(last);
    }
    return ln + this.lnOfWord(word);
  }

  advance(context: number, word: number): number {
    if (this.order > 2 && context > 0) {
      const last = context - 1;
      const pair = this.pairOf(last < this.size ? last : this.secondOf(last - this.size), word);
      if (pair >= 0 && this.isContextPair(pair)) return 1 + this.size + pair;
    }
    return this.order > 1 && this.isContextWord(word) ? 1 + word : this.empty;
  }

  lastWord(context: number): number {
    const last = context - 1;
    return last < this.size ? last : this.secondOf(last - this.size);
  }

  followers(word: number, take: (second: number, ln: number) => void): void {
    const [from, to] = this.pairsOf(word);
    for (let pair = from; pair < to; pair++) take(this.secondOf(pair), this.lnOfPair(pair));
  }
}
