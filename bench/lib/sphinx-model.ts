/**
 * The n-gram model of CMU Sphinx (Debian: pocketsphinx-en-us, en-us.lm.bin) as this project's search asks it. A trie that
 * is read backwards, the last word first; see sphinxbase, lm_trie.c. A trigram model only.
 */
import { readFile } from 'node:fs/promises';
import type { LanguageModel } from '../../src/language/model.js';

const header = 'Trie Language Model';
/** Probabilities are powers of 1.0001. */
const lnBase = Math.log(1.0001);
const tableSize = 65_536;

const bitsOf = (most: number) => Math.floor(Math.log2(most)) + 1;

/** Records of a fixed number of bits, the word's first. */
class Records {
  readonly bytes: number;
  readonly bits: number;

  constructor(
    private readonly view: DataView,
    private readonly at: number,
    entries: number,
    private readonly wordBits: number,
    restBits: number,
  ) {
    this.bits = wordBits + restBits;
    this.bytes = Math.floor(((1 + entries) * this.bits + 7) / 8) + 8;
  }

  field(index: number, offset: number, length: number): number {
    const bit = index * this.bits + offset;
    return (this.view.getUint32(this.at + (bit >> 3), true) >>> (bit & 7)) & ((1 << length) - 1);
  }

  word(index: number): number {
    return this.field(index, 0, this.wordBits);
  }

  find(word: number, from: number, to: number): number {
    let [low, high] = [from, to];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.word(middle) < word) low = middle + 1;
      else high = middle;
    }
    return low < to && this.word(low) === word ? low : -1;
  }
}

export class SphinxModel implements LanguageModel {
  readonly order = 3;
  readonly empty = 0;
  readonly begin: number;
  readonly end: number;
  readonly unknown: number;
  private readonly numbers: Map<string, number>;
  /** Last word of each pair. */
  private readonly owner: Int32Array;

  private constructor(
    readonly size: number,
    private readonly words: readonly string[],
    private readonly unigrams: DataView,
    private readonly tables: Float32Array,
    private readonly pairs: Records,
    private readonly triples: Records,
    private readonly wordBits: number,
    private readonly nextBits: number,
    pairCount: number,
  ) {
    this.numbers = new Map(words.map((w, i) => [w, i]));
    this.end = this.numbers.get('</s>') ?? -1;
    this.unknown = this.numbers.get('<UNK>') ?? this.numbers.get('<unk>') ?? 0;
    this.begin = (this.numbers.get('<s>') ?? 0) + 1;
    this.owner = new Int32Array(pairCount);
    for (let w = 0; w < size; w++) this.owner.fill(w, this.firstPair(w), this.firstPair(w + 1));
  }

  static async read(path: string): Promise<SphinxModel> {
    const file = await readFile(path);
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    if (file.toString('latin1', 0, header.length) !== header)
      throw new Error(`${path}: no binary language model of sphinxbase`);
    let at = header.length;
    const order = view.getUint8(at++);
    if (order !== 3) throw new Error(`${path}: order ${order}, expected 3`);
    const counts = [0, 1, 2].map((i) => view.getUint32(at + 4 * i, true));
    at += 12 + 4;
    const [ones = 0, twos = 0, threes = 0] = counts;
    const tables = new Float32Array(3 * tableSize);
    for (let i = 0; i < tables.length; i++) tables[i] = view.getFloat32(at + 4 * i, true);
    at += 4 * tables.length;
    const unigrams = new DataView(file.buffer, file.byteOffset + at, 12 * (ones + 1));
    at += 12 * (ones + 1);
    const wordBits = bitsOf(ones);
    const nextBits = bitsOf(threes);
    const pairs = new Records(view, at, twos, wordBits, 32 + nextBits);
    at += pairs.bytes;
    const triples = new Records(view, at, threes, wordBits, 16);
    at += triples.bytes;
    const length = view.getInt32(at, true);
    const words = file.toString('utf8', at + 4, at + 4 + length).split('\0');
    if (words.at(-1) === '') words.pop();
    if (words.length !== ones)
      throw new Error(`${path}: ${words.length} words, ${ones} were announced`);
    return new SphinxModel(ones, words, unigrams, tables, pairs, triples, wordBits, nextBits, twos);
  }

