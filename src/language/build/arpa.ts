import { orderMax, wordsMax } from '../trie-file.js';
import { ArpaLines, type ArpaGram } from './arpa-lines.js';
import { Gathering } from './gather.js';
import { GramsModel, type Grams } from './grams.js';
import { TrieModel } from '../trie-model.js';

/** Words behind one context have together at most so much: files are rounded to six digits and fewer. */
const sumMax = 1.01;

/**
 * An ARPA file of at most three words, a line at a time. All its faults are told at once, with their lines.
 *
 * A missing back-off is 0 where nothing begins with the n-gram; elsewhere it is a fault, unless `zeroBackOffs` says that
 * it is meant as 0.
 */
export async function readArpa(
  lines: AsyncIterable<string>,
  where: string,
  { zeroBackOffs = false }: { readonly zeroBackOffs?: boolean } = {},
): Promise<Grams> {
  const gathering = new Gathering();
  /** Line of each n-gram by order. */
  const places: number[][] = [[], [], []];
  const without = new Map<string, number>();
  const begun = new Set<string>();
  let order = 0;
  const reader = new ArpaLines(where, {
    counts: (counts) => {
      order = counts.length;
      if (order > orderMax)
        reader.fault(`it is of order ${order}, expected at most ${orderMax}: prune it to that`);
      if ((counts[0] ?? 0) > wordsMax)
        reader.fault(`it has ${counts[0]} words, expected at most ${wordsMax}`);
      reader.throwFaults();
    },
    gram: (gram) => {
      take(gram);
    },
  });

  function take({ words, log10Probability, log10BackOff, line }: ArpaGram): void {
    const ln = log10Probability * Math.LN10;
    const lnBackOff = (log10BackOff ?? 0) * Math.LN10;
    places[words.length - 1]?.push(line);
    if (log10BackOff === undefined && words.length < order && !zeroBackOffs)
      without.set(words.join(' '), line);
    if (words.length > 1 && without.size > 0) {
      const context = words.slice(0, -1).join(' ');
      if (without.has(context)) begun.add(context);
    }
    if (words.length === 1) {
      if (!gathering.addWord(plainUnknown(words[0] ?? ''), ln, lnBackOff))
        reader.fault(`${JSON.stringify(words[0])} stands twice`, line);
      return;
    }
    const numbers = words.map((word) => gathering.numberOf(plainUnknown(word)));
    const unheard = numbers.indexOf(undefined);
    if (unheard >= 0) {
      reader.fault(`${JSON.stringify(words[unheard])} is not among the 1-grams`, line);
      return;
    }
    const [first = 0, second = 0, third = 0] = numbers;
    if (words.length === 2) gathering.addPair(first, second, ln, lnBackOff);
    else gathering.addTriple(first, second, third, ln);
  }

  for await (const line of lines) reader.take(line);
  for (const context of begun)
    reader.fault(
      `${JSON.stringify(context)} has no back-off, and longer n-grams begin with it; if 0 is meant, say --zero-backoffs`,
      without.get(context),
    );
  reader.end();
  const grams = gathering.grams(order, {
    twice: (n, at) => {
      reader.fault('this n-gram stands twice', places[n - 1]?.[at]);
    },
    orphan: (n, at) => {
      reader.fault('without its last word it is no n-gram of the file', places[n - 1]?.[at]);
    },
  });
  reader.throwFaults();
  checkSums(grams, reader);
  reader.throwFaults();
  return grams;
}

/** Some write it in capitals. */
const plainUnknown = (word: string): string => (word === '<UNK>' ? '<unk>' : word);

