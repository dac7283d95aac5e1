import type { Tensor } from '../checkpoint.js';
import { transposed, type Arithmetic } from '../graph/arithmetic.js';
import { microsoft, type GraphBuilder } from '../graph/onnx.js';
import type { ActivationScales } from './scales.js';
import { rowsAs, type IntegerFormat } from './formats.js';
import { zeroPoint } from './grid.js';

/**
 * Unsigned bytes with static scales (docs/quantization.md), in the operators of ONNX Runtime.
 *
 * `MatMulIntegerToFloat` could add the bias too. It does not here: on ARM it would do so with a fused
 * multiply-add, one rounding less than on x86, and the answers would differ in their last bits.
 */
export function byteArithmetic(
  scales: ActivationScales,
  format: IntegerFormat = 'uint8',
): Arithmetic {
  const zero = (g: GraphBuilder) =>
    g.has('zero') ? 'zero' : g.bytes('zero', [], Uint8Array.of(zeroPoint));
  const scaleOf = (g: GraphBuilder, activation: string) => {
    const name = `scale.${activation}`;
    return g.has(name) ? name : g.constant(name, [], Float32Array.of(scales.of(activation)));
  };
  return {
    type: 'uint8',
    enter: (g, x, activation) => g.value('QuantizeLinear', [x, scaleOf(g, activation), zero(g)]),
    leave: (g, x, activation, name) =>
      g.node('DequantizeLinear', [x, scaleOf(g, activation), zero(g)], [name]),
    product: (g, x, activation, name, w) => {
      const { weight, scale } = weights(g, format, name, w);
      const inputs = [x, weight, scaleOf(g, activation), scale, zero(g), zero(g)];
      return g.value('MatMulIntegerToFloat', inputs, {}, microsoft);
    },
    project: (g, x, activation, name, w, into) => {
      const { weight, scale } = weights(g, format, name, w);
      const zeros = g.bytes(
        `${name}.zero`,
        [w.shape[0] ?? 0],
        new Uint8Array(w.shape[0] ?? 0).fill(zeroPoint),
      );
      return g.value('QLinearMatMul', [
        ...[x, scaleOf(g, activation), zero(g)],
        ...[weight, scale, zeros],
        ...[scaleOf(g, into), zero(g)],
      ]);
    },
  };
}

/** Constants of a matrix, in the graph that uses them: a loop is faster with its weights inside. */
function weights(
  g: GraphBuilder,
  format: IntegerFormat,
  name: string,
  w: Tensor,
): { weight: string; scale: string } {
  const { shape, q, scales } = rowsAs(format, name, w);
  const [rows = 0, columns = 0] = shape;
  return {
    weight: g.bytes(name, [columns, rows], transposed(shape, q, new Uint8Array(q.length))),
    scale: g.constant(`${name}.scale`, [rows], scales),
  };
}
