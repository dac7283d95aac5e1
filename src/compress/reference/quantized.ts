import { tensorOf, type NetworkCheckpoint } from '../checkpoint.js';
import { rowsAs, type IntegerFormat } from '../quantize/formats.js';
import { onGrid, zeroPoint, type ByteMatrix } from '../quantize/grid.js';
import { rint } from '../../runtime/rint.js';
import type { ActivationScales } from '../quantize/scales.js';

/**
 * Slow and obvious: docs/quantization.md word for word, in exact integers and float32 rounded by hand.
 * Only sigmoid and tanh are not the graph's own: here they are double precision rounded once, there
 * polynomials, some units in the last place apart.
 */
export interface QuantizedState {
  /** What is carried, on its grid (-128 to 127), and the cells in float32. */
  readonly p: Int32Array[];
  readonly c: Float32Array[];
}

const { fround } = Math;
const sigmoid = (x: number) => fround(1 / (1 + Math.exp(-x)));
const tanh = (x: number) => fround(Math.tanh(x));

export class QuantizedReference {
  private readonly matrices = new Map<string, ByteMatrix>();

  constructor(
    private readonly network: NetworkCheckpoint,
    private readonly scales: ActivationScales,
    format: IntegerFormat = 'uint8',
  ) {
    for (const [name, tensor] of network.tensors) {
      if (tensor.shape.length === 2) this.matrices.set(name, rowsAs(format, name, tensor));
    }
  }

  zeroState(): QuantizedState {
    const { layers, ranks } = this.network;
    return {
      p: layers.map((cells, l) => new Int32Array(ranks[l] ?? cells)),
      c: layers.map((cells) => new Float32Array(cells)),
    };
  }

  /** One step. Changes the state; returns the logits. */
  step(state: QuantizedState, features: ArrayLike<number>): Float32Array {
    const { network, scales } = this;
    let from = 'input';
    let x: Int32Array = Int32Array.from(features, (v) => onGrid(v, scales.of('input')));
    if (network.inputRank > 0) {
      x = this.project('input.projection', x, from, 'input.projection');
      from = 'input.projection';
    }
    network.layers.forEach((cells, l) => {
      const factored = network.kind === 'lstmp';
      const carried = factored ? `p.${l}` : `h.${l}`;
      const p = state.p[l] ?? new Int32Array(0);
      const c = state.c[l] ?? new Float32Array(0);
      const below = this.product(`lstm.${l}.weight_ih`, x, from);
      const before = this.product(`lstm.${l}.weight_hh`, p, carried);
      const bias = tensorOf(network, `lstm.${l}.bias`).data;
      const gate = (which: number, k: number) => {
        const row = which * cells + k;
        const u = fround((below[row] ?? 0) + (bias[row] ?? 0));
        return fround((before[row] ?? 0) + u);
      };
      const h = new Int32Array(cells);
      for (let k = 0; k < cells; k++) {
        const kept = fround(sigmoid(gate(1, k)) * (c[k] ?? 0));
        const added = fround(sigmoid(gate(0, k)) * tanh(gate(2, k)));
        c[k] = kept + added;
        h[k] = onGrid(fround(sigmoid(gate(3, k)) * tanh(c[k] ?? 0)), scales.of(`h.${l}`));
      }
      p.set(factored ? this.project(`lstm.${l}.projection`, h, `h.${l}`, carried) : h);
      x = p.slice();
      from = carried;
    });
    const bias = tensorOf(network, 'output.bias').data;
    return this.product('output.weight', x, from).map((v, o) => v + (bias[o] ?? 0));
  }

  /** fl(acc * fl(s_a * s_o)) */
  private product(name: string, x: Int32Array, activation: string): Float32Array {
    const { scales: rows, sums } = this.accumulate(name, x);
    const scale = this.scales.of(activation);
    return Float32Array.from(sums, (acc, o) => acc * fround(scale * (rows[o] ?? 0)));
  }

  /** rint(fl(acc * fl(fl(s_a * s_o) / s_into))), saturated */
  private project(name: string, x: Int32Array, activation: string, into: string): Int32Array {
    const { scales: rows, sums } = this.accumulate(name, x);
    const [scale, target] = [this.scales.of(activation), this.scales.of(into)];
    return Int32Array.from(sums, (acc, o) => {
      const q = rint(fround(acc * fround(fround(scale * (rows[o] ?? 0)) / target)));
      return Math.min(127, Math.max(-128, q));
    });
  }

  /** Sums of products of whole numbers: exact. */
  private accumulate(name: string, x: Int32Array): { scales: Float32Array; sums: Int32Array } {
    const matrix = this.matrices.get(name);
    if (matrix === undefined) throw new Error(`no matrix ${name}`);
    const { q, scales } = matrix;
    const sums = Int32Array.from(scales, (_, o) => {
      let sum = 0;
      for (let k = 0; k < x.length; k++)
        sum += ((q[o * x.length + k] ?? zeroPoint) - zeroPoint) * (x[k] ?? 0);
      return sum;
    });
    return { scales, sums };
  }
}
