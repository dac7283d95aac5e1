import { wordBitsMax } from '../trie-file.js';
import { findIn, lnNever, sortWords, specialWords, type Grams } from './grams.js';

const place = 2 ** wordBitsMax;

/** A list of numbers that grows: by half each time, so that little is empty. */
class Growing {
  private numbers = new Float64Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.numbers.length) {
      const more = new Float64Array(Math.ceil(this.length * 1.5));
      more.set(this.numbers);
      this.numbers = more;
    }
    this.numbers[this.length] = value;
    this.length += 1;
  }

  get all(): Float64Array {
    return this.numbers.subarray(0, this.length);
  }
}

interface Level {
  readonly keys: Growing;
  readonly ln: Growing;
  readonly lnBackOff: Growing;
}

const level = (): Level => ({ keys: new Growing(), ln: new Growing(), lnBackOff: new Growing() });

/** What gather() asks of its caller where the n-grams do not fit together; places are those of add(). */
export interface GatherFaults {
  /** Stands twice in its order. */
  twice(order: number, at: number): void;
  /** The n-gram without its last word is none. */
  orphan(order: number, at: number): void;
}

/** n-grams in any order -> Grams. Words first; a word's number is when it came. */
export class Gathering {
  private readonly names: string[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly levels = [level(), level(), level()] as const;

  /** False: it is there already. */
  addWord(word: string, ln: number, lnBackOff: number): boolean {
    if (this.numbers.has(word)) return false;
    this.numbers.set(word, this.names.length);
    this.names.push(word);
    const [words] = this.levels;
    words.ln.push(ln);
    words.lnBackOff.push(lnBackOff);
    return true;
  }

  get words(): number {
    return this.names.length;
  }

  numberOf(word: string): number | undefined {
    return this.numbers.get(word);
  }

  addPair(first: number, second: number, ln: number, lnBackOff: number): void {
    const [, pairs] = this.levels;
    pairs.keys.push((first + 1) * place + second + 1);
    pairs.ln.push(ln);
    pairs.lnBackOff.push(lnBackOff);
  }

  addTriple(first: number, second: number, third: number, ln: number): void {
    const [, , triples] = this.levels;
    triples.keys.push(((first + 1) * place + second + 1) * place + third + 1);
    triples.ln.push(ln);
  }

  /** Special words that are missing get the probability 0. */
  grams(order: number, faults: GatherFaults): Grams {
    for (const word of specialWords) this.addWord(word, lnNever, 0);
    const words = sortWords(this.names);
    const renumbered = new Float64Array(words.length);
    words.forEach((word, number) => {
      renumbered[this.numbers.get(word) as number] = number;
    });
    const [one, two, three] = this.levels;
    const wordLn = new Float32Array(words.length);
    const wordBackOff = new Float32Array(words.length);
    renumbered.forEach((number, came) => {
      wordLn[number] = one.ln.all[came] as number;
      wordBackOff[number] = one.lnBackOff.all[came] as number;
    });
    const pairKeys = sortedKeys(two, renumbered, 2);
    const [pairLn, pairBackOff] = placed(pairKeys, two, (at) => faults.twice(2, at));
    const wordPairs = new Uint32Array(words.length + 1);
    const pairWord = new Uint32Array(pairKeys.sorted.length);
    pairKeys.sorted.forEach((key, pair) => {
      const first = Math.floor(key / place);
      pairWord[pair] = (key % place) - 1;
      wordPairs[first] = (wordPairs[first] as number) + 1;
    });
    accumulate(wordPairs);
    const tripleKeys = sortedKeys(three, renumbered, 3);
    const [tripleLn] = placed(tripleKeys, three, (at) => faults.twice(3, at));
    const pairTriples = new Uint32Array(pairKeys.sorted.length + 1);
    const tripleWord = new Uint32Array(tripleKeys.sorted.length);
    let pair = 0;
    tripleKeys.sorted.forEach((key, triple) => {
      const parent = Math.floor(key / place);
      while (pair < pairWord.length && (pairKeys.sorted[pair] as number) < parent) pair += 1;
      if (pairKeys.sorted[pair] === parent)
        pairTriples[pair + 1] = (pairTriples[pair + 1] as number) + 1;
      else faults.orphan(3, tripleKeys.came.indexOf(key));
      tripleWord[triple] = (key % place) - 1;
    });
    accumulate(pairTriples);
    return {
      ...{ order, words, wordLn, wordBackOff, wordPairs, pairWord, pairLn, pairBackOff },
      ...{ pairTriples, tripleWord, tripleLn },
    };
  }
}

interface Keys {
  readonly came: Float64Array;
  readonly sorted: Float64Array;
}

/** Keys by the words' last numbers, as they came and ascending. */
function sortedKeys({ keys }: Level, renumbered: Float64Array, order: number): Keys {
  const came = keys.all.map((key) => {
    let left = key;
    let next = 0;
    for (let i = 0, scale = 1; i < order; i += 1, scale *= place) {
      next += ((renumbered[(left % place) - 1] as number) + 1) * scale;
      left = Math.floor(left / place);
    }
    return next;
  });
  return { came, sorted: came.slice().sort() };
}

/** Values in the order of the sorted keys. */
function placed(
  { came, sorted }: Keys,
  { ln, lnBackOff }: Level,
  twice: (at: number) => void,
): [Float32Array, Float32Array] {
  const lns = new Float32Array(sorted.length);
  const backOffs = new Float32Array(sorted.length);
  came.forEach((key, i) => {
    const at = findIn(sorted, key, 0, sorted.length);
    if (sorted[at - 1] === key || sorted[at + 1] === key) twice(i);
    lns[at] = ln.all[i] as number;
    if (lnBackOff.length > 0) backOffs[at] = lnBackOff.all[i] as number;
  });
  return [lns, backOffs];
}

function accumulate(counts: Uint32Array): void {
  for (let i = 1; i < counts.length; i += 1)
    counts[i] = (counts[i] as number) + (counts[i - 1] as number);
}
