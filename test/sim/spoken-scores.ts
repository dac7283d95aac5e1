import type { Lexicon } from '../../src/recognizer/index.js';
import { units } from './tiny-checkpoint.js';

/** What a sure network says of these words: each phone for a step, then two of blank. Empty: silence of 10 steps. */
export function spokenBy(lexicon: Lexicon, words: readonly string[]): Float32Array {
  const count = units.length;
  const rows = words.flatMap((word) => {
    if (word === '') return Array.from({ length: 10 }, () => 0);
    return (lexicon.lookup(word)[0]?.phones ?? []).flatMap((phone) => [phone, 0, 0]);
  });
  const scores = new Float32Array(rows.length * count).fill(Math.log(0.05 / count));
  rows.forEach((unit, t) => (scores[t * count + unit] = Math.log(0.95)));
  return scores;
}
