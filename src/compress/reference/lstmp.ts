import { tensorOf, type NetworkCheckpoint } from '../checkpoint.js';
import { matVec, sigmoid } from './lstm.js';

/** Slow and obvious: the meaning of a factored network, in plain loops and double precision. */
export interface ProjectedState {
  /** What is carried: p = P h of each layer, and the cells. */
  readonly p: Float64Array[];
  readonly c: Float64Array[];
}

export function zeroProjectedState(checkpoint: NetworkCheckpoint): ProjectedState {
  return {
    p: checkpoint.ranks.map((rank) => new Float64Array(rank)),
    c: checkpoint.layers.map((cells) => new Float64Array(cells)),
  };
}

/** One step of a projected LSTM (Sak et al., 2014, without peepholes). Changes the state; logits. */
export function referenceProjectedStep(
  checkpoint: NetworkCheckpoint,
  state: ProjectedState,
  input: ArrayLike<number>,
): Float64Array {
  let x: ArrayLike<number> = input;
  if (checkpoint.inputRank > 0) x = matVec(tensorOf(checkpoint, 'input.projection'), x);
  checkpoint.layers.forEach((cells, l) => {
    const p = state.p[l] ?? new Float64Array(0);
    const c = state.c[l] ?? new Float64Array(cells);
    const fromBelow = matVec(tensorOf(checkpoint, `lstm.${l}.weight_ih`), x);
    const fromBefore = matVec(tensorOf(checkpoint, `lstm.${l}.weight_hh`), p);
    const bias = tensorOf(checkpoint, `lstm.${l}.bias`).data;
    const gate = (which: number, k: number) => {
      const row = which * cells + k;
      return (fromBelow[row] ?? 0) + (fromBefore[row] ?? 0) + (bias[row] ?? 0);
    };
    const h = new Float64Array(cells);
    for (let k = 0; k < cells; k++) {
      c[k] = sigmoid(gate(1, k)) * (c[k] ?? 0) + sigmoid(gate(0, k)) * Math.tanh(gate(2, k));
      h[k] = sigmoid(gate(3, k)) * Math.tanh(c[k] ?? 0);
    }
    p.set(matVec(tensorOf(checkpoint, `lstm.${l}.projection`), h));
    x = Float64Array.from(p);
  });
  const bias = tensorOf(checkpoint, 'output.bias').data;
  return matVec(tensorOf(checkpoint, 'output.weight'), x).map((v, u) => v + (bias[u] ?? 0));
}
