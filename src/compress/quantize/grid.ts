import { rint } from '../../runtime/rint.js';
import type { Tensor } from '../safetensors.js';

/** The grids of docs/quantization.md: unsigned bytes around 128. */
export const zeroPoint = 128;
export const weightMax = 127;
export const activationMin = -128;
export const activationMax = 127;

/** Position of a float32 on the grid of an activation: float32 quotient, half to even, saturated. */
export function onGrid(value: number, scale: number): number {
  const q = rint(Math.fround(value / scale));
  return Math.min(activationMax, Math.max(activationMin, q));
}

/** A matrix [out, in] in unsigned bytes, one scale a row: W[o,k] ~ scales[o] (q[o,k] - 128). */
export interface ByteMatrix {
  readonly shape: readonly number[];
  /** Row-major, like the checkpoint's. */
  readonly q: Uint8Array;
  /** float32 values. */
  readonly scales: Float32Array;
}

export function quantizeRows({ shape, data }: Tensor): ByteMatrix {
  const [rows = 0, columns = 0] = shape;
  const q = new Uint8Array(rows * columns);
  const scales = new Float32Array(rows);
  for (let o = 0; o < rows; o++) {
    const row = data.subarray(o * columns, (o + 1) * columns);
    let largest = 0;
    for (const value of row) largest = Math.max(largest, Math.abs(value));
    // A row of zeros, or so small that float32 has no scale for it, is all zeros on any grid.
    const scale = Math.fround(largest / weightMax) || 1;
    scales[o] = scale;
    row.forEach((value, k) => {
      const rounded = rint(Math.fround(value / scale));
      q[o * columns + k] = zeroPoint + Math.min(weightMax, Math.max(-weightMax, rounded));
    });
  }
  return { shape, q, scales };
}

/** What the bytes stand for. */
export function dequantizeRows({ shape, q, scales }: ByteMatrix): Tensor {
  const [, columns = 1] = shape;
  const data = Float32Array.from(
    q,
    (v, i) => (scales[Math.floor(i / columns)] ?? 0) * (v - zeroPoint),
  );
  return { shape, data };
}