function checkSums(grams: Grams, reader: ArpaLines): void {
  const sum = (ln: Float32Array, from: number, to: number) => {
    let all = 0;
    for (let i = from; i < to; i += 1) all += Math.exp(ln[i] as number);
    return all;
  };
  const check = (context: () => string, all: number) => {
    if (all > sumMax)
      reader.fault(`${context()} have together the probability ${all.toFixed(3)}`, 0);
  };
  const { words, wordLn, wordPairs, pairWord, pairLn, pairTriples, tripleLn } = grams;
  check(() => 'all words', sum(wordLn, 0, words.length));
  for (let word = 0; word < words.length; word += 1) {
    const [from, to] = [wordPairs[word] as number, wordPairs[word + 1] as number];
    check(() => `the words behind "${words[word]}"`, sum(pairLn, from, to));
    for (let pair = from; pair < to; pair += 1)
      check(
        () => `the words behind "${words[word]} ${words[pairWord[pair] as number]}"`,
        sum(tripleLn, pairTriples[pair] as number, pairTriples[pair + 1] as number),
      );
  }
}

/** The lines of an ARPA file. */
export function* arpaLines(grams: Grams): Generator<string, void, void> {
  const { order, words, pairWord, pairTriples, tripleWord } = grams;
  const model = new GramsModel(grams);
  yield '\\data\\';
  yield `ngram 1=${words.length}`;
  if (order > 1) yield `ngram 2=${pairWord.length}`;
  if (order > 2) yield `ngram 3=${tripleWord.length}`;
  yield '';
  yield '\\1-grams:';
  for (let word = 0; word < words.length; word += 1) {
    const back = model.isContextWord(word) ? `\t${log10(model.lnBackOffOfWord(word))}` : '';
    yield `${log10(model.lnOfWord(word))}\t${words[word]}${back}`;
  }
  if (order > 1) {
    yield '';
    yield '\\2-grams:';
    for (const [both, pair] of pairsOf(grams)) {
      const back = model.isContextPair(pair) ? `\t${log10(model.lnBackOffOfPair(pair))}` : '';
      yield `${log10(model.lnOfPair(pair))}\t${both}${back}`;
    }
  }
  if (order > 2) {
    yield '';
    yield '\\3-grams:';
    for (const [both, pair] of pairsOf(grams)) {
      const end = pairTriples[pair + 1] as number;
      for (let triple = pairTriples[pair] as number; triple < end; triple += 1)
        yield `${log10(model.lnOfTriple(triple))}\t${both} ${words[tripleWord[triple] as number]}`;
    }
  }
  yield '';
  yield '\\end\\';
}

/** Each pair, as it is written, with its number. */
function* pairsOf({ words, wordPairs, pairWord }: Grams): Generator<[string, number], void, void> {
  for (const [word, text] of words.entries()) {
    const end = wordPairs[word + 1] as number;
    for (let pair = wordPairs[word] as number; pair < end; pair += 1)
      yield [`${text} ${words[pairWord[pair] as number]}`, pair];
  }
}

/** As ARPA files write it: seven digits. */
const log10 = (ln: number): string => String(Number((ln / Math.LN10).toPrecision(7)));

/** The n-grams of a file, as it rounds them. */
export function gramsOf(model: TrieModel): Grams {
  const [wordCount, pairCount, tripleCount] = model.shape.counts;
  const numbers = (n: number, at: (i: number) => number) =>
    Uint32Array.from({ length: n }, (_, i) => at(i));
  const reals = (n: number, at: (i: number) => number) =>
    Float32Array.from({ length: n }, (_, i) => at(i));
  return {
    order: model.order,
    words: Array.from({ length: wordCount }, (_, i) => model.wordAt(i)),
    wordLn: reals(wordCount, (i) => model.lnOfWord(i)),
    wordBackOff: reals(wordCount, (i) => model.lnBackOffOfWord(i)),
    wordPairs: numbers(wordCount + 1, (i) => (i < wordCount ? model.pairsOf(i)[0] : pairCount)),
    pairWord: numbers(pairCount, (i) => model.secondOf(i)),
    pairLn: reals(pairCount, (i) => model.lnOfPair(i)),
    pairBackOff: reals(pairCount, (i) => model.lnBackOffOfPair(i)),
    pairTriples: numbers(pairCount + 1, (i) =>
      i < pairCount ? model.triplesOf(i)[0] : tripleCount,
    ),
    tripleWord: numbers(tripleCount, (i) => model.tripleAt(i).word),
    tripleLn: reals(tripleCount, (i) => model.tripleAt(i).ln),
  };
}
