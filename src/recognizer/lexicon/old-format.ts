import { gunzipSync } from 'node:zlib';
import type { Dictionary } from './dictionary.js';
import { readHeader, suffixOf, type Rules } from './rule-tree.js';

/**
 * The first format of the lexicon file. Only read: boards in the field may still hold it in a slot. It is gzip of
 * 1. a line `kikitori-lexicon 1`;
 * 2. a line of JSON {units, words, g2p}, the last two the bytes of the parts;
 * 3. the dictionary: lines `word TAB phones`, sorted by byte value, a line for each variant; phone n is the character
 *    with code 64 + n;
 * 4. the letter-to-sound rules.
 */
export interface OldLexicon {
  readonly units: readonly string[];
  readonly dictionary: Dictionary;
  /** Empty when the file has none. */
  readonly rules: Uint8Array;
}

/** More is no lexicon. */
const unpackedBytesMax = 64 * 1024 * 1024;
const phoneOffset = 64;
const newline = 10;
const tab = 9;
const costUnits = 16;
const backOffOffset = 96;

export const isOldLexicon = (file: Uint8Array): boolean => file[0] === 0x1f && file[1] === 0x8b;

export function readOldLexicon(file: Uint8Array): OldLexicon {
  const bytes = gunzipSync(file, {
    chunkSize: sizeWithin(file),
    maxOutputLength: unpackedBytesMax,
  });
  const firstEnd = bytes.indexOf(newline);
  const secondEnd = bytes.indexOf(newline, firstEnd + 1);
  if (bytes.toString('utf8', 0, firstEnd) !== 'kikitori-lexicon 1')
    throw new Error('unknown format');
  const header: unknown = JSON.parse(bytes.toString('utf8', firstEnd + 1, secondEnd));
  const { units, words, g2p = 0 } = (header ?? {}) as Record<string, unknown>;
  if (!areUnits(units) || !isSize(words) || !isSize(g2p))
    throw new Error('its second line says neither units nor bytes');
  const begin = secondEnd + 1;
  const end = begin + words;
  const rulesEnd = end + g2p;
  if (rulesEnd > bytes.length) throw new Error('the file is cut off');
  const lines = bytes.subarray(begin, end);
  checkPhones(lines, units.length);
  return { units, dictionary: new DictionaryLines(lines), rules: bytes.subarray(end, rulesEnd) };
}

const isSize = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;
const areUnits = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((unit) => typeof unit === 'string');

/** What stands between a tab and the end of its line are phones. */
function checkPhones(lines: Buffer, units: number): void {
  for (let at = lines.indexOf(tab); at >= 0;) {
    const end = lines.indexOf(newline, at);
    const stop = end < 0 ? lines.length : end;
    for (let i = at + 1; i < stop; i++) {
      const phone = (lines[i] ?? 0) - phoneOffset;
      if (phone < 1 || phone >= units)
        throw new Error('the dictionary names phones that there are not');
    }
    at = lines.indexOf(tab, stop);
  }
}

/**
 * A chunk that holds all of the unpacked file, and one byte: see unpack in container.ts. The last four bytes of a gzip
 * file say its unpacked size (RFC 1952).
 */
function sizeWithin(file: Uint8Array): number {
  const end = file.length;
  const size = end < 4 ? 0 : Buffer.from(file.buffer, file.byteOffset, end).readUInt32LE(end - 4);
  return Math.min(Math.max(size + 1, 64 * 1024), unpackedBytesMax);
}

class DictionaryLines implements Dictionary {
  constructor(private readonly lines: Buffer) {}

  /** Bisection over lines; gathers the neighbours that are the same word. */
  find(word: string): number[][] {
    const d = this.lines;
    const wanted = Buffer.from(`${word}\t`);
    let low = 0;
    let high = d.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const start = middle === 0 ? 0 : d.lastIndexOf(newline, middle - 1) + 1;
      if (compareAt(d, start, wanted) < 0) {
        const end = d.indexOf(newline, middle);
        low = end < 0 ? d.length : end + 1;
      } else high = start;
    }
    const found: number[][] = [];
    for (let at = low; at < d.length && compareAt(d, at, wanted) === 0;) {
      const end = d.indexOf(newline, at);
      const stop = end < 0 ? d.length : end;
      found.push([...d.subarray(at + wanted.length, stop)].map((code) => code - phoneOffset));
      at = stop + 1;
    }
    return found;
  }

  *all(): Generator<number[]> {
    const d = this.lines;
    for (let at = 0; at < d.length;) {
      const end = d.indexOf(newline, at);
      const stop = end < 0 ? d.length : end;
      const from = d.indexOf(tab, at) + 1;
      if (from > at && from < stop)
        yield [...d.subarray(from, stop)].map((code) => code - phoneOffset);
      at = stop + 1;
    }
  }
}

/** Order of the line at `at` against `wanted` (a word and its tab); 0 when it begins with it. */
function compareAt(d: Buffer, at: number, wanted: Buffer): number {
  for (let i = 0; i < wanted.length; i++) {
    const a = at + i < d.length ? (d[at + i] ?? tab) : tab;
    const b = wanted[i] ?? tab;
    if (a !== b) return a - b;
  }
  return 0;
}

/** A line of JSON, then for all nodes, each as one block: children (2 bytes), symbol (2), cost, back-off. */
export function decodeOldRules(bytes: Uint8Array, units = Infinity): Rules {
  const end = bytes.indexOf(newline);
  const { format, ngrams, header } = readHeader(bytes.subarray(0, Math.max(0, end)), units);
  if (format !== 1) throw new Error('unknown format of letter-to-sound rules');
  if (!Array.isArray(ngrams) || !ngrams.every(isSize))
    throw new Error('letter-to-sound rules do not say how many there are');
  const nodes = ngrams.reduce((a, b) => a + b, 1);
  const body = bytes.subarray(end + 1);
  if (body.length !== nodes * 6) throw new Error('letter-to-sound rules are cut off');
  const two = (at: number) => (body[at] ?? 0) + 256 * (body[at + 1] ?? 0);
  const firstChild = new Int32Array(nodes + 1);
  const symbol = new Uint16Array(nodes);
  firstChild[0] = 1;
  for (let n = 0; n < nodes; n++) {
    firstChild[n + 1] = (firstChild[n] ?? 0) + two(2 * n);
    symbol[n] = two(2 * (nodes + n));
    // A node's own number is below its children's: no chain of suffixes is a circle.
    if ((firstChild[n] ?? 0) <= n || (symbol[n] ?? 0) >= header.graphones.length)
      throw new Error('letter-to-sound rules are damaged');
  }
  if (firstChild[nodes] !== nodes) throw new Error('letter-to-sound rules are damaged');
  const tree = {
    firstChild,
    symbol,
    cost: new Uint8Array(body.subarray(nodes * 4, nodes * 5)),
    backOff: Int8Array.from(body.subarray(nodes * 5), (b) => b - backOffOffset),
    suffix: new Int32Array(nodes),
  };
  for (let parent = 0; parent < nodes; parent++) {
    const to = firstChild[parent + 1] ?? 0;
    for (let n = firstChild[parent] ?? 0; n < to; n++)
      tree.suffix[n] = suffixOf(tree, parent, symbol[n] ?? 0);
  }
  return { header: { ...header, costUnits }, tree };
}
