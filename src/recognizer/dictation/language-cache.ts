import type { LanguageModel } from '../../language/model.js';

/** Answers of the language model that are kept: 1.3 MB. */
const slots = 65_536;

/** The language model's answers, kept where the same is asked frame after frame. Each slot holds the last answer of its questions. */
export class LanguageCache {
  private readonly context = new Int32Array(slots).fill(-1);
  private readonly word = new Int32Array(slots).fill(-1);
  /** ln P, and the context after the word, by slot. */
  readonly lnProbability = new Float64Array(slots);
  private readonly next = new Int32Array(slots).fill(-1);

  constructor(private readonly model: LanguageModel) {}

  /** The slot that holds the answer. It holds until the next question. */
  ask(context: number, word: number): number {
    let h = Math.imul(context, 0x9e3779b1) ^ Math.imul(word, 0x85ebca6b);
    h ^= h >>> 15;
    const slot = h & (slots - 1);
    if (this.context[slot] !== context || this.word[slot] !== word) {
      this.context[slot] = context;
      this.word[slot] = word;
      this.lnProbability[slot] = this.model.lnProbability(context, word);
      this.next[slot] = -1;
    }
    return slot;
  }

  /** Context after the word of this slot. Asked only of words that are said, which are few. */
  contextAfter(slot: number): number {
    let after = this.next[slot] ?? -1;
    if (after < 0) {
      after = this.model.advance(this.context[slot] ?? 0, this.word[slot] ?? 0);
      this.next[slot] = after;
    }
    return after;
  }
}
