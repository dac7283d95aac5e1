import { tensorOf, type NetworkCheckpoint, type Tensor } from '../checkpoint.js';
import { fromTensor, multiply, toTensor } from './matrix.js';

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
    const whole =
      by === undefined ? reader : toTensor(multiply(fromTensor(reader), fromTensor(by)));
    tensors.set(name, whole);
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
