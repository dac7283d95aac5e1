/** Small networks with random weights, made from a seed. */
import {
  tensorShapes,
  type NetworkCheckpoint,
  type Tensor,
} from '../../src/compress/checkpoint.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';

export interface NetworkSize {
  readonly layers: readonly number[];
  /** Given: a factored network. */
  readonly ranks?: readonly number[];
  readonly inputRank?: number;
  readonly inputs?: number;
  readonly outputs?: number;
}

export function randomNetwork(size: NetworkSize, seed = 1, scale = 0.8): NetworkCheckpoint {
  const random = randomFrom(seed);
  const shape = {
    kind: size.ranks === undefined ? ('lstm' as const) : ('lstmp' as const),
    layers: size.layers,
    ranks: size.ranks ?? [],
    inputRank: size.inputRank ?? 0,
    inputs: size.inputs ?? 9,
    outputs: size.outputs ?? 5,
  };
  const tensors = new Map<string, Tensor>();
  for (const [name, dims] of tensorShapes(shape)) {
    const length = dims.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length }, () => scale * 2 * (random() - 0.5));
    tensors.set(name, { shape: dims, data });
  }
  return { ...shape, tensors, training: {} };
}
