import { GramsModel, type Grams } from './grams.js';

/** What is left for the words that are not listed, at least: rounded probabilities may pass 1. */
const restMin = 1e-6;

/**
 * Back-offs by which the words behind each context have together the probability 1:
 * back-off(h) = (1 - sum of P(w | h)) / (1 - sum of P(w | h without its first word)), over the words listed behind h.
 */
export function normalised(grams: Grams): Grams {
  const wordBackOff = new Float32Array(grams.words.length);
  const pairBackOff = new Float32Array(grams.pairWord.length);
  const next: Grams = { ...grams, wordBackOff, pairBackOff };
  const { wordPairs, pairWord, pairLn, pairTriples, tripleWord, tripleLn, wordLn } = next;
  for (let word = 0; word < wordBackOff.length; word += 1) {
    const from = wordPairs[word] as number;
    const to = wordPairs[word + 1] as number;
    let listed = 0;
    let lower = 0;
    for (let pair = from; pair < to; pair += 1) {
      listed += Math.exp(pairLn[pair] as number);
      lower += Math.exp(wordLn[pairWord[pair] as number] as number);
    }
    if (from < to) wordBackOff[word] = backOff(listed, lower);
  }
  // Those of words are needed to say those of pairs.
  const model = new GramsModel(next);
  for (let pair = 0; pair < pairBackOff.length; pair += 1) {
    const from = pairTriples[pair] as number;
    const to = pairTriples[pair + 1] as number;
    const context = 1 + (pairWord[pair] as number);
    let listed = 0;
    let lower = 0;
    for (let triple = from; triple < to; triple += 1) {
      listed += Math.exp(tripleLn[triple] as number);
      lower += Math.exp(model.lnProbability(context, tripleWord[triple] as number));
    }
    if (from < to) pairBackOff[pair] = backOff(listed, lower);
  }
  return next;
}

/** ln, and never 0 itself: that would say that nothing extends the context. */
function backOff(listed: number, lower: number): number {
  const rest = Math.max(1 - listed, restMin);
  const lowerRest = Math.max(1 - lower, restMin);
  return Math.log(rest / lowerRest) || 1e-9;
}
