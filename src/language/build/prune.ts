import { KikitoriError } from '../../runtime/errors.js';
import { fileBytes, wordBitsOf, type Shape } from '../trie-file.js';
import { GramsModel, type Grams } from './grams.js';
import { normalised } from './normalise.js';
import { shapeOf, type WriteOptions } from './write-trie.js';

/**
 * Leaves out the n-grams of which the model loses least, until its file has at most so many bytes. What leaving out one
 * costs is the relative entropy between the model with and without it (Stolcke, "Entropy-based pruning of backoff language
 * models", 1998):
 *
 *   D = -P(h) [ P(w|h) (ln P(w|h') + ln a'(h) - ln P(w|h)) + (ln a'(h) - ln a(h)) (1 - sum of P(.|h)) ]
 *
 * with h' = h without its first word, a(h) the back-off and a'(h) the one without the n-gram. It is taken by byte of the
 * file: a triple costs less than a pair. P(h) is how often h stood in the text where that is known, since the lower orders
 * of Kneser-Ney say something else. A pair that a triple begins with stays.
 */
export function pruned(grams: Grams, bytes: number, options: WriteOptions = {}): Grams {
  const shape = shapeOf(grams, options);
  if (fileBytes(shape) <= bytes) return grams;
  const least = fileBytes({ ...shape, counts: [grams.words.length, 0, 0] });
  if (least > bytes)
    throw new KikitoriError(`the ${grams.words.length} words alone take ${least} bytes`, {
      kind: 'input',
      expected: `a model of at most ${bytes} bytes`,
      hint: 'give more --bytes or a smaller --vocabulary',
    });
  const scores = lossesByByte(grams, shape);
  const { pairScore, tripleScore } = scores;
  const keeps = (above: number): readonly [number, number] => [
    pairScore.reduce((n, score) => n + (score > above ? 1 : 0), 0),
    tripleScore.reduce((n, score) => n + (score > above ? 1 : 0), 0),
  ];
  // Floats above 0 are in the order of their bits.
  let low = 0;
  let high = bitsOf(Infinity);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [pairs, triples] = keeps(floatOf(middle));
    if (fileBytes({ ...shape, counts: [grams.words.length, pairs, triples] }) <= bytes)
      high = middle;
    else low = middle + 1;
  }
  return normalised(kept(grams, scores, floatOf(low)));
}

interface Scores {
  readonly pairScore: Float32Array;
  readonly tripleScore: Float32Array;
}

function lossesByByte(grams: Grams, { bits }: Shape): Scores {
  const { wordPairs, pairWord, pairLn, pairTriples, tripleWord, tripleLn, wordLn } = grams;
  const wordBits = wordBitsOf(grams.words.length);
  // A pair has a bit for itself, a triple one in the list of children, and each 32nd pair a place.
  const pairBytes = (wordBits + 2 * bits + 2) / 8;
  const tripleBytes = (wordBits + bits + 1) / 8;
  const pairScore = new Float32Array(pairWord.length);
  const tripleScore = new Float32Array(tripleWord.length);
  const model = new GramsModel(grams);
  const share = contextShares(grams, model);
  const lower = new Float64Array(Math.max(longest(wordPairs), longest(pairTriples)));
  for (let word = 0; word < grams.words.length; word += 1) {
    const [from, to] = [wordPairs[word] as number, wordPairs[word + 1] as number];
    for (let pair = from; pair < to; pair += 1)
      lower[pair - from] = wordLn[pairWord[pair] as number] as number;
    losses(pairLn.subarray(from, to), lower, share.ofWord(word), pairScore.subarray(from, to));
    for (let pair = from; pair < to; pair += 1) {
      const [first, last] = [pairTriples[pair] as number, pairTriples[pair + 1] as number];
      if (first === last) continue;
      const context = 1 + (pairWord[pair] as number);
      for (let triple = first; triple < last; triple += 1)
        lower[triple - first] = model.lnProbability(context, tripleWord[triple] as number);
      const found = tripleScore.subarray(first, last);
      losses(tripleLn.subarray(first, last), lower, share.ofPair(word, pair), found);
    }
  }
  for (let pair = 0; pair < pairScore.length; pair += 1) {
    let score = (pairScore[pair] as number) / pairBytes;
    for (let i = pairTriples[pair] as number; i < (pairTriples[pair + 1] as number); i += 1) {
      tripleScore[i] = (tripleScore[i] as number) / tripleBytes;
      score = Math.max(score, tripleScore[i] as number);
    }
    pairScore[pair] = score;
  }
  return { pairScore, tripleScore };
}

