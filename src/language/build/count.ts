import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { KikitoriError } from '../../runtime/errors.js';
import { wordBitsMax, wordsMax } from '../trie-file.js';
import { findIn, sortWords, specialWords } from './grams.js';
import { SortedRuns } from './sorted-runs.js';

/** Different words that are kept apart while a text is read; those first seen later are unknown. */
const differentMax = 1_000_000;
/** Different pairs and triples that are kept. More triples: those that stood once go, then those that stood twice. */
const pairsMax = 16_000_000;
const triplesMax = 8_000_000;
const idsAtATime = 2 ** 16;
/** A place for a word in a key: three fit into the 53 bits of a whole number. 0 is no word. */
const place = 2 ** wordBitsMax;

/** How often words, pairs and triples stood in a text, pairs and triples as in Grams. */
export interface Counts {
  readonly order: number;
  readonly words: readonly string[];
  /** Words of the text, and how many of them the vocabulary has not. */
  readonly tokens: number;
  readonly unknown: number;
  readonly sentences: number;
  readonly wordCount: Float64Array;
  readonly wordPairs: Uint32Array;
  readonly pairWord: Uint32Array;
  readonly pairCount: Uint32Array;
  /** Of each pair: behind how many different words it stood. */
  readonly pairBefore: Uint32Array;
  readonly pairTriples: Uint32Array;
  readonly tripleWord: Uint32Array;
  readonly tripleCount: Uint32Array;
  /** How many triples stood once, twice, three and four times; also of those that were left out. */
  readonly tripleCounts: readonly number[];
  /** Triples that stood less often were left out. */
  readonly tripleMin: number;
}

export interface CountOptions {
  readonly order: number;
  /** Words that are kept at most, the most frequent. */
  readonly vocabulary: number;
  /** Words that are kept in any case. */
  readonly always?: readonly string[];
  readonly perRun?: number;
  readonly triplesMax?: number;
}

/** Reads a text sentence by sentence; what memory cannot hold lies in a folder of the caller. */
export class Counter {
  private readonly ids = new Map<string, number>([['', 0]]);
  private readonly frequency: number[] = [0];
  private readonly path: string;
  private readonly file: number;
  private readonly buffer = new Uint32Array(idsAtATime);
  private filled = 0;
  private closed = false;
  private tokens = 0;
  private sentences = 0;

  constructor(
    private readonly folder: string,
    private readonly options: CountOptions,
  ) {
    this.path = join(folder, 'text');
    this.file = openSync(this.path, 'w', 0o600);
  }

  get words(): number {
    return this.tokens;
  }

  /** A sentence as words; one without words is none. */
  add(sentence: readonly string[]): void {
    if (sentence.length === 0) return;
    for (const word of sentence) {
      let id = this.ids.get(word);
      if (id === undefined) {
        id = this.ids.size;
        if (id > differentMax) id = differentMax;
        else this.ids.set(word, id);
      }
      this.frequency[id] = (this.frequency[id] ?? 0) + 1;
      this.put(id);
    }
    this.put(0);
    this.tokens += sentence.length;
    this.sentences += 1;
  }

  close(): void {
    if (!this.closed) closeSync(this.file);
    this.closed = true;
  }

  counts(): Counts {
    this.flush();
    this.close();
    const { words, numbers } = this.vocabulary();
    const [begin, end, unknown] = specialWords.map((word) => words.indexOf(word)) as [
      number,
      number,
      number,
    ];
    const runs = new SortedRuns(this.folder, this.options.perRun);
    const wordCount = new Float64Array(words.length);
    const seen = (word: number) => {
      wordCount[word] = (wordCount[word] as number) + 1;
    };
    const { order } = this.options;
    // Each word with the two behind it; behind the end of a sentence is no word.
    let first = begin + 1;
    let second = 0;
    const take = (third: number) => {
      if (second !== 0 && order > 1)
        runs.add((first * place + second) * place + (order > 2 ? third : 0));
      if (second !== 0) first = second;
      second = third;
    };
    for (const id of this.stream()) {
      const word = id === 0 ? end : (numbers[id] as number) - 1;
      if (second === 0) seen(begin);
      seen(word);
      take(word + 1);
      if (id !== 0) continue;
      take(0);
      first = begin + 1;
      second = 0;
    }
    try {
      return {
        order,
        words,
        tokens: this.tokens,
        unknown: wordCount[unknown] as number,
        sentences: this.sentences,
        wordCount,
        ...gather(runs, words.length, begin, this.options.triplesMax ?? triplesMax),
      };
    } finally {
      runs.remove();
    }
  }

