/**
 * Aligns letters with phones, learnt from a dictionary alone by Viterbi training (hard expectation-maximisation). A letter
 * gives no, one or two phones. "ph" becomes p -> F and h -> nothing: the model's long contexts keep them together.
 */

export interface SpelledWord {
  readonly word: string;
  readonly phones: readonly number[];
}

const rounds = 5;
/** Phones a single letter may give. */
const phonesPerLetter = 2;

/**
 * The phones of each letter, for every word; null for words that no such split explains ("mr").
 * What is likely is learnt from `taught`, of which a part of many words is enough.
 */
export function alignLetters(
  words: readonly SpelledWord[],
  taught: readonly SpelledWord[] = words,
): (readonly number[][] | null)[] {
  let cost = new Map<number, number>();
  for (let round = 1; round < rounds; round++) {
    cost = pairCosts(
      taught,
      taught.map((word) => bestSplit(word, cost)),
    );
  }
  return words.map((word) => bestSplit(word, cost));
}

/** One number for a letter and its phones; phones are below 64. */
const pairOf = (letter: number, piece: readonly number[]) =>
  (letter * 64 + (piece[0] ?? 0)) * 64 + (piece[1] ?? 0);

/** The cheapest split of the phones over the letters; unseen pairs cost by how uneven the split is. */
function bestSplit(
  { word, phones }: SpelledWord,
  cost: ReadonlyMap<number, number>,
): number[][] | null {
  const n = word.length;
  const m = phones.length;
  const width = m + 1;
  const best = new Float64Array((n + 1) * width).fill(Infinity);
  const took = new Int8Array((n + 1) * width);
  best[0] = 0;
  for (let i = 0; i < n; i++) {
    const letter = word.charCodeAt(i);
    for (let j = 0; j <= m; j++) {
      const here = best[i * width + j] ?? Infinity;
      if (here === Infinity) continue;
      for (let take = 0; take <= phonesPerLetter && j + take <= m; take++) {
        const unseen = 12 + Math.abs(i / n - j / m) * 4 + (take === 1 ? 0 : 2);
        const pair = pairOf(letter, phones.slice(j, j + take));
        const total = here + (cost.get(pair) ?? unseen);
        const cell = (i + 1) * width + j + take;
        if (total < (best[cell] ?? Infinity)) {
          best[cell] = total;
          took[cell] = take;
        }
      }
    }
  }
  if (best[n * width + m] === Infinity) return null;
  const pieces: number[][] = [];
  for (let i = n, j = m; i > 0; i--) {
    const take = took[i * width + j] ?? 0;
    pieces.push(phones.slice(j - take, j));
    j -= take;
  }
  return pieces.reverse();
}

/** Negative logarithm of p(piece | letter). */
function pairCosts(
  words: readonly SpelledWord[],
  aligned: readonly (readonly number[][] | null)[],
): Map<number, number> {
  const pairs = new Map<number, number>();
  const letters = new Map<number, number>();
  words.forEach(({ word }, w) => {
    aligned[w]?.forEach((piece, i) => {
      const letter = word.charCodeAt(i);
      const pair = pairOf(letter, piece);
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
      letters.set(letter, (letters.get(letter) ?? 0) + 1);
    });
  });
  return new Map(
    [...pairs].map(([pair, count]) => [
      pair,
      Math.log((letters.get(Math.floor(pair / 4096)) ?? 1) / count),
    ]),
  );
}
