import type { LanguageModel } from '../model.js';
import { Gathering } from './gather.js';
import { GramsModel, lnNever, specialWords, type Grams } from './grams.js';
import { normalised } from './normalise.js';

/**
 * One model for several: P(w | h) = sum of weight * P_i(w | h) for each n-gram that any of them lists, back-offs made anew.
 * A word that a model does not know has probability 0 in it.
 */
export function mixed(models: readonly Grams[], weights: readonly number[]): Grams {
  const parts = models.map((grams, i) => ({
    grams,
    model: new GramsModel(grams),
    weight: weights[i] ?? 0,
  }));
  const words = [...new Set(models.flatMap((grams) => [...grams.words]))];
  /** Number of each word of the mixture in each model. */
  const numbers = parts.map(({ model }) => words.map((word) => model.numberOf(word)));
  const index = new Map(words.map((word, i) => [word, i]));
  const order = Math.max(...models.map((grams) => grams.order));
  const probability = (history: readonly number[], word: number): number =>
    parts.reduce((sum, { model, weight }, i) => {
      const inModel = numbers[i]?.[word];
      if (inModel === undefined) return sum;
      return sum + weight * Math.exp(model.lnProbability(contextIn(i, history), inModel));
    }, 0);
  const contextIn = (i: number, history: readonly number[]): number => {
    const model = (parts[i] as (typeof parts)[number]).model as LanguageModel;
    return history.reduce(
      (context, word) => model.advance(context, numbers[i]?.[word] ?? model.unknown),
      model.empty,
    );
  };
  const gathering = new Gathering();
  const begin = index.get(specialWords[0]);
  words.forEach((word, number) => {
    const ln = number === begin ? lnNever : Math.log(probability([], number));
    gathering.addWord(word, ln, 0);
  });
  const seen = new Set<number>();
  const once = (key: number): boolean => {
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  };
  const size = words.length;
  for (const { grams } of parts)
    for (const [first, second] of pairsOf(grams, index))
      if (once(first * size + second))
        gathering.addPair(first, second, Math.log(probability([first], second)), 0);
  seen.clear();
  // Triples of one first word at a time: sets of all would not fit into memory.
  for (let first = 0; first < size && order > 2; first += 1) {
    seen.clear();
    parts.forEach(({ grams }, i) => {
      const own = numbers[i]?.[first];
      if (own === undefined) return;
      for (const [second, third] of triplesOf(grams, own, index))
        if (once(second * size + third))
          gathering.addTriple(first, second, third, Math.log(probability([first, second], third)));
    });
  }
  const impossible = () => {
    throw new Error('an n-gram of a mixture stands twice or without its context');
  };
  return normalised(gathering.grams(order, { twice: impossible, orphan: impossible }));
}

function* pairsOf(
  { words, wordPairs, pairWord }: Grams,
  index: ReadonlyMap<string, number>,
): Generator<readonly [number, number], void, void> {
  const numbers = words.map((word) => index.get(word) as number);
  for (let word = 0; word < words.length; word += 1)
    for (let pair = wordPairs[word] as number; pair < (wordPairs[word + 1] as number); pair += 1)
      yield [numbers[word] as number, numbers[pairWord[pair] as number] as number];
}

function* triplesOf(
  { words, wordPairs, pairWord, pairTriples, tripleWord }: Grams,
  word: number,
  index: ReadonlyMap<string, number>,
): Generator<readonly [number, number], void, void> {
  const numberOf = (own: number) => index.get(words[own] as string) as number;
  for (let pair = wordPairs[word] as number; pair < (wordPairs[word + 1] as number); pair += 1) {
    const second = numberOf(pairWord[pair] as number);
    const end = pairTriples[pair + 1] as number;
    for (let triple = pairTriples[pair] as number; triple < end; triple += 1)
      yield [second, numberOf(tripleWord[triple] as number)];
  }
}

/** Rounds of expectation and maximisation; they change little after ten. */
const rounds = 50;

/**
 * Weights by which a mixture foretells a text best (expectation and maximisation): each model's share of each word's
 * probability, averaged, is its next weight.
 *
 * @param probabilities of each word of the text by each model.
 */
export function bestWeights(probabilities: readonly Float64Array[]): number[] {
  const count = probabilities[0]?.length ?? 0;
  let weights = probabilities.map(() => 1 / probabilities.length);
  for (let round = 0; round < rounds && count > 0; round += 1) {
    const next = weights.map(() => 0);
    for (let i = 0; i < count; i += 1) {
      const parts = weights.map((weight, m) => weight * (probabilities[m]?.[i] ?? 0));
      const all = parts.reduce((sum, part) => sum + part, 0);
      if (all > 0)
        parts.forEach((part, m) => {
          next[m] = (next[m] ?? 0) + part / all;
        });
    }
    const total = next.reduce((sum, share) => sum + share, 0);
    if (total === 0) break;
    weights = next.map((share) => share / total);
  }
  return weights;
}