  /** The most frequent words, ties by their letters, and of each id its number + 1. */
  private vocabulary(): { words: string[]; numbers: Uint32Array } {
    const special = new Set<string>(specialWords);
    const always = new Set((this.options.always ?? []).filter((word) => !special.has(word)));
    const most = Math.min(this.options.vocabulary, wordsMax - special.size);
    const listed = [...this.ids.keys()]
      .filter((word) => word !== '' && !special.has(word) && !always.has(word))
      .sort((a, b) => this.frequencyOf(b) - this.frequencyOf(a) || (a < b ? -1 : 1))
      .slice(0, Math.max(0, most - always.size));
    const words = sortWords([...specialWords, ...always, ...listed]);
    const numbers = new Uint32Array(differentMax + 1).fill(words.indexOf('<unk>') + 1);
    words.forEach((word, number) => {
      const id = this.ids.get(word);
      if (id !== undefined && !special.has(word)) numbers[id] = number + 1;
    });
    return { words, numbers };
  }

  private frequencyOf(word: string): number {
    return this.frequency[this.ids.get(word) ?? 0] ?? 0;
  }

  private put(id: number): void {
    this.buffer[this.filled] = id;
    this.filled += 1;
    if (this.filled === idsAtATime) this.flush();
  }

  private flush(): void {
    const bytes = new Uint8Array(this.buffer.buffer, 0, this.filled * 4);
    for (let at = 0; at < bytes.length;) at += writeSync(this.file, bytes, at);
    this.filled = 0;
  }

  private *stream(): Generator<number, void, void> {
    const file = openSync(this.path, 'r');
    const ids = new Uint32Array(idsAtATime);
    const bytes = new Uint8Array(ids.buffer);
    try {
      for (;;) {
        let read = 0;
        while (read < bytes.length) {
          const more = readSync(file, bytes, read, bytes.length - read, null);
          if (more === 0) break;
          read += more;
        }
        if (read === 0) return;
        for (let i = 0; i < read / 4; i += 1) yield ids[i] as number;
      }
    } finally {
      closeSync(file);
    }
  }
}

/** Pairs and triples out of the merged keys: once to know how many, once to take them. */
function gather(runs: SortedRuns, words: number, begin: number, most: number) {
  const tripleCounts = [0, 0, 0, 0];
  const above: number[] = new Array<number>(64).fill(0);
  let pairs = 0;
  let last = -1;
  for (const [key, count] of runs.merged()) {
    const pair = Math.floor(key / place);
    if (pair !== last) pairs += 1;
    last = pair;
    if (key % place === 0) continue;
    if (count <= 4) tripleCounts[count - 1] = (tripleCounts[count - 1] ?? 0) + 1;
    for (let c = Math.min(count, above.length - 1); c > 0; c -= 1) above[c] = (above[c] ?? 0) + 1;
  }
  if (pairs > pairsMax)
    throw new KikitoriError(`the text has ${pairs} different pairs of words`, {
      kind: 'input',
      expected: `at most ${pairsMax}`,
      hint: 'take less text or a smaller --vocabulary',
    });
  const fit = above.findIndex((n, c) => c > 0 && n <= most);
  const tripleMin = fit < 0 ? above.length : fit;
  const triples = above[Math.min(tripleMin, above.length - 1)] ?? 0;
  const wordPairs = new Uint32Array(words + 1);
  const pairWord = new Uint32Array(pairs);
  const pairCount = new Uint32Array(pairs);
  const pairBefore = new Uint32Array(pairs);
  const pairTriples = new Uint32Array(pairs + 1);
  const tripleWord = new Uint32Array(triples);
  const tripleCount = new Uint32Array(triples);
  let pair = -1;
  let triple = 0;
  last = -1;
  for (const [key, count] of runs.merged()) {
    const both = Math.floor(key / place);
    if (both !== last) {
      pair += 1;
      pairTriples[pair] = triple;
      pairWord[pair] = (both % place) - 1;
      const first = Math.floor(both / place) - 1;
      wordPairs[first + 1] = (wordPairs[first + 1] as number) + 1;
      last = both;
    }
    pairCount[pair] = (pairCount[pair] as number) + count;
    const third = key % place;
    if (third === 0 || count < tripleMin || triple >= triples) continue;
    tripleWord[triple] = third - 1;
    tripleCount[triple] = count;
    triple += 1;
  }
  pairTriples[pairs] = triple;
  for (let word = 0; word < words; word += 1)
    wordPairs[word + 1] = (wordPairs[word + 1] as number) + (wordPairs[word] as number);
  // Every triple, also those left out, says that its first word stood before its pair.
  for (const [key] of runs.merged()) {
    const third = key % place;
    if (third === 0) continue;
    const second = (Math.floor(key / place) % place) - 1;
    const found = findIn(
      pairWord,
      third - 1,
      wordPairs[second] as number,
      wordPairs[second + 1] as number,
    );
    pairBefore[found] = (pairBefore[found] as number) + 1;
  }
  // Nothing stands before the begin of a sentence: its pairs count as often as they stood.
  for (let i = wordPairs[begin] as number; i < (wordPairs[begin + 1] as number); i += 1)
    pairBefore[i] = pairCount[i] as number;
  return {
    wordPairs,
    pairWord,
    pairCount,
    pairBefore,
    pairTriples,
    tripleWord: tripleWord.subarray(0, triple),
    tripleCount: tripleCount.subarray(0, triple),
    tripleCounts,
    tripleMin,
  };
}
