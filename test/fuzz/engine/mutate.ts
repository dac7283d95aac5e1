/** Changes of bytes and of text that parsers stumble over. */
import type { Random } from './random.js';

type Change = (input: Buffer, random: Random, other: Buffer, words: readonly string[]) => Buffer;

const integers = [
  ...[0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, 1000, 1024, 4095, 4096],
  ...[32767, 32768, 65535, 65536, 1e6, 16777215, 16777216, 0x7fffffff, 0x80000000, 0xffffffff],
];
/** As people and programs write numbers. */
const numbers = [
  ...['0', '1', '-1', '2', '10', '99', '100', '255', '256', '999', '1000', '65536', '1000000'],
  ...['2147483647', '2147483648', '4294967295', '9007199254740993', '1e3', '1e309', '-0', '0.5'],
  ...['.5', '1.', '00', '007', '0x10', '1_000', '1,5', '1/2', 'NaN', 'Infinity', '١٢'],
];
const oddities = [
  ...['\0', '\r', '\n', '\r\n', '\t', ' ', '\u00a0', '\u2028', '\ufeff', '\u200b', '\u0301', 'é'],
  ...['ß', 'İ', '日本', '😀', '\u{1F468}\u200D\u{1F469}', '\ud800', '½', '²', '°', '\u001b[31m'],
  ...['"', "'", '`', '\\', '/', '../', '..\\', '%', '$', '#', '&', '*', '<', '>', '|', '~', '!'],
  ...['{', '}', '[', ']', '(', ')', ':', ';', ',', '=', '-', '+', '?', '@', '__proto__'],
  ...['constructor', 'toString', 'hasOwnProperty', 'null', 'true', '{}', '[]', '""'],
];

function replaced(input: Buffer, from: number, to: number, by: Uint8Array): Buffer {
  return Buffer.concat([input.subarray(0, from), by, input.subarray(to)]);
}

function range(input: Buffer, random: Random): [from: number, to: number] {
  const from = random.below(input.length + 1);
  return [from, Math.min(input.length, from + random.size(Math.max(1, input.length)))];
}

function overwrite(input: Buffer, width: number, value: (at: number) => number, random: Random) {
  if (input.length < width) return input;
  const copy = Buffer.from(input);
  const at = random.below(input.length - width + 1);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value(at) >>> 0);
  const piece = bytes.subarray(0, width);
  if (random.chance(0.3)) piece.reverse();
  piece.copy(copy, at);
  return copy;
}

const bytesAlone: readonly Change[] = [
  (input, random) => {
    const copy = Buffer.from(input);
    const at = random.below(copy.length);
    if (copy.length > 0) copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
    return copy;
  },
  (input, random) => overwrite(input, 1, () => random.below(256), random),
  (input, random) => overwrite(input, random.of([1, 2, 4]), () => random.of(integers), random),
  (input, random) => {
    const by = random.size(16) * random.of([1, -1]);
    const width = random.of([1, 2, 4]);
    return overwrite(
      input,
      width,
      (at) => input.readUIntLE(Math.min(at, input.length - width), width) + by,
      random,
    );
  },
];

const everywhere: readonly Change[] = [
  (input, random) => replaced(input, ...range(input, random), Buffer.alloc(0)),
  (input, random) => {
    const [from, to] = range(input, random);
    return replaced(input, to, to, input.subarray(from, to));
  },
  (input, random) => {
    const [from, to] = range(input, random);
    const piece = input.subarray(from, Math.min(to, from + 64));
    return replaced(input, to, to, Buffer.concat(Array(random.size(64)).fill(piece)));
  },
  (input, random) => {
    const piece = input.subarray(...range(input, random));
    return replaced(input, ...range(input, random), piece);
  },
  (input, random, other) => {
    const piece = other.subarray(...range(other, random));
    return replaced(input, ...range(input, random), piece);
  },
  (input, random, other) =>
    Buffer.concat([
      input.subarray(0, random.below(input.length + 1)),
      other.subarray(random.below(other.length + 1)),
    ]),
  (input, random) => {
    const at = random.below(input.length + 1);
    return replaced(input, at, at, Buffer.from(random.of(oddities)));
  },
  (input, random, _, words) => {
    if (words.length === 0) return input;
    const at = random.below(input.length + 1);
    const word = Buffer.from(random.of(words));
    return replaced(input, at, random.chance(0.5) ? at : at + word.length, word);
  },
];

/** A word or number of the text in place of another; lines moved, doubled, left out. */
const ofText: readonly Change[] = [
  (input, random) => piecewise(input, /-?\d[\d.]*/g, random, () => random.of(numbers)),
  (input, random, _, words) =>
    piecewise(input, /[\p{L}_][\p{L}\d_-]*/gu, random, (old) =>
      words.length > 0 && random.chance(0.7) ? random.of(words) : old.slice(random.below(3)) + old,
    ),
  (input, random, other) =>
    piecewise(input, /[^\n]*\n?/g, random, (line) =>
      random.of([
        () => '',
        () => line + line,
        () => `  ${line}`,
        () => line.trimStart(),
        () => pieceOf(other, /[^\n]+\n?/g, random) + line,
      ])(),
    ),
  (input, random, other) =>
    piecewise(
      input,
      /"[^"\n]*"|\([^()\n]*\)|\[[^[\]\n]*\]|\{[^{}\n]*\}|<[^<>\n]*>/g,
      random,
      (old) =>
        random.of([
          () => old + old,
          () => old.slice(1),
          () => old.slice(0, -1),
          () => old.at(0) + old + old.at(-1),
          () => pieceOf(other, /"[^"\n]*"|\([^()\n]*\)|\{[^{}\n]*\}/g, random),
        ])(),
    ),
];

function piecewise(
  input: Buffer,
  pattern: RegExp,
  random: Random,
  change: (old: string) => string,
): Buffer {
  const text = input.toString();
  const found = [...text.matchAll(pattern)].filter((m) => m[0] !== '');
  if (found.length === 0) return input;
  const chosen = random.of(found);
  const end = chosen.index + chosen[0].length;
  return Buffer.from(text.slice(0, chosen.index) + change(chosen[0]) + text.slice(end));
}

function pieceOf(other: Buffer, pattern: RegExp, random: Random): string {
  const found = other.toString().match(pattern) ?? [''];
  return random.of(found);
}

/** One to a few changes, one upon the other. */
export function mutated(
  input: Buffer,
  random: Random,
  other: Buffer,
  { words, text, bytesMax }: { words: readonly string[]; text: boolean; bytesMax: number },
): Buffer {
  const changes = text
    ? [...everywhere, ...ofText, ...ofText, ...(random.chance(0.1) ? bytesAlone : [])]
    : [...bytesAlone, ...bytesAlone, ...everywhere, ...(random.chance(0.3) ? ofText : [])];
  let result = input;
  for (let left = random.size(4); left > 0; left--)
    result = random.of(changes)(result, random, other, words).subarray(0, bytesMax);
  return result;
}
