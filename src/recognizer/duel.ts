import type { AlignedPhone } from './search/align.js';
import { totalScore } from './search/total.js';

/** One of two sentences: its words, and where its phones lie. */
export interface Duellist {
  readonly words: readonly number[];
  readonly phones: readonly AlignedPhone[];
}

/** What was heard, and how each word may sound. */
export interface Ground {
  readonly phonesOf: (word: number) => readonly (readonly number[])[];
  readonly scores: Float32Array;
  readonly units: number;
}

/** Evidence beyond this adds nothing, as for the margin. */
const duelMax = 20;
/** Of sentences that differ in more words the margin says enough. */
const wordsMax = 3;

/**
 * Log-likelihood ratio of a sentence to its runner-up over the words that differ, each with a neighbour, over their frames alone and over
 * all alignments (docs/adr/0052-duel.md). `margin`: of the two over the whole utterance, by the best alignments.
 */
export function duelOf(
  said: Duellist,
  rival: Duellist,
  margin: number,
  { phonesOf, scores, units }: Ground,
): number {
  const { head, tail } = alike(said.words, rival.words);
  const differing = (of: Duellist) => of.words.length - head - tail;
  if (Math.max(differing(said), differing(rival)) > wordsMax) return clipped(margin);
  const from = Math.max(0, head - 1);
  const end = (of: Duellist) => of.words.length - Math.max(0, tail - 1);
  const frames = scores.length / units;
  const start = Math.min(...[said, rival].map((of) => startOf(of, from, 0)));
  const stop = Math.max(...[said, rival].map((of) => startOf(of, end(of), frames)));
  const part = scores.subarray(start * units, stop * units);
  const score = (of: Duellist) =>
    totalScore(of.words.slice(from, end(of)).map(phonesOf), part, units);
  const ratio = score(said) - score(rival);
  return clipped(Number.isFinite(ratio) ? ratio : margin);
}

export const clipped = (ratio: number) => Math.min(duelMax, Math.max(-duelMax, ratio));

/** Frame of a word's first phone; `otherwise` at either end of the sentence. */
function startOf({ words, phones }: Duellist, word: number, otherwise: number): number {
  if (word === 0 || word >= words.length) return otherwise;
  return phones.find((p) => p.word === word)?.startFrame ?? otherwise;
}

/** How many words two sentences share at their beginning, and at their end. */
function alike(a: Duellist['words'], b: Duellist['words']): { head: number; tail: number } {
  const most = Math.min(a.length, b.length);
  let head = 0;
  while (head < most && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < most - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  return { head, tail };
}
