import { tensorOf, type NetworkCheckpoint, type Tensor } from './checkpoint.js';

/**
 * The dense network that a factored one computes: every reader multiplied by the projection that it reads, Z P, in double
 * precision. So a factored network can be factored again, to lower ranks: its matrices have no more than their old rank.
 * A dense network is returned as it is.
 */
export function multipliedOut<T extends NetworkCheckpoint>(network: T): T {
  if (network.kind === 'lstm') return network;
  const tensors = new Map<string, Tensor>();
  let projection = network.inputRank > 0 ? tensorOf(network, 'input.projection') : undefined;
  const through = (name: string, by: Tensor | undefined) => {
    const reader = tensorOf(network, name);
    tensors.set(name, by === undefined ? reader : product(reader, by));
  };
  network.layers.forEach((_, l) => {
    const own = tensorOf(network, `lstm.${l}.projection`);
    through(`lstm.${l}.weight_ih`, projection);
    through(`lstm.${l}.weight_hh`, own);
    tensors.set(`lstm.${l}.bias`, tensorOf(network, `lstm.${l}.bias`));
    projection = own;
  });
  through('output.weight', projection);
  tensors.set('output.bias', tensorOf(network, 'output.bias'));
  return { ...network, kind: 'lstm', ranks: [], inputRank: 0, tensors, quantization: undefined };
}

/** [rows, inner] x [inner, columns] -> [rows, columns]. */
function product(a: Tensor, b: Tensor): Tensor {
  const [rows = 0, inner = 0] = a.shape;
  const columns = b.shape[1] ?? 0;
  const data = new Float32Array(rows * columns);
  const sum = new Float64Array(columns);
  for (let r = 0; r < rows; r++) {
    sum.fill(0);
    for (let k = 0; k < inner; k++) {
      const factor = a.data[r * inner + k] ?? 0;
      for (let c = 0; c < columns; c++)
        sum[c] = (sum[c] ?? 0) + factor * (b.data[k * columns + c] ?? 0);
    }
    data.set(sum, r * columns);
  }
  return { shape: [rows, columns], data };
}
