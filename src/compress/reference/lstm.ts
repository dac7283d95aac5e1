import { tensorOf, type Checkpoint } from '../checkpoint.js';

/** Slow and obvious: the meaning of the network, in plain loops and double precision. */
export interface ReferenceState {
  readonly h: Float64Array[];
  readonly c: Float64Array[];
}

export function zeroState(checkpoint: Checkpoint): ReferenceState {
  return {
    h: checkpoint.layers.map((cells) => new Float64Array(cells)),
    c: checkpoint.layers.map((cells) => new Float64Array(cells)),
  };
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** One step: gates i, f, g, o; c' = f c + i g; h' = o tanh(c'). Changes the state; returns the logits. */
export function referenceStep(
  checkpoint: Checkpoint,
  state: ReferenceState,
  input: ArrayLike<number>,
): Float64Array {
  let x: ArrayLike<number> = input;
  checkpoint.layers.forEach((cells, l) => {
    const wx = tensorOf(checkpoint, `lstm.${l}.weight_ih`);
    const wh = tensorOf(checkpoint, `lstm.${l}.weight_hh`);
    const bias = tensorOf(checkpoint, `lstm.${l}.bias`).data;
    const h = state.h[l] ?? new Float64Array(cells);
    const c = state.c[l] ?? new Float64Array(cells);
    const gates = Float64Array.from({ length: 4 * cells }, (_, row) => {
      let sum = bias[row] ?? 0;
      for (let k = 0; k < x.length; k++) sum += (wx.data[row * x.length + k] ?? 0) * (x[k] ?? 0);
      for (let k = 0; k < cells; k++) sum += (wh.data[row * cells + k] ?? 0) * (h[k] ?? 0);
      return sum;
    });
    const gate = (which: number, k: number) => gates[which * cells + k] ?? 0;
    for (let k = 0; k < cells; k++) {
      c[k] = sigmoid(gate(1, k)) * (c[k] ?? 0) + sigmoid(gate(0, k)) * Math.tanh(gate(2, k));
      h[k] = sigmoid(gate(3, k)) * Math.tanh(c[k] ?? 0);
    }
    x = Float64Array.from(h);
  });
  const weight = tensorOf(checkpoint, 'output.weight').data;
  const bias = tensorOf(checkpoint, 'output.bias').data;
  return Float64Array.from({ length: checkpoint.units.length }, (_, u) => {
    let sum = bias[u] ?? 0;
    for (let k = 0; k < x.length; k++) sum += (weight[u * x.length + k] ?? 0) * (x[k] ?? 0);
    return sum;
  });
}
