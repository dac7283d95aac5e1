import type { Counts } from './count.js';
import { lnNever, type Grams } from './grams.js';

/**
 * Interpolated modified Kneser-Ney (Chen and Goodman, "An empirical study of smoothing techniques for language modeling",
 * Computer Speech and Language 13, 1999, section 3):
 *
 *   P(w | h) = (c(h w) - D(c(h w))) / c(h .) + g(h) P(w | h without its first word)
 *   g(h)     = (D1 N1(h .) + D2 N2(h .) + D3 N3+(h .)) / c(h .)
 *   Y = n1 / (n1 + 2 n2),  D1 = 1 - 2 Y n2 / n1,  D2 = 2 - 3 Y n3 / n2,  D3+ = 3 - 4 Y n4 / n3
 *
 * n1 to n4: how many n-grams of that order have the count 1 to 4. In the highest order c is how often an n-gram stood; below
 * it is the number of different words it stood behind, and for those that begin with <s> how often they stood. The words
 * themselves are interpolated with 1 / (count of words without <s>).
 */
export interface Discounts {
  /** For the counts 0, 1, 2 and 3 or more. */
  readonly of: readonly [number, number, number, number];
  /**
   * The counts of counts do not fall, so they say nothing: of a small or uniform text, and of words where the rare ones were
   * left out. 0.5, 1 and 1.5 stand in their place, as in KenLM.
   */
  readonly assumed: boolean;
}

export function discounts(n: readonly number[]): Discounts {
  const [n1 = 0, n2 = 0, n3 = 0, n4 = 0] = n;
  const y = n1 / (n1 + 2 * n2);
  const of = [0, 1 - (2 * y * n2) / n1, 2 - (3 * y * n3) / n2, 3 - (4 * y * n4) / n3] as const;
  const fall = n1 > n2 && n2 > n3 && n3 > n4 && n4 > 0;
  if (fall && of.every((d, count) => count === 0 || (d > 0 && d < count)))
    return { of, assumed: false };
  return { of: [0, 0.5, 1, 1.5], assumed: true };
}

export interface Smoothed {
  readonly grams: Grams;
  /** Of words, pairs and triples. */
  readonly discounts: readonly Discounts[];
}

/** @param given discounts of words, pairs and triples in place of those that the counts say. */
export function kneserNey(counts: Counts, given: readonly Discounts[] = []): Smoothed {
  const { order, words, wordPairs, pairWord, pairTriples, tripleWord, tripleCount } = counts;
  const begin = words.indexOf('<s>');
  const pairCount = order > 2 ? counts.pairBefore : counts.pairCount;
  // Of a model of words alone how often each stood, else how many different words it stood behind.
  const wordCount = new Float64Array(words.length);
  if (order > 1) for (const word of pairWord) wordCount[word] = (wordCount[word] as number) + 1;
  else wordCount.set(counts.wordCount);
  wordCount[begin] = 0;

  const ofWords = given[0] ?? discounts(countsOfCounts(wordCount));
  const wordLn = new Float32Array(words.length);
  const all = wordCount.reduce((sum, count) => sum + count, 0);
  const freed = wordCount.reduce((sum, count) => sum + discount(ofWords, count), 0);
  wordCount.forEach((count, word) => {
    const p = (count - discount(ofWords, count) + freed / (words.length - 1)) / all;
    wordLn[word] = word === begin ? lnNever : Math.log(p);
  });

  const ofPairs = given[1] ?? discounts(countsOfCounts(pairCount));
  const pairLn = new Float32Array(pairWord.length);
  const wordBackOff = new Float32Array(words.length);
  for (let word = 0; word < words.length; word += 1) {
    const from = wordPairs[word] as number;
    const to = wordPairs[word + 1] as number;
    if (from === to) continue;
    let total = 0;
    let free = 0;
    for (let pair = from; pair < to; pair += 1) {
      total += pairCount[pair] as number;
      free += discount(ofPairs, pairCount[pair] as number);
    }
    wordBackOff[word] = Math.log(free / total);
    for (let pair = from; pair < to; pair += 1) {
      const count = pairCount[pair] as number;
      const lower = Math.exp(wordLn[pairWord[pair] as number] as number);
      pairLn[pair] = Math.log((count - discount(ofPairs, count) + free * lower) / total);
    }
  }

  const ofTriples = given[2] ?? discounts(counts.tripleCounts);
  const tripleLn = new Float32Array(tripleWord.length);
  const pairBackOff = new Float32Array(pairWord.length);
  for (let pair = 0; pair < pairWord.length && order > 2; pair += 1) {
    const from = pairTriples[pair] as number;
    const to = pairTriples[pair + 1] as number;
    if (from === to) continue;
    // What stood too seldom to be kept is in the total: all of it is free for the lower order.
    const total = counts.pairCount[pair] as number;
    let free = total;
    for (let triple = from; triple < to; triple += 1) {
      const count = tripleCount[triple] as number;
      free -= count - discount(ofTriples, count);
    }
    pairBackOff[pair] = Math.log(free / total);
    const second = pairWord[pair] as number;
    let at = wordPairs[second] as number;
    for (let triple = from; triple < to; triple += 1) {
      const count = tripleCount[triple] as number;
      // Both lists ascend, and what ends a triple always stands in the pairs of its second word.
      while ((pairWord[at] as number) < (tripleWord[triple] as number)) at += 1;
      const lower = Math.exp(pairLn[at] as number);
      tripleLn[triple] = Math.log((count - discount(ofTriples, count) + free * lower) / total);
    }
  }
  const { wordCount: occurred, pairCount: pair } = counts;
  return {
    grams: {
      ...{ order, words, wordLn, wordBackOff, wordPairs, pairWord, pairLn, pairBackOff },
      ...{ pairTriples, tripleWord, tripleLn, occurrences: { word: occurred, pair } },
    },
    discounts: [ofWords, ofPairs, ofTriples].slice(0, order),
  };
}

const discount = ({ of }: Discounts, count: number): number => of[Math.min(count, 3)] as number;

function countsOfCounts(counts: Float64Array | Uint32Array): number[] {
  const n = [0, 0, 0, 0];
  for (const count of counts) if (count >= 1 && count <= 4) n[count - 1] = (n[count - 1] ?? 0) + 1;
  return n;
}
