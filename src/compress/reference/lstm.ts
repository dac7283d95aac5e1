import { tensorOf, type NetworkCheckpoint, type Tensor } from '../checkpoint.js';

/** Slow and obvious: the meaning of the network, in plain loops and double precision. */
export interface ReferenceState {
  readonly h: Float64Array[];
  readonly c: Float64Array[];
}

export function zeroState(checkpoint: NetworkCheckpoint): ReferenceState {
  return {
    h: checkpoint.layers.map((cells) => new Float64Array(cells)),
    c: checkpoint.layers.map((cells) => new Float64Array(cells)),
  };
}

export const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Matrix [rows, columns] times vector. */
export function matVec({ shape, data }: Tensor, x: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: shape[0] ?? 0 }, (_, row) => {
    let sum = 0;
    for (let k = 0; k < x.length; k++) sum += (data[row * x.length + k] ?? 0) * (x[k] ?? 0);
    return sum;
  });
}

/** One step: gates i, f, g, o; c' = f c + i g; h' = o tanh(c'). Changes the state; returns the logits. */
export function referenceStep(
  checkpoint: NetworkCheckpoint,
  state: ReferenceState,
  input: ArrayLike<number>,
): Float64Array {
  let x: ArrayLike<number> = input;
  checkpoint.layers.forEach((cells, l) => {
    const h = state.h[l] ?? new Float64Array(cells);
    const c = state.c[l] ?? new Float64Array(cells);
    const fromBelow = matVec(tensorOf(checkpoint, `lstm.${l}.weight_ih`), x);
    const fromBefore = matVec(tensorOf(checkpoint, `lstm.${l}.weight_hh`), h);
    const bias = tensorOf(checkpoint, `lstm.${l}.bias`).data;
    const gate = (which: number, k: number) => {
      const row = which * cells + k;
      return (fromBelow[row] ?? 0) + (fromBefore[row] ?? 0) + (bias[row] ?? 0);
    };
    for (let k = 0; k < cells; k++) {
      c[k] = sigmoid(gate(1, k)) * (c[k] ?? 0) + sigmoid(gate(0, k)) * Math.tanh(gate(2, k));
      h[k] = sigmoid(gate(3, k)) * Math.tanh(c[k] ?? 0);
    }
    x = Float64Array.from(h);
  });
  const bias = tensorOf(checkpoint, 'output.bias').data;
  return matVec(tensorOf(checkpoint, 'output.weight'), x).map((v, u) => v + (bias[u] ?? 0));
}
