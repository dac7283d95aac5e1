import { packed as pack, unpacked } from '../../runtime/brotli.js';
import { messageOf } from '../../runtime/errors.js';

/**
 * The lexicon file: a line `kikitori-lexicon 2`, a line of JSON {units, parts: [{name, packed, bytes}]}, then the parts.
 * Each part is compressed with brotli by itself: a reader unpacks what it needs when it needs it. The sizes must add up to
 * the file, to the byte.
 */
const magic = 'kikitori-lexicon 2';
const newline = 10;
/** A larger part is refused before it is unpacked. */
const partBytesMax = 16 * 1024 * 1024;
/** Units are written as bytes, with room for the dictionary's other symbols. */
const unitsMax = 128;

interface PartSizes {
  readonly name: string;
  /** Bytes in the file, and when unpacked. */
  readonly packed: number;
  readonly bytes: number;
}

export interface Container {
  readonly units: readonly string[];
  /** Packed bytes of each part, views of the file. */
  readonly parts: ReadonlyMap<string, PackedPart>;
}

export interface PackedPart {
  readonly bytes: Uint8Array;
  readonly unpackedBytes: number;
}

export const isContainer = (file: Uint8Array): boolean =>
  Buffer.from(file.subarray(0, magic.length + 1)).toString('latin1') === `${magic}\n`;

/** @param effort brotli's quality, 0 to 11. */
export function writeContainer(
  units: readonly string[],
  parts: ReadonlyMap<string, Uint8Array>,
  effort?: number,
): Uint8Array {
  const sizes: PartSizes[] = [];
  const bodies: Uint8Array[] = [];
  for (const [name, bytes] of parts) {
    const packed = pack(bytes, effort);
    sizes.push({ name, packed: packed.length, bytes: bytes.length });
    bodies.push(packed);
  }
  const header = `${magic}\n${JSON.stringify({ units, parts: sizes })}\n`;
  return Buffer.concat([Buffer.from(header), ...bodies]);
}

/** Splits a file into its parts without unpacking any. Throws when a size does not fit. */
export function readContainer(file: Uint8Array): Container {
  const from = magic.length + 1;
  const end = file.indexOf(newline, from);
  if (end < 0) throw new Error('the file is cut off');
  const header = JSON.parse(Buffer.from(file.subarray(from, end)).toString('utf8')) as Partial<{
    units: unknown;
    parts: unknown;
  }> | null;
  const { units, parts: sizes } = header ?? {};
  if (!isStrings(units) || units.length === 0 || units.length > unitsMax)
    throw new Error('its second line names no units');
  if (!Array.isArray(sizes) || !sizes.every(isSizes))
    throw new Error('its second line says no sizes of parts');
  const parts = new Map<string, PackedPart>();
  let at = end + 1;
  for (const { name, packed, bytes } of sizes) {
    parts.set(name, { bytes: file.subarray(at, at + packed), unpackedBytes: bytes });
    at += packed;
  }
  if (at > file.length) throw new Error('the file is cut off');
  if (at < file.length) throw new Error('more follows than the file says');
  return { units, parts };
}

/** Unpacks a part into one piece of memory. */
export function unpack(part: PackedPart): Buffer {
  try {
    return unpacked(part.bytes, part.unpackedBytes);
  } catch (error) {
    throw new Error(`a part ${messageOf(error)}`, { cause: error });
  }
}

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((v) => typeof v === 'string');

function isSizes(value: unknown): value is PartSizes {
  const { name, packed, bytes } = (value ?? {}) as Partial<Record<keyof PartSizes, unknown>>;
  const size = (n: unknown) => typeof n === 'number' && Number.isInteger(n) && n > 0;
  return typeof name === 'string' && size(packed) && size(bytes) && Number(bytes) <= partBytesMax;
}
