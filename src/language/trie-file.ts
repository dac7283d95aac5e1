import { crc32 } from 'node:zlib';
import { Children } from './children.js';
import { packedBytes } from './packed.js';

/**
 * The language-model file: a line `kikitori-lm 1`, a line of JSON with the counts and what it was made of, then parts of
 * numbers, little-endian, each at a multiple of 8; at the end the CRC-32 of everything before. Every part's length follows
 * from the counts, so nothing is parsed: the reader lays typed arrays over the file. Reasons: ADR 46.
 */
const magic = 'kikitori-lm 1\n';
const checksumBytes = 4;
const headerBytesMax = 65_536;

/** Words are numbers of at most so many bits. */
export const wordBitsMax = 17;
export const wordsMax = 2 ** wordBitsMax - 1;
export const orderMax = 3;
/** n-grams of one order: their bits are counted in 31. */
const gramsMax = 60_000_000;

export interface Shape {
  readonly order: number;
  /** Words, pairs, triples. */
  readonly counts: readonly [number, number, number];
  /** Bytes of all words' letters. */
  readonly letters: number;
  /** Of a probability and a back-off of pairs and triples. */
  readonly bits: number;
  /** What the text was, by whom it may be used, how it was made. */
  readonly about: Readonly<Record<string, string | number>>;
}

export const wordBitsOf = (words: number): number => Math.max(1, 32 - Math.clz32(words - 1));

export type PartName = keyof ReturnType<typeof partBytes>;

/** Bytes of each part, in the order of the file. */
export function partBytes({ counts: [words, pairs, triples], letters, bits, order }: Shape) {
  const wordBits = wordBitsOf(words);
  const two = order > 1;
  const three = order > 2;
  return {
    wordEnds: 4 * words,
    wordLn: 4 * words,
    wordBackOff: 4 * words,
    wordPairs: two ? 4 * (words + 1) : 0,
    pairLns: two ? 4 * 2 ** bits : 0,
    pairBackOffs: three ? 4 * 2 ** bits : 0,
    tripleLns: three ? 4 * 2 ** bits : 0,
    pairTriples: three ? 4 * Children.words(pairs, triples) : 0,
    pairPlaces: three ? 4 * Children.placeCount(pairs) : 0,
    pairWord: two ? packedBytes(pairs, wordBits) : 0,
    pairLn: two ? packedBytes(pairs, bits) : 0,
    pairBackOff: three ? packedBytes(pairs, bits) : 0,
    tripleWord: three ? packedBytes(triples, wordBits) : 0,
    tripleLn: three ? packedBytes(triples, bits) : 0,
    letters,
  };
}

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** Bytes of the whole file. */
export function fileBytes(shape: Shape): number {
  const parts = Object.values(partBytes(shape)).reduce((sum, bytes) => sum + aligned(bytes), 0);
  return headerOf(shape).length + parts + checksumBytes;
}

function headerOf(shape: Shape): Buffer {
  const text = `${magic}${JSON.stringify(shape)}`;
  const length = aligned(Buffer.byteLength(text) + 1);
  return Buffer.from(`${text}${' '.repeat(length - 1 - Buffer.byteLength(text))}\n`);
}

export function joinFile(shape: Shape, parts: Readonly<Record<PartName, Uint8Array>>): Buffer {
  const file = Buffer.alloc(fileBytes(shape));
  let at = headerOf(shape).copy(file);
  for (const [name, bytes] of Object.entries(partBytes(shape))) {
    const part = parts[name as PartName];
    if (part.length !== bytes)
      throw new RangeError(`part ${name} has ${part.length} bytes, not ${bytes}`);
    file.set(part, at);
    at += aligned(bytes);
  }
  file.writeUInt32LE(crc32(file.subarray(0, at)), at);
  return file;
}

export interface SplitFile {
  readonly shape: Shape;
  readonly parts: Readonly<Record<PartName, Uint8Array>>;
}

export const isModelFile = (file: Uint8Array): boolean =>
  Buffer.from(file.subarray(0, magic.length)).toString('latin1') === magic;

/** Views of a file, after its header, length and checksum were looked at. Throws, saying what is wrong. */
export function splitFile(given: Uint8Array): SplitFile {
  if (!isModelFile(given)) throw new Error('this is no kikitori-lm file of format 1');
  // Arrays of four-byte numbers lie at multiples of four.
  const file = given.byteOffset % 8 === 0 ? given : new Uint8Array(given);
  const end = file.subarray(0, headerBytesMax).indexOf(10, magic.length);
  if (end < 0) throw new Error('it is cut off in its second line');
  const shape = shapeOf(Buffer.from(file.subarray(magic.length, end)).toString('utf8'));
  const sizes = partBytes(shape);
  const body = Object.values(sizes).reduce((sum, bytes) => sum + aligned(bytes), 0);
  const expected = end + 1 + body + checksumBytes;
  if (file.length !== expected)
    throw new Error(
      `it has ${file.length} bytes, by its counts ${expected}: it is ${file.length < expected ? 'cut off' : 'damaged'}`,
    );
  const sum = Buffer.from(file.buffer, file.byteOffset + expected - checksumBytes).readUInt32LE();
  if (crc32(file.subarray(0, expected - checksumBytes)) !== sum)
    throw new Error('its checksum does not fit: it is damaged');
  let at = end + 1;
  const parts: [string, Uint8Array][] = [];
  for (const [name, bytes] of Object.entries(sizes)) {
    parts.push([name, file.subarray(at, at + bytes)]);
    at += aligned(bytes);
  }
  return { shape, parts: Object.fromEntries(parts) as Record<PartName, Uint8Array> };
}

function shapeOf(json: string): Shape {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new Error('its second line is no JSON');
  }
  const { order, counts, letters, bits, about } = (value ?? {}) as Partial<
    Record<keyof Shape, unknown>
  >;
  const whole = (n: unknown, from: number, to: number): n is number =>
    Number.isInteger(n) && Number(n) >= from && Number(n) <= to;
  const numbers = Array.isArray(counts) ? (counts as unknown[]) : [];
  if (
    !whole(order, 1, orderMax) ||
    numbers.length !== 3 ||
    !whole(numbers[0], 3, wordsMax) ||
    !whole(numbers[1], 0, gramsMax) ||
    !whole(numbers[2], 0, gramsMax) ||
    !whole(letters, 0, 2 ** 28) ||
    !whole(bits, 2, 8) ||
    typeof about !== 'object' ||
    about === null
  )
    throw new Error('its second line holds no counts that can be');
  return value as Shape;
}
