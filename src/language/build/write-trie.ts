import { Children } from '../children.js';
import { Packed } from '../packed.js';
import { joinFile, partBytes, wordBitsOf, type Shape } from '../trie-file.js';
import type { Grams } from './grams.js';
import { normalised } from './normalise.js';
import { quantiser } from './quantise.js';

export interface WriteOptions {
  /** Of a probability and a back-off: 8 unless said otherwise. */
  readonly bits?: number;
  readonly about?: Shape['about'];
  /** Back-offs are made anew for the rounded probabilities, so that these still add up to 1: not for those of a file. */
  readonly renormalise?: boolean;
}

const defaultBits = 8;

export function shapeOf(grams: Grams, { bits = defaultBits, about = {} }: WriteOptions): Shape {
  return {
    order: grams.order,
    counts: [grams.words.length, grams.pairWord.length, grams.tripleWord.length],
    letters: grams.words.reduce((sum, word) => sum + Buffer.byteLength(word), 0),
    bits,
    about,
  };
}

/** The file of a model: rounded and packed. */
export function trieFile(grams: Grams, options: WriteOptions = {}): Buffer {
  const shape = shapeOf(grams, options);
  const levels = 2 ** shape.bits;
  const pairs = quantiser(grams.pairLn, levels);
  const triples = quantiser(grams.tripleLn, levels);
  const rounded: Grams = {
    ...grams,
    pairLn: grams.pairLn.map((ln) => pairs.table[pairs.codeOf(ln)] as number),
    tripleLn: grams.tripleLn.map((ln) => triples.table[triples.codeOf(ln)] as number),
  };
  const anew = options.renormalise === false ? grams : normalised(rounded);
  const { wordBackOff, pairBackOff } = anew;
  if (anew !== grams) {
    keepNear(wordBackOff, grams.wordBackOff);
    keepNear(pairBackOff, grams.pairBackOff);
  }
  const isContext = (pair: number) =>
    pairBackOff[pair] !== 0 ||
    (grams.pairTriples[pair] as number) < (grams.pairTriples[pair + 1] as number);
  // Code 0 is of pairs that nothing extends.
  const backOffs = quantiser(
    pairBackOff.filter((_, pair) => isContext(pair)),
    levels - 1,
  );
  const backOffTable = new Float32Array(levels);
  backOffTable.set(backOffs.table, 1);
  const { bits, places } = Children.of(grams.pairTriples);
  const wordBits = wordBitsOf(grams.words.length);
  const sizes = partBytes(shape);
  const packed = (bytes: number, width: number, count: number, at: (i: number) => number) => {
    const part = new Uint8Array(bytes);
    const numbers = new Packed(part, width);
    for (let i = 0; bytes > 0 && i < count; i += 1) numbers.put(i, at(i));
    return part;
  };
  let end = 0;
  const ends = Uint32Array.from(grams.words, (word) => (end += Buffer.byteLength(word)));
  const [, pairCount, tripleCount] = shape.counts;
  const two = <T extends Uint32Array | Float32Array>(part: T) =>
    bytesOf(grams.order > 1 ? part : part.subarray(0, 0));
  const three = <T extends Uint32Array | Float32Array>(part: T) =>
    bytesOf(grams.order > 2 ? part : part.subarray(0, 0));
  return joinFile(shape, {
    wordEnds: bytesOf(ends),
    wordLn: bytesOf(grams.wordLn),
    wordBackOff: bytesOf(wordBackOff),
    wordPairs: two(grams.wordPairs),
    pairLns: two(pairs.table),
    pairBackOffs: three(backOffTable),
    tripleLns: three(triples.table),
    pairTriples: three(bits),
    pairPlaces: three(places),
    pairWord: packed(sizes.pairWord, wordBits, pairCount, (i) => grams.pairWord[i] as number),
    pairLn: packed(sizes.pairLn, shape.bits, pairCount, (i) =>
      pairs.codeOf(grams.pairLn[i] as number),
    ),
    pairBackOff: packed(sizes.pairBackOff, shape.bits, pairCount, (i) =>
      isContext(i) ? 1 + backOffs.codeOf(pairBackOff[i] as number) : 0,
    ),
    tripleWord: packed(
      sizes.tripleWord,
      wordBits,
      tripleCount,
      (i) => grams.tripleWord[i] as number,
    ),
    tripleLn: packed(sizes.tripleLn, shape.bits, tripleCount, (i) =>
      triples.codeOf(grams.tripleLn[i] as number),
    ),
    letters: Buffer.from(grams.words.join('')),
  });
}

/**
 * Back-offs made anew, by a factor of two at most beside the exact ones: where little is left for the words that are not
 * listed, rounding may take all of it.
 */
function keepNear(lns: Float32Array, exact: Float32Array): void {
  lns.forEach((ln, i) => {
    const is = exact[i] as number;
    lns[i] = Math.min(Math.max(ln, is - Math.LN2), is + Math.LN2);
  });
}

const bytesOf = (numbers: Uint32Array | Float32Array): Uint8Array =>
  new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
