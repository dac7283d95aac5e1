/**
 * The grid of 4 bits (docs/quantization.md#four-bits): q from -7 to 7, one step for 32 inputs of a row, and that a whole
 * multiple (1 to 18) of the row's scale. So a weight is a whole number of at most 126 row scales, and runs in the integer
 * products of 8 bits as it is.
 */
import { multipleMax, nibbleGroup, nibbleMax } from '../../bundle/index.js';
import type { Tensor } from '../safetensors.js';
import { zeroPoint, type ByteMatrix } from './grid.js';
import { rint } from '../../runtime/rint.js';

const rowMax = nibbleMax * multipleMax;

/** float32 -> the nearest of those with 8 significant bits, half to even: 126 of them are exact in float32. */
export function toBfloat16(value: number): number {
  const float = Float32Array.of(value);
  const bits = new Uint32Array(float.buffer);
  const of = bits[0] ?? 0;
  bits[0] = (of + 0x7fff + ((of >>> 16) & 1)) & 0xffff0000;
  return float[0] ?? 0;
}

export interface NibbleGrid {
  /** Of each row, with 8 significant bits. */
  readonly scales: Float32Array;
  /** Row by row, one for each group of inputs. */
  readonly multiples: Uint8Array;
  /** Of each row the input with the largest weight: its q is 7 or -7, so that the row's scale is found again. */
  readonly pinned: Int32Array;
}

/**
 * Scales and multiples for a matrix: of each row s = bfloat16(max |w| / 126), of each group the multiple of least squared
 * error, 18 where the row's largest is.
 */
export function nibbleGrid({ shape, data }: Tensor): NibbleGrid {
  const [rows = 0, columns = 0] = shape;
  const groups = Math.ceil(columns / nibbleGroup);
  const scales = new Float32Array(rows);
  const multiples = new Uint8Array(rows * groups);
  const pinned = new Int32Array(rows);
  for (let o = 0; o < rows; o++) {
    const row = data.subarray(o * columns, (o + 1) * columns);
    let at = 0;
    row.forEach((v, k) => {
      if (Math.abs(v) > Math.abs(row[at] ?? 0)) at = k;
    });
    const scale = toBfloat16(Math.fround(Math.abs(row[at] ?? 0) / rowMax)) || 1;
    scales[o] = scale;
    pinned[o] = at;
    for (let g = 0; g < groups; g++) {
      const part = row.subarray(g * nibbleGroup, (g + 1) * nibbleGroup);
      const holdsLargest = Math.floor(at / nibbleGroup) === g;
      multiples[o * groups + g] = holdsLargest ? multipleMax : bestMultiple(part, scale);
    }
  }
  return { scales, multiples, pinned };
}

function bestMultiple(group: Float32Array, scale: number): number {
  let [best, least] = [multipleMax, Infinity];
  for (let m = multipleMax; m >= 1; m--) {
    let error = 0;
    for (const v of group) error += (v - scale * m * nearestNibble(v, scale * m)) ** 2;
    if (error < least) [best, least] = [m, error];
  }
  return best;
}

/** q of a weight. Half to even, the quotient in float32. */
export const nearestNibble = (v: number, step: number): number =>
  Math.max(-nibbleMax, Math.min(nibbleMax, rint(Math.fround(v / step))));

/** To nearest. A matrix that is on the grid stays what it is, to the bit. */
export function nibbleRows(w: Tensor): ByteMatrix {
  const [rows = 0, columns = 0] = w.shape;
  const { scales, multiples } = nibbleGrid(w);
  const groups = Math.ceil(columns / nibbleGroup);
  const q = new Uint8Array(rows * columns);
  for (let o = 0; o < rows; o++)
    for (let k = 0; k < columns; k++) {
      const multiple = multiples[o * groups + Math.floor(k / nibbleGroup)] ?? 1;
      const v = w.data[o * columns + k] ?? 0;
      q[o * columns + k] = zeroPoint + multiple * nearestNibble(v, (scales[o] ?? 1) * multiple);
    }
  return { shape: w.shape, q, scales };
}
