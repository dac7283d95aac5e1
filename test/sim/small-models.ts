import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arpaLines } from '../../src/language/build/arpa.js';
import { Counter, type CountOptions } from '../../src/language/build/count.js';
import type { Grams } from '../../src/language/build/grams.js';
import { kneserNey, type Discounts } from '../../src/language/build/kneser-ney.js';
import type { LanguageModel } from '../../src/language/model.js';

/** Counted and smoothed: what `lm build` does with sentences. */
export function smoothed(
  text: readonly string[][],
  options: Partial<CountOptions> = {},
  given: readonly Discounts[] = [],
) {
  const folder = mkdtempSync(join(tmpdir(), 'kikitori-lm-'));
  const counter = new Counter(folder, { order: 3, vocabulary: 1000, ...options });
  try {
    for (const sentence of text) counter.add(sentence);
    return kneserNey(counter.counts(), given);
  } finally {
    counter.close();
    rmSync(folder, { recursive: true });
  }
}

/** Every context of up to two words, by any words of the model. */
export function* contexts(model: LanguageModel): Generator<[string[], number], void, void> {
  yield [[], model.empty];
  for (let a = 0; a < model.size; a += 1) {
    const one = model.wordAt(a) === '<s>' ? model.begin : model.advance(model.empty, a);
    yield [[model.wordAt(a)], one];
    for (let b = 0; b < model.size; b += 1)
      yield [[model.wordAt(a), model.wordAt(b)], model.advance(one, b)];
  }
}

/** How far the words behind a context are from the probability 1 together, at worst. */
export function worstSum(model: LanguageModel): number {
  let worst = 0;
  for (const [, context] of contexts(model)) {
    let sum = 0;
    for (let word = 0; word < model.size; word += 1)
      sum += Math.exp(model.lnProbability(context, word));
    worst = Math.max(worst, Math.abs(sum - 1));
  }
  return worst;
}

/** Largest difference of ln P over every context and word. */
export function difference(model: LanguageModel, other: LanguageModel): number {
  let worst = 0;
  const number = (text: string) => other.numberOf(text) ?? NaN;
  for (const [history, context] of contexts(model)) {
    const begins = history[0] === '<s>';
    const inOther = history.reduce(
      (at, word, i) => (i === 0 && begins ? other.begin : other.advance(at, number(word))),
      other.empty,
    );
    for (let word = 0; word < model.size; word += 1) {
      const here = model.lnProbability(context, word);
      const there = other.lnProbability(inOther, number(model.wordAt(word)));
      const gap = Math.abs(here - there);
      worst = Number.isNaN(gap) ? NaN : Math.max(worst, gap);
    }
  }
  return worst;
}

export const arpaOf = (grams: Grams) => [...arpaLines(grams)].join('\n');

export async function* each(lines: Iterable<string>) {
  yield* lines;
}
