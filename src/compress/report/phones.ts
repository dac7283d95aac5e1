import type { Lexicon } from '../../recognizer/index.js';

/** The best unit of each step, repeats and blanks (unit 0) taken out: what the network hears by itself. */
export function greedyPhones(logProbs: Float32Array, units: number): number[] {
  const phones: number[] = [];
  let before = 0;
  for (let row = 0; row + units <= logProbs.length; row += units) {
    let best = 0;
    for (let u = 1; u < units; u++) {
      if ((logProbs[row + u] ?? 0) > (logProbs[row + best] ?? 0)) best = u;
    }
    if (best !== before && best !== 0) phones.push(best);
    before = best;
  }
  return phones;
}

export interface PhoneErrors {
  /** Substitutions, insertions and deletions against the nearest way of saying the text. */
  readonly errors: number;
  /** Phones of that way. */
  readonly phones: number;
  readonly words: number;
  /** Words with a phone wrong, missing or too many. */
  readonly wrongWords: number;
}

/** Best alignment of everything heard up to position j with the words so far. */
interface Cell {
  readonly cost: number;
  /** Phones of the pronunciations taken, and words that were not heard exactly. */
  readonly phones: number;
  readonly wrongWords: number;
}

/** Within a word: also where it began. */
interface Inside {
  readonly cost: number;
  readonly from: Cell;
}

/**
 * Edit distance between what was heard and a text whose words may each be said in several ways: the
 * row of a Levenshtein table is moved on through every pronunciation of a word, and of their ends the
 * cheapest is kept for each position.
 */
export function phoneErrors(
  heard: readonly number[],
  words: readonly string[],
  lexicon: Lexicon,
): PhoneErrors {
  let row: Cell[] = Array.from({ length: heard.length + 1 }, (_, j) => ({
    cost: j,
    phones: 0,
    wrongWords: 0,
  }));
  for (const word of words) {
    const ways = lexicon.lookup(word).map((p) => p.phones);
    if (ways.length === 0) continue;
    const ends = ways.map((phones) => through(phones, row, heard));
    row = row.map(
      (_, j) =>
        ends.map((end) => end[j]).reduce(better) ?? { cost: Infinity, phones: 0, wrongWords: 0 },
    );
  }
  const last = row.at(-1) ?? { cost: 0, phones: 0, wrongWords: 0 };
  return {
    errors: last.cost,
    phones: last.phones,
    words: words.length,
    wrongWords: last.wrongWords,
  };
}

function better(a: Cell | undefined, b: Cell | undefined): Cell | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.cost !== b.cost) return a.cost < b.cost ? a : b;
  return a.wrongWords <= b.wrongWords ? a : b;
}

function through(
  phones: readonly number[],
  before: readonly Cell[],
  heard: readonly number[],
): Cell[] {
  let row: Inside[] = before.map((from) => ({ cost: from.cost, from }));
  for (const phone of phones) {
    const next: Inside[] = [];
    row.forEach((above, j) => {
      let best: Inside = { cost: above.cost + 1, from: above.from };
      const diagonal = row[j - 1];
      if (diagonal !== undefined) {
        const cost = diagonal.cost + (heard[j - 1] === phone ? 0 : 1);
        if (cost < best.cost || (cost === best.cost && heard[j - 1] === phone))
          best = { cost, from: diagonal.from };
      }
      const left = next[j - 1];
      if (left !== undefined && left.cost + 1 < best.cost)
        best = { cost: left.cost + 1, from: left.from };
      next.push(best);
    });
    row = next;
  }
  return row.map(({ cost, from }) => ({
    cost,
    phones: from.phones + phones.length,
    wrongWords: from.wrongWords + (cost > from.cost ? 1 : 0),
  }));
}
