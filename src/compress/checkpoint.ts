import { readFile } from 'node:fs/promises';
import type { FeatureOptions } from '../bundle/index.js';
import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';

/** A matrix or vector of a checkpoint, row-major. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What the trainer wrote: a trained network and how its input is made. */
export interface Checkpoint {
  readonly features: FeatureOptions;
  readonly units: readonly string[];
  /** Cells per LSTM layer. */
  readonly layers: readonly number[];
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly training: Readonly<Record<string, unknown>>;
}

const bytesPerValue: Readonly<Record<string, number>> = { F32: 4, F16: 2 };

/** Reads a safetensors file: 8 bytes of header length, a JSON header, raw little-endian tensors. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  try {
    return parseCheckpoint(await readFile(path), path);
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    throw wrong(path, codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error));
  }
}

function wrong(where: string, what: string, expected?: string): KikitoriError {
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

export function parseCheckpoint(bytes: Uint8Array, where: string): Checkpoint {
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
  let meta: Record<string, unknown>;
  try {
    header = JSON.parse(
      Buffer.from(bytes.subarray(8, 8 + headerLength)).toString('utf8'),
    ) as Record<string, unknown>;
    const metadata = header['__metadata__'] as { kikitori?: string } | undefined;
    meta = JSON.parse(metadata?.kikitori ?? 'null') as Record<string, unknown>;
  } catch (error) {
    throw wrong(where, `the header is damaged: ${messageOf(error)}`);
  }
  if (meta === null || meta['format'] !== 1) {
    throw wrong(
      where,
      'there is no kikitori metadata of format 1 in it',
      'a checkpoint of this trainer',
    );
  }
  const body = bytes.subarray(8 + headerLength);
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    if (!isEntry(entry)) throw wrong(where, `the entry of "${name}" has the wrong shape`);
    tensors.set(name, readTensor(name, entry, body, where));
  }
  const network = meta['network'] as { layers?: unknown } | undefined;
  const checkpoint: Checkpoint = {
    features: meta['features'] as FeatureOptions,
    units: meta['units'] as string[],
    layers: network?.layers as number[],
    tensors,
    training: (meta['training'] ?? {}) as Record<string, unknown>,
  };
  checkShapes(checkpoint, where);
  return checkpoint;
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

/** IEEE 754 binary16 -> number. */
export function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** number -> IEEE 754 binary16, round to nearest even. */
export function floatToHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  const even = (x: number) => {
    const floor = Math.floor(x);
    const rest = x - floor;
    return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  };
  if (size < 2 ** -14) return sign | even(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  // Rounding up to 2048 carries into the exponent by itself.
  return sign | ((((exponent + 15) << 10) | 0) + even((size / 2 ** exponent) * 1024) - 1024);
}

function checkShapes(c: Checkpoint, where: string): void {
  const faults: string[] = [];
  if (
    !Array.isArray(c.units) ||
    !Array.isArray(c.layers) ||
    c.layers.length === 0 ||
    typeof c.features !== 'object'
  ) {
    throw wrong(where, 'features, units or network.layers are missing from the metadata');
  }
  const expect = (name: string, ...shape: number[]) => {
    const got = c.tensors.get(name)?.shape;
    if (got === undefined) faults.push(`${name} is missing`);
    else if (got.join() !== shape.join())
      faults.push(`${name} is [${got.join()}], expected [${shape.join()}]`);
  };
  let below = c.features.stack * c.features.melBins;
  (c.layers as readonly number[]).forEach((cells, l) => {
    expect(`lstm.${l}.weight_ih`, 4 * cells, below);
    expect(`lstm.${l}.weight_hh`, 4 * cells, cells);
    expect(`lstm.${l}.bias`, 4 * cells);
    below = cells;
  });
  expect('output.weight', c.units.length, below);
  expect('output.bias', c.units.length);
  if (faults.length > 0) throw wrong(where, faults.join('; '));
}

/** A tensor that checkShapes has seen. */
export function tensorOf(c: Checkpoint, name: string): Tensor {
  const tensor = c.tensors.get(name);
  if (tensor === undefined) throw new Error(`no tensor ${name}`);
  return tensor;
}
