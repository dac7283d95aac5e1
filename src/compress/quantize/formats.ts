import type { Tensor } from '../safetensors.js';
import { quantizeRows, type ByteMatrix } from './grid.js';
import { nibbleRows } from './nibble-grid.js';

/** How the weights of a network with 8-bit activations are stored; the products are the same (docs/quantization.md). */
export type IntegerFormat = 'uint8' | 'int4';

export const isIntegerFormat = (v: unknown): v is IntegerFormat => v === 'uint8' || v === 'int4';

/** Which tensors `int4` holds in 4 bits: every matrix but the outputs', whose errors nothing behind them mends. */
export const inNibbles = (name: string, { shape }: Tensor): boolean =>
  shape.length === 2 && name !== 'output.weight';

/** A matrix in the bytes that the products take. */
export const rowsAs = (format: IntegerFormat, name: string, w: Tensor): ByteMatrix =>
  format === 'int4' && inNibbles(name, w) ? nibbleRows(w) : quantizeRows(w);
