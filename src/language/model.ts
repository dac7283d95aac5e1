/** An n-gram model as a search meets it. Words and contexts are numbers, so that a token holds one of each. */
export interface LanguageModel {
  /** Longest n-gram: 3 of a trigram model. */
  readonly order: number;
  /** Count of words, with `<s>`, `</s>` and `<unk>`. A word's number is below it. */
  readonly size: number;
  wordAt(word: number): string;
  /** Undefined: the model does not know it. */
  numberOf(text: string): number | undefined;
  readonly end: number;
  readonly unknown: number;
  /** Context of a sentence's first word: `<s>`. */
  readonly begin: number;
  /** Context without any word: of one that follows nothing known. */
  readonly empty: number;
  /** ln P(word | context), back-off included. Never NaN; the unknown word has a probability too. */
  lnProbability(context: number, word: number): number;
  /** Longest context that the model holds of the words of `context` and then `word`, at most order - 1 words. */
  advance(context: number, word: number): number;
}

/** One that tells what it holds of a word, so that a search can look at all that may follow at once. */
export interface ListedModel extends LanguageModel {
  /** Last word of a context; -1: it has none. */
  lastWord(context: number): number;
  /** Each pair that the model holds after a word: its second word and ln P. */
  followers(word: number, take: (second: number, ln: number) => void): void;
  /** ln that a word's back-off adds to all others. */
  lnBackOffOfWord(word: number): number;
}
