import type { Tensor } from '../checkpoint.js';
import type { Arithmetic } from '../graph/arithmetic.js';
import { microsoft, type GraphBuilder } from '../graph/onnx.js';
import { rint } from './grid.js';

/** Weights of a row share a scale in blocks of so many inputs. */
export const blockSize = 32;
const nibbleZero = 8;
const nibbleMax = 7;

/** A matrix [out, in] in 4 bits, as `MatMulNBits` wants it: two values a byte, low one first. */
export interface NibbleMatrix {
  readonly packed: Uint8Array;
  /** Row by row, one for each block of inputs. */
  readonly scales: Float32Array;
  readonly blocks: number;
  /** What the nibbles stand for. */
  readonly values: Float32Array;
}

/** Rounds to nearest: scale = max |w| of the block / 7, q from -7 to 7, stored + 8. */
export function quantizeNibbles({ shape, data }: Tensor): NibbleMatrix {
  const [rows = 0, columns = 0] = shape;
  const blocks = Math.ceil(columns / blockSize);
  const packed = new Uint8Array((rows * blocks * blockSize) / 2).fill(nibbleZero * 17);
  const scales = new Float32Array(rows * blocks);
  const values = new Float32Array(data.length);
  for (let o = 0; o < rows; o++) {
    for (let block = 0; block < blocks; block++) {
      const end = Math.min((block + 1) * blockSize, columns);
      let largest = 0;
      for (let k = block * blockSize; k < end; k++)
        largest = Math.max(largest, Math.abs(data[o * columns + k] ?? 0));
      const scale = Math.fround(largest / nibbleMax) || 1;
      scales[o * blocks + block] = scale;
      for (let k = block * blockSize; k < end; k++) {
        const rounded = rint(Math.fround((data[o * columns + k] ?? 0) / scale));
        const q = Math.min(nibbleMax, Math.max(-nibbleMax, rounded));
        values[o * columns + k] = scale * q;
        const at = (o * blocks * blockSize + k) >> 1;
        const byte = packed[at] ?? 0;
        const stored = q + nibbleZero;
        packed[at] = k % 2 === 0 ? (byte & 0xf0) | stored : (byte & 0x0f) | (stored << 4);
      }
    }
  }
  return { packed, scales, blocks, values };
}

/**
 * An experiment: weights in 4 bits, activations in float32 (`MatMulNBits`, which rounds them to 8 bits
 * a block on the way). Not the same bits on every processor, and without training for it far from the
 * float network: docs/quantization.md has the figures.
 */
export function nibbleArithmetic(): Arithmetic {
  const product = (g: GraphBuilder, x: string, _activation: string, name: string, w: Tensor) => {
    const [rows = 0, columns = 0] = w.shape;
    const { packed, scales, blocks } = quantizeNibbles(w);
    const weight = g.bytes(name, [rows, blocks, blockSize / 2], packed);
    const scale = g.constant(`${name}.scale`, [rows * blocks], scales);
    // One step is a vector; the operator wants a matrix.
    const matrix = g.value('Reshape', [x, g.int64s(`${name}.matrix`, [-1, columns])]);
    const out = g.value(
      'MatMulNBits',
      [matrix, weight, scale],
      { K: columns, N: rows, bits: 4, block_size: blockSize, accuracy_level: 4 },
      microsoft,
    );
    return g.isBody ? g.value('Reshape', [out, g.int64s(`${name}.vector`, [rows])]) : out;
  };
  return {
    type: 'float32',
    enter: (_g, x) => x,
    leave: (g, x, _activation, name) => g.node('Identity', [x], [name]),
    product,
    project: product,
  };
}