const restMin = 1e-9;

/** D of each word behind one context, written to `into`. */
function losses(
  ln: Float32Array,
  lower: Float64Array,
  contextShare: number,
  into: Float32Array,
): void {
  let rest = 1;
  let lowerRest = 1;
  ln.forEach((value, i) => {
    rest -= Math.exp(value);
    lowerRest -= Math.exp(lower[i] as number);
  });
  rest = Math.max(rest, restMin);
  lowerRest = Math.max(lowerRest, restMin);
  const lnBackOff = Math.log(rest / lowerRest);
  ln.forEach((value, i) => {
    const p = Math.exp(value);
    const low = lower[i] as number;
    const next = Math.log((rest + p) / (lowerRest + Math.exp(low)));
    const loss = -contextShare * (p * (low + next - value) + (next - lnBackOff) * rest);
    into[i] = Math.max(loss, 0);
  });
}

/** P(h): counted, or by the model itself. */
function contextShares({ occurrences, words }: Grams, model: GramsModel) {
  if (occurrences !== undefined) {
    const all = occurrences.word.reduce((sum, count) => sum + count, 0);
    return {
      ofWord: (word: number) => (occurrences.word[word] as number) / all,
      ofPair: (_: number, pair: number) => (occurrences.pair[pair] as number) / all,
    };
  }
  const begin = words.indexOf('<s>');
  // As many sentences begin as end.
  const ofWord = (word: number) => Math.exp(model.lnOfWord(word === begin ? model.end : word));
  return {
    ofWord,
    ofPair: (word: number, pair: number) => ofWord(word) * Math.exp(model.lnOfPair(pair)),
  };
}

function kept(grams: Grams, { pairScore, tripleScore }: Scores, above: number): Grams {
  const { pairWord, pairLn, tripleWord, tripleLn, occurrences } = grams;
  const keptPairs = indices(pairScore, above);
  const keptTriples = indices(tripleScore, above);
  return {
    ...grams,
    wordPairs: firsts(grams.wordPairs, keptPairs),
    pairWord: keptPairs.map((pair) => pairWord[pair] as number),
    pairLn: Float32Array.from(keptPairs, (pair) => pairLn[pair] as number),
    pairBackOff: new Float32Array(keptPairs.length),
    pairTriples: firsts(firstOf(grams.pairTriples, keptPairs), keptTriples),
    tripleWord: keptTriples.map((triple) => tripleWord[triple] as number),
    tripleLn: Float32Array.from(keptTriples, (triple) => tripleLn[triple] as number),
    ...(occurrences === undefined
      ? {}
      : {
          occurrences: {
            word: occurrences.word,
            pair: keptPairs.map((pair) => occurrences.pair[pair] as number),
          },
        }),
  };
}

function indices(scores: Float32Array, above: number): Uint32Array {
  const found = new Uint32Array(scores.reduce((n, score) => n + (score > above ? 1 : 0), 0));
  let at = 0;
  scores.forEach((score, i) => {
    if (score > above) found[at++] = i;
  });
  return found;
}

/** Where the children of the kept parents begin, and the end; children of others are not kept. */
function firstOf(first: Uint32Array, parents: Uint32Array): Uint32Array {
  const of = new Uint32Array(parents.length + 1);
  parents.forEach((parent, i) => {
    of[i] = first[parent] as number;
  });
  of[parents.length] = first[first.length - 1] as number;
  return of;
}

/** The same among the kept children alone. */
function firsts(first: Uint32Array, children: Uint32Array): Uint32Array {
  let at = 0;
  return first.map((begin) => {
    while (at < children.length && (children[at] as number) < begin) at += 1;
    return at;
  });
}

function longest(first: Uint32Array): number {
  let most = 0;
  for (let i = 1; i < first.length; i += 1)
    most = Math.max(most, (first[i] as number) - (first[i - 1] as number));
  return most;
}

const view = new DataView(new ArrayBuffer(4));
function bitsOf(value: number): number {
  view.setFloat32(0, value);
  return view.getUint32(0);
}
function floatOf(bits: number): number {
  view.setUint32(0, bits);
  return view.getFloat32(0);
}
