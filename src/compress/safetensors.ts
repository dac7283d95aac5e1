import { readFile } from 'node:fs/promises';
import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';
import { floatToHalf, halfToFloat } from './half.js';

/** A matrix or vector, row-major. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const bytesPerValue: Readonly<Record<string, number>> = { F32: 4, F16: 2 };

export function wrong(where: string, what: string, expected?: string): KikitoriError {
  return new KikitoriError(what, {
    kind: 'input',
    where,
    expected,
    hint: 'write the checkpoint again',
  });
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

function isEntry(value: unknown): value is Entry {
  const entry = value as Partial<Entry> | null;
  const whole = (v: unknown) => Array.isArray(v) && v.every((n) => Number.isInteger(n) && n >= 0);
  return (
    typeof entry === 'object' &&
    entry !== null &&
    typeof entry.dtype === 'string' &&
    whole(entry.shape) &&
    whole(entry.data_offsets) &&
    entry.data_offsets?.length === 2
  );
}

/**
 * A safetensors file: 8 bytes of header length, a JSON header, raw little-endian tensors. Floats of
 * 2 or 4 bytes; a value that is not finite is refused.
 */
export function parseSafetensors(bytes: Uint8Array, where: string): Safetensors {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8) throw wrong(where, `only ${bytes.length} bytes long`, 'a safetensors file');
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > bytes.length - 8) {
    throw wrong(
      where,
      `the header says ${headerLength} bytes and ${bytes.length - 8} follow`,
      'a whole safetensors file',
    );
  }
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(
      Buffer.from(bytes.subarray(8, 8 + headerLength)).toString('utf8'),
    ) as Record<string, unknown>;
  } catch (error) {
    throw wrong(where, `the header is damaged: ${messageOf(error)}`);
  }
  if (typeof header !== 'object' || header === null) throw wrong(where, 'the header is no object');
  const body = bytes.subarray(8 + headerLength);
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    if (!isEntry(entry)) throw wrong(where, `the entry of "${name}" has the wrong shape`);
    tensors.set(name, readTensor(name, entry, body, where));
  }
  const metadata = header['__metadata__'] ?? {};
  if (!areTexts(metadata)) throw wrong(where, 'its __metadata__ are no texts', 'texts with names');
  return { tensors, metadata };
}

const areTexts = (value: unknown): value is Readonly<Record<string, string>> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((text) => typeof text === 'string');

/** Reads a safetensors file. */
export async function readSafetensors(path: string): Promise<Safetensors> {
  try {
    return parseSafetensors(await readFile(path), path);
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    throw wrong(path, codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error));
  }
}

function readTensor(name: string, entry: Entry, body: Uint8Array, where: string): Tensor {
  const size = bytesPerValue[entry.dtype];
  if (size === undefined) throw wrong(where, `"${name}" is ${entry.dtype}`, 'F32 or F16');
  const count = entry.shape.reduce((a, b) => a * b, 1);
  const [begin, end] = entry.data_offsets;
  if (end > body.length || end - begin !== count * size) {
    throw wrong(
      where,
      `"${name}" claims bytes ${begin} to ${end} of ${body.length} for ${count} values`,
    );
  }
  const view = new DataView(body.buffer, body.byteOffset + begin, end - begin);
  const data = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const value =
      size === 4 ? view.getFloat32(4 * i, true) : halfToFloat(view.getUint16(2 * i, true));
    if (!Number.isFinite(value))
      throw wrong(where, `"${name}" holds ${value} at ${i}`, 'finite weights');
    data[i] = value;
  }
  return { shape: entry.shape, data };
}

/** The bytes of a safetensors file. The same input gives the same bytes. */
export function encodeSafetensors(
  { tensors, metadata }: Safetensors,
  dtype: 'F32' | 'F16' = 'F32',
): Uint8Array {
  const size = dtype === 'F32' ? 4 : 2;
  const header: Record<string, unknown> = { __metadata__: metadata };
  let bodyBytes = 0;
  for (const [name, { shape, data }] of tensors) {
    const end = bodyBytes + size * data.length;
    header[name] = { dtype, shape, data_offsets: [bodyBytes, end] };
    bodyBytes = end;
  }
  let json = JSON.stringify(header);
  // Tensors begin at a multiple of 8 bytes, as the format's own library writes them.
  json += ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8);
  const head = Buffer.from(json);
  const out = new Uint8Array(8 + head.length + bodyBytes);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(head.length), true);
  out.set(head, 8);
  let at = 8 + head.length;
  for (const { data } of tensors.values()) {
    for (const value of data) {
      if (size === 4) view.setFloat32(at, value, true);
      else view.setUint16(at, floatToHalf(value), true);
      at += size;
    }
  }
  return out;
}
