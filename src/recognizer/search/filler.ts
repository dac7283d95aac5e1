import type { PhoneChain } from '../../bundle/index.js';

/**
 * Score of speech that is no sentence of the grammar: the best CTC path through any phones, each paying
 * for how rarely it follows the one before in the language. Without that price a loop of phones explains
 * a command better than the command does, and speech outside of the grammar no worse (Rose and Paul, 1990).
 */
export class Filler {
  private readonly phones: number;
  /** Best path of each phone that is saying it, and best one in the blanks after it. */
  private said: Float64Array;
  private next: Float64Array;
  private readonly paused: Float64Array;
  private readonly either: Float64Array;
  private silent = 0;
  private readonly chain: ChainMatrix;

  constructor(chain: PhoneChain, units: number) {
    this.phones = units - 1;
    this.chain = matrixOf(chain);
    this.said = new Float64Array(this.phones).fill(-Infinity);
    this.next = new Float64Array(this.phones);
    this.paused = new Float64Array(this.phones).fill(-Infinity);
    this.either = new Float64Array(this.phones);
  }

  /** One frame of scores, unit 0 blank. `at` is where the row begins. */
  feed(scores: Float32Array, at = 0): void {
    const { phones, said, next, paused, either, silent } = this;
    const { first, follows } = this.chain;
    for (let p = 0; p < phones; p++) either[p] = Math.max(said[p] ?? 0, paused[p] ?? 0);
    for (let p = 0; p < phones; p++) {
      // The same phone twice needs a blank between.
      let best = Math.max(
        silent + (first[p] ?? 0),
        (paused[p] ?? 0) + (follows[p * phones + p] ?? 0),
        said[p] ?? 0,
      );
      for (let before = 0; before < phones; before++) {
        if (before === p) continue;
        const way = (either[before] ?? 0) + (follows[before * phones + p] ?? 0);
        if (way > best) best = way;
      }
      next[p] = best + (scores[at + 1 + p] ?? 0);
    }
    const blank = scores[at] ?? 0;
    for (let p = 0; p < phones; p++) paused[p] = (either[p] ?? 0) + blank;
    [this.said, this.next] = [next, said];
    this.silent += blank;
  }

  get score(): number {
    let best = this.silent;
    for (let p = 0; p < this.phones; p++)
      best = Math.max(best, this.said[p] ?? 0, this.paused[p] ?? 0);
    return best;
  }
}

/** The same of all frames at once. */
export function fillerScore(scores: Float32Array, units: number, chain: PhoneChain): number {
  const filler = new Filler(chain, units);
  for (let at = 0; at < scores.length; at += units) filler.feed(scores, at);
  return filler.score;
}

interface ChainMatrix {
  readonly first: Float64Array;
  /** Row-major [phone before, phone]. */
  readonly follows: Float64Array;
}

const matrices = new WeakMap<PhoneChain, ChainMatrix>();

function matrixOf(chain: PhoneChain): ChainMatrix {
  const known = matrices.get(chain);
  if (known !== undefined) return known;
  const made = {
    first: Float64Array.from(chain.first),
    follows: Float64Array.from(chain.next.flat()),
  };
  matrices.set(chain, made);
  return made;
}
