import type { PhoneChain } from '../../bundle/index.js';

/**
 * Score of speech that is no sentence of the grammar: the best CTC path through any phones, each paying
 * for how rarely it follows the one before in the language. Without that price a loop of phones explains
 * a command better than the command does, and speech outside of the grammar no worse (Rose and Paul, 1990).
 */
export function fillerScore(scores: Float32Array, units: number, chain: PhoneChain): number {
  const phones = units - 1;
  const { first, next } = matrixOf(chain);
  // Of each phone: the best path that is saying it, and the best one in the blanks after it.
  let said = new Float64Array(phones).fill(-Infinity);
  let freshly = new Float64Array(phones);
  const paused = new Float64Array(phones).fill(-Infinity);
  const either = new Float64Array(phones);
  let silent = 0;
  for (let at = 0; at < scores.length; at += units) {
    for (let p = 0; p < phones; p++) either[p] = Math.max(said[p] ?? 0, paused[p] ?? 0);
    for (let p = 0; p < phones; p++) {
      // The same phone twice needs a blank between.
      let best = Math.max(
        silent + (first[p] ?? 0),
        (paused[p] ?? 0) + (next[p * phones + p] ?? 0),
        said[p] ?? 0,
      );
      for (let before = 0; before < phones; before++) {
        if (before === p) continue;
        const way = (either[before] ?? 0) + (next[before * phones + p] ?? 0);
        if (way > best) best = way;
      }
      freshly[p] = best + (scores[at + 1 + p] ?? 0);
    }
    const blank = scores[at] ?? 0;
    for (let p = 0; p < phones; p++) paused[p] = (either[p] ?? 0) + blank;
    [said, freshly] = [freshly, said];
    silent += blank;
  }
  let best = silent;
  for (let p = 0; p < phones; p++) best = Math.max(best, said[p] ?? 0, paused[p] ?? 0);
  return best;
}

interface ChainMatrix {
  readonly first: Float64Array;
  /** Row-major [phone before, phone]. */
  readonly next: Float64Array;
}

const matrices = new WeakMap<PhoneChain, ChainMatrix>();

function matrixOf(chain: PhoneChain): ChainMatrix {
  const known = matrices.get(chain);
  if (known !== undefined) return known;
  const made = {
    first: Float64Array.from(chain.first),
    next: Float64Array.from(chain.next.flat()),
  };
  matrices.set(chain, made);
  return made;
}
