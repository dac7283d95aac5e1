import type { Tensor } from '../safetensors.js';
import { dequantizeRows, quantizeRows, type ByteMatrix } from './grid.js';
import { nibbleRows } from './nibble-grid.js';

/**
 * How the weights of a network with 8-bit activations are stored; the products are the same (docs/quantization.md).
 * `mixed`: in 4 bits what lies on their grid, the rest in 8.
 */
export type IntegerFormat = 'uint8' | 'int4' | 'mixed';

export const isIntegerFormat = (v: unknown): v is IntegerFormat =>
  v === 'uint8' || v === 'int4' || v === 'mixed';

/** Which tensors `int4` holds in 4 bits: every matrix but the outputs', whose errors nothing behind them mends. */
export const inNibbles = (name: string, { shape }: Tensor): boolean =>
  shape.length === 2 && name !== 'output.weight';

/** A matrix in the bytes that the products take. */
export function rowsAs(format: IntegerFormat, name: string, w: Tensor): ByteMatrix {
  if (format === 'uint8' || !inNibbles(name, w)) return quantizeRows(w);
  const nibbles = nibbleRows(w);
  return format === 'int4' || isSame(dequantizeRows(nibbles), w) ? nibbles : quantizeRows(w);
}

const isSame = (a: Tensor, b: Tensor) => a.data.every((v, i) => v === b.data[i]);