  /** Lines of the same model as an ARPA file, with a word for what it does not know. */
  *arpa(): Generator<string> {
    const log10 = (score: number) => ((score * lnBase) / Math.LN10).toFixed(4);
    const { size, words } = this;
    const [twos, threes] = [this.firstPair(size), this.next(this.firstPair(size))];
    yield `\\data\\\nngram 1=${size + 1}\nngram 2=${twos}\nngram 3=${threes}\n\n\\1-grams:\n-7 <unk>\n`;
    for (let w = 0; w < size; w++) {
      const [own, backOff] = [0, 4].map((o) => this.unigrams.getFloat32(12 * w + o, true));
      yield `${log10(own ?? 0)} ${words[w] ?? ''} ${log10(backOff ?? 0)}\n`;
    }
    yield '\n\\2-grams:\n';
    for (let pair = 0; pair < twos; pair++) {
      const own = this.fromTable(0, this.pairs.field(pair, this.wordBits + 16, 16));
      const backOff = this.fromTable(1, this.pairs.field(pair, this.wordBits, 16));
      yield `${log10(own)} ${this.wordAt(this.pairs.word(pair))} ${this.wordAt(this.owner[pair] ?? 0)} ${log10(backOff)}\n`;
    }
    yield '\n\\3-grams:\n';
    for (let pair = 0; pair < twos; pair++) {
      const said = `${this.wordAt(this.pairs.word(pair))} ${this.wordAt(this.owner[pair] ?? 0)}`;
      for (let t = this.next(pair); t < this.next(pair + 1); t++) {
        const own = this.fromTable(2, this.triples.field(t, this.wordBits, 16));
        yield `${log10(own)} ${this.wordAt(this.triples.word(t))} ${said}\n`;
      }
    }
    yield '\n\\end\\\n';
  }

  wordAt(word: number): string {
    return this.words[word] ?? '';
  }

  numberOf(text: string): number | undefined {
    return this.numbers.get(text);
  }

  lnProbability(context: number, word: number): number {
    return lnBase * this.score(context, word);
  }

  advance(context: number, word: number): number {
    const last = this.lastOf(context);
    const pair =
      last < 0 ? -1 : this.pairs.find(last, this.firstPair(word), this.firstPair(word + 1));
    return pair < 0 ? word + 1 : this.size + 1 + pair;
  }

  private score(context: number, word: number): number {
    const last = this.lastOf(context);
    if (last < 0) return this.unigrams.getFloat32(12 * word, true);
    const pair = this.pairs.find(last, this.firstPair(word), this.firstPair(word + 1));
    const shorter =
      pair < 0
        ? this.unigrams.getFloat32(12 * last + 4, true) + this.unigrams.getFloat32(12 * word, true)
        : this.fromTable(0, this.pairs.field(pair, this.wordBits + 16, 16));
    if (context <= this.size) return shorter;
    const own = context - this.size - 1;
    if (pair >= 0) {
      const triple = this.triples.find(this.pairs.word(own), this.next(pair), this.next(pair + 1));
      if (triple >= 0) return this.fromTable(2, this.triples.field(triple, this.wordBits, 16));
    }
    return this.fromTable(1, this.pairs.field(own, this.wordBits, 16)) + shorter;
  }

  private lastOf(context: number): number {
    return context <= this.size ? context - 1 : (this.owner[context - this.size - 1] ?? -1);
  }

  private firstPair(word: number): number {
    return this.unigrams.getUint32(12 * word + 8, true);
  }

  private next(pair: number): number {
    return this.pairs.field(pair, this.wordBits + 32, this.nextBits);
  }

  private fromTable(table: number, bin: number): number {
    return this.tables[table * tableSize + bin] ?? 0;
  }
}
