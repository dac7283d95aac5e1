import { BackOffModel } from './back-off.js';
import { Children } from './children.js';
import { Packed } from './packed.js';
import { splitFile, wordBitsOf, type PartName, type Shape } from './trie-file.js';

/** A language model as it lies in its file: nothing is unpacked, and nothing but its words' names becomes an object. */
export class TrieModel extends BackOffModel {
  readonly shape: Shape;
  readonly order: number;
  readonly size: number;
  readonly end: number;
  readonly unknown: number;
  readonly begin: number;
  private readonly letters: Uint8Array;
  private readonly wordEnds: Uint32Array;
  private readonly wordLn: Float32Array;
  private readonly wordBackOff: Float32Array;
  private readonly wordPairs: Uint32Array;
  private readonly pairWord: Packed;
  private readonly pairLn: Packed;
  private readonly pairBackOff: Packed;
  private readonly pairLns: Float32Array;
  private readonly pairBackOffs: Float32Array;
  private readonly children: Children;
  private readonly tripleWord: Packed;
  private readonly tripleLn: Packed;
  private readonly tripleLns: Float32Array;

  /** @throws Error that says what is wrong with the file. */
  constructor(file: Uint8Array) {
    super();
    const { shape, parts } = splitFile(file);
    const numbers = (name: PartName) =>
      new Uint32Array(parts[name].buffer, parts[name].byteOffset, parts[name].length / 4);
    const reals = (name: PartName) =>
      new Float32Array(parts[name].buffer, parts[name].byteOffset, parts[name].length / 4);
    const wordBits = wordBitsOf(shape.counts[0]);
    this.shape = shape;
    this.order = shape.order;
    this.size = shape.counts[0];
    this.letters = parts.letters;
    this.wordEnds = numbers('wordEnds');
    this.wordLn = reals('wordLn');
    this.wordBackOff = reals('wordBackOff');
    this.wordPairs = numbers('wordPairs');
    this.pairWord = new Packed(parts.pairWord, wordBits);
    this.pairLn = new Packed(parts.pairLn, shape.bits);
    this.pairBackOff = new Packed(parts.pairBackOff, shape.bits);
    this.pairLns = reals('pairLns');
    this.pairBackOffs = reals('pairBackOffs');
    this.children = new Children(numbers('pairTriples'), numbers('pairPlaces'));
    this.tripleWord = new Packed(parts.tripleWord, wordBits);
    this.tripleLn = new Packed(parts.tripleLn, shape.bits);
    this.tripleLns = reals('tripleLns');
    this.look();
    const [begin, end, unknown] = ['<s>', '</s>', '<unk>'].map((word) => {
      const number = this.numberOf(word);
      if (number === undefined) throw new Error(`it has no word ${word}`);
      return number;
    }) as [number, number, number];
    this.end = end;
    this.unknown = unknown;
    this.begin = this.order > 1 && this.isContextWord(begin) ? 1 + begin : this.empty;
  }

  /** What a checksum does not say: offsets lead from word to letters, pairs and triples, and probabilities are numbers. */
  private look(): void {
    const { shape, wordEnds, wordPairs } = this;
    const [words, pairs, triples] = shape.counts;
    const rises = (offsets: Uint32Array, end: number) =>
      offsets.every((at, i) => at >= (offsets[i - 1] ?? 0)) && offsets.at(-1) === end;
    if (!rises(wordEnds, shape.letters)) throw new Error('its words end where no letters are');
    if (shape.order > 1 && (wordPairs[0] !== 0 || !rises(wordPairs, pairs)))
      throw new Error('its words have pairs that it has not');
    for (let pair = 0; pair < pairs; pair++)
      if (this.pairWord.at(pair) >= words)
        throw new Error(`pair ${pair} has a word that it has not`);
    if (shape.order > 2 && !this.children.fits(pairs, triples))
      throw new Error('its pairs have triples that it has not');
    const tables = [this.wordLn, this.wordBackOff, this.pairLns, this.pairBackOffs, this.tripleLns];
    if (!tables.every((table) => table.every(Number.isFinite)))
      throw new Error('a probability of it is no number');
  }

  wordAt(word: number): string {
    if (!(word >= 0 && word < this.size)) throw new RangeError(`word ${word} of ${this.size}`);
    const letters = this.lettersOf(word);
    return Buffer.from(letters.buffer, letters.byteOffset, letters.length).toString('utf8');
  }

  /** By halves: words lie in the order of their bytes. */
  numberOf(text: string): number | undefined {
    const sought = Buffer.from(text);
    let low = 0;
    let high = this.size - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = Buffer.compare(this.lettersOf(middle), sought);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** Numbers of the first pair of a word and of the one behind its last. */
  pairsOf(word: number): readonly [number, number] {
    return this.order > 1
      ? [this.wordPairs[word] as number, this.wordPairs[word + 1] as number]
      : [0, 0];
  }

  triplesOf(pair: number): readonly [number, number] {
    if (this.order < 3) return [0, 0];
    const place = this.children.place(pair);
    return [place - pair, this.children.next(place) - pair - 1];
  }

  /** Third word and probability of a triple. */
  tripleAt(triple: number): { readonly word: number; readonly ln: number } {
    return { word: this.tripleWord.at(triple), ln: this.lnOfTriple(triple) };
  }

  lnOfWord(word: number): number {
    return this.wordLn[word] as number;
  }
  lnBackOffOfWord(word: number): number {
    return this.wordBackOff[word] as number;
  }
  secondOf(pair: number): number {
    return this.pairWord.at(pair);
  }
  lnOfPair(pair: number): number {
    return this.pairLns[this.pairLn.at(pair)] as number;
  }
  lnBackOffOfPair(pair: number): number {
    return this.order > 2 ? (this.pairBackOffs[this.pairBackOff.at(pair)] as number) : 0;
  }
  protected lnOfTriple(triple: number): number {
    return this.tripleLns[this.tripleLn.at(triple)] as number;
  }
  protected isContextWord(word: number): boolean {
    return (
      this.wordBackOff[word] !== 0 ||
      (this.wordPairs[word] as number) < (this.wordPairs[word + 1] as number)
    );
  }
  /** Back-off 0 of the table is of pairs that nothing extends. */
  protected isContextPair(pair: number): boolean {
    return this.pairBackOff.at(pair) !== 0;
  }
  protected pairOf(first: number, second: number): number {
    if (this.order < 2) return -1;
    const { wordPairs } = this;
    return this.pairWord.find(second, wordPairs[first] as number, wordPairs[first + 1] as number);
  }
  protected tripleOf(pair: number, third: number): number {
    if (this.pairBackOff.at(pair) === 0) return -1;
    const place = this.children.place(pair);
    return this.tripleWord.find(third, place - pair, this.children.next(place) - pair - 1);
  }

  private lettersOf(word: number): Uint8Array {
    const from = word === 0 ? 0 : (this.wordEnds[word - 1] as number);
    return this.letters.subarray(from, this.wordEnds[word]);
  }
}
