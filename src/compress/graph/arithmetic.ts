import type { Tensor } from '../checkpoint.js';
import type { GraphBuilder, ElementType, Precision } from './onnx.js';

/**
 * How one number format multiplies and carries values. The shape of the network is the same in all
 * (graph/network.ts). `activation` names a value as docs/quantization.md does: `input`, `p.0`...
 */
export interface Arithmetic {
  /** Type of the state inside the loop, and of what products take. */
  readonly type: ElementType;
  /** float32 -> what products take. */
  enter(g: GraphBuilder, x: string, activation: string): string;
  /** What products take -> float32, under the name given. */
  leave(g: GraphBuilder, x: string, activation: string, name: string): void;
  /** x W^T in float32 for the matrix [out, in] of that name. */
  product(g: GraphBuilder, x: string, activation: string, name: string, w: Tensor): string;
  /** x W^T as what products take. */
  project(
    g: GraphBuilder,
    x: string,
    activation: string,
    name: string,
    w: Tensor,
    into: string,
  ): string;
}

/** Row-major [rows, columns] -> [columns, rows]: MatMul wants the input in front. */
export function transposed<T extends Float32Array | Uint8Array>(
  shape: readonly number[],
  data: T,
  into: T,
): T {
  const [rows = 0, columns = 0] = shape;
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < columns; k++) into[k * rows + r] = data[r * columns + k] ?? 0;
  }
  return into;
}

/** Plain float32; weights may be stored in half precision. */
export function floatArithmetic(precision: Precision): Arithmetic {
  const product: Arithmetic['product'] = (g, x, _activation, name, { shape, data }) => {
    const [rows = 0, columns = 0] = shape;
    const turned = transposed(shape, data, new Float32Array(data.length));
    return g.value('MatMul', [x, g.constant(name, [columns, rows], turned, precision)]);
  };
  return {
    type: 'float32',
    enter: (_g, x) => x,
    leave: (g, x, _activation, name) => g.node('Identity', [x], [name]),
    product,
    project: product,
  };
}
