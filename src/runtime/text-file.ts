import { Buffer } from 'node:buffer';
import { KikitoriError, type ErrorKind } from './errors.js';

/**
 * The text of a file in UTF-8. Anything else would lose letters in silence. It is refused with its place and the encoding
 * that it looks like. A byte order mark is left out. Lines may end in LF, CRLF or CR.
 */
export function decodeText(bytes: Uint8Array, where: string, kind: ErrorKind = 'input'): string {
  // A configuration may hold a password: nothing of it is shown.
  const found = wideEncoding(bytes) ?? damage(bytes, kind !== 'config');
  if (found !== null) throw refused(found, where, kind);
  return new TextDecoder().decode(bytes).replace(/\r(?!\n)/g, '\n');
}

interface Finding {
  readonly what: string;
  readonly line: number;
  readonly column: number;
  /** As iconv names it. */
  readonly encoding?: string;
}

function refused({ what, line, column, encoding }: Finding, where: string, kind: ErrorKind) {
  return new KikitoriError(what, {
    kind,
    where: `${where}:${line}:${column}`,
    expected: 'UTF-8',
    hint:
      encoding === undefined
        ? 'save it as UTF-8'
        : `save it as UTF-8: iconv -f ${encoding} -t UTF-8 OLD > NEW`,
  });
}

const marks: readonly (readonly [string, readonly number[]])[] = [
  ['UTF-32LE', [0xff, 0xfe, 0, 0]],
  ['UTF-32BE', [0, 0, 0xfe, 0xff]],
  ['UTF-16LE', [0xff, 0xfe]],
  ['UTF-16BE', [0xfe, 0xff]],
];

/** Encodings of two and four bytes, by their mark or by their zero bytes, which no text has. */
function wideEncoding(bytes: Uint8Array): Finding | null {
  const start = { line: 1, column: 1 };
  const mark = marks.find(([, begin]) => begin.every((byte, i) => bytes[i] === byte));
  if (mark !== undefined)
    return {
      what: `the file begins with the byte order mark of ${mark[0]}`,
      encoding: mark[0],
      ...start,
    };
  const first = bytes.indexOf(0);
  if (first < 0) return null;
  const zeros = [0, 0];
  bytes.subarray(0, 65_536).forEach((byte, i) => {
    if (byte === 0) zeros[i % 2] = (zeros[i % 2] ?? 0) + 1;
  });
  const [even = 0, odd = 0] = zeros;
  const encoding = odd > 9 * even ? 'UTF-16LE' : even > 9 * odd ? 'UTF-16BE' : undefined;
  // A text of 16 bits has zeros from its first letters on.
  if (encoding !== undefined && 8 * (even + odd) > Math.min(bytes.length, 65_536))
    return { what: `this looks like ${encoding}`, encoding, ...start };
  const before = new TextDecoder().decode(bytes.subarray(0, first));
  return { what: `byte ${first} is zero: this is no text file`, ...placeAfter(before) };
}

/** The first byte that is no UTF-8. */
function damage(bytes: Uint8Array, shows: boolean): Finding | null {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const known = Buffer.from('\uFFFD');
  let at = 0;
  let offset = 0;
  for (const letter of text) {
    const size = Buffer.byteLength(letter);
    if (letter === '\uFFFD' && !known.equals(bytes.subarray(offset, offset + size))) {
      return { ...guess(bytes, offset, shows), ...placeAfter(text.slice(0, at)) };
    }
    offset += size;
    at += letter.length;
  }
  return null;
}

/** What the file may be instead. If it has valid letters of several bytes elsewhere, it is damaged UTF-8. */
function guess(bytes: Uint8Array, offset: number, shows: boolean) {
  const value = `0x${(bytes[offset] ?? 0).toString(16).toUpperCase()}`;
  const shown = `byte ${offset}${shows ? ` (${value})` : ''} is no UTF-8`;
  if (/[^\u0000-\u007F\uFFFD]/.test(new TextDecoder().decode(bytes)))
    return { what: `${shown}, and other letters are: the file is damaged, or made of two` };
  // Windows has letters where Latin-1 has control characters.
  const windows = bytes.some((byte) => byte >= 0x80 && byte < 0xa0);
  const name = windows ? 'Windows-1252' : 'Latin-1 (ISO 8859-1) or Windows-1252';
  const byte = bytes[offset] ?? 0;
  const meant = shows && byte >= 0xa0 ? `, where it is "${String.fromCharCode(byte)}"` : '';
  return { what: `${shown}: this looks like ${name}${meant}`, encoding: 'WINDOWS-1252' };
}

function placeAfter(text: string): { line: number; column: number } {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}
