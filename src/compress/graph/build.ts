import type { NetworkCheckpoint } from '../checkpoint.js';
import { byteArithmetic } from '../quantize/byte-arithmetic.js';
import { isIntegerFormat, type IntegerFormat } from '../quantize/formats.js';
import { ActivationScales } from '../quantize/scales.js';
import { floatArithmetic } from './arithmetic.js';
import { denseGraph } from './dense.js';
import { networkGraph, stateOf } from './network.js';
import type { Precision } from './onnx.js';

export type WeightFormat = Precision | IntegerFormat;

export interface BuiltGraph {
  readonly onnx: Uint8Array;
  readonly weights: WeightFormat;
  readonly activations: 'float32' | 'uint8';
  readonly state: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/** What a checkpoint is stored as when nobody says: what it was quantised to, else half precision. */
export const formatOf = (network: NetworkCheckpoint): WeightFormat =>
  network.quantization?.weights ?? 'float16';

/** The graph that ships, in a format: the dense one in float uses the runtime's own LSTM. */
export function buildGraph(
  network: NetworkCheckpoint,
  weights: WeightFormat = formatOf(network),
): BuiltGraph {
  if (isIntegerFormat(weights)) {
    const named = network.quantization?.activations ?? {};
    const scales = ActivationScales.from(network, named, 'quantization of the checkpoint');
    const onnx = networkGraph(network, byteArithmetic(scales, weights));
    return { onnx, weights, activations: 'uint8', state: stateOf(network) };
  }
  const activations = 'float32';
  if (network.kind === 'lstmp') {
    const onnx = networkGraph(network, floatArithmetic(weights));
    return { onnx, weights, activations, state: stateOf(network) };
  }
  const state = stateOf(network).map(({ name, shape }) => ({ name, shape: [1, 1, ...shape] }));
  return { onnx: denseGraph(network, weights), weights, activations, state };
}
