import type { LanguageModel } from './model.js';

export interface Perplexity {
  readonly sentences: number;
  readonly words: number;
  /** Words that the model does not know. They are left out of the perplexity, as other programs do. */
  readonly unknown: number;
  /** ln of the probability of all known words and the ends of the sentences. */
  readonly ln: number;
  /** exp(-ln / (known words + sentences)). */
  readonly perplexity: number;
}

/** How well a model foretells a text, sentence by sentence. */
export class PerplexityMeter {
  private sentences = 0;
  private words = 0;
  private unknown = 0;
  private ln = 0;

  constructor(
    private readonly model: LanguageModel,
    private readonly each: (ln: number) => void = () => undefined,
  ) {}

  add(sentence: readonly string[]): void {
    if (sentence.length === 0) return;
    const { model } = this;
    let context = model.begin;
    for (const text of sentence) {
      const word = model.numberOf(text);
      if (word === undefined || word === model.unknown) this.unknown += 1;
      else this.count(model.lnProbability(context, word));
      context = model.advance(context, word ?? model.unknown);
    }
    this.count(model.lnProbability(context, model.end));
    this.sentences += 1;
    this.words += sentence.length;
  }

  get result(): Perplexity {
    const { sentences, words, unknown, ln } = this;
    const events = words - unknown + sentences;
    return { sentences, words, unknown, ln, perplexity: Math.exp(-ln / events) };
  }

  private count(ln: number): void {
    this.ln += ln;
    this.each(ln);
  }
}
