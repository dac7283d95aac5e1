/** The graph of a network in 8-bit arithmetic, with the same scale for every activation but the input. */
import type { NetworkCheckpoint } from '../../src/compress/checkpoint.js';
import { networkGraph } from '../../src/compress/graph/network.js';
import { byteArithmetic } from '../../src/compress/quantize/byte-arithmetic.js';
import type { IntegerFormat } from '../../src/compress/quantize/formats.js';
import { activationNames, ActivationScales } from '../../src/compress/quantize/scales.js';

/** Activations of random networks fill these grids and go beyond. */
export function byteGraph(
  network: NetworkCheckpoint,
  { format = 'uint8', taps = false }: { format?: IntegerFormat; taps?: boolean } = {},
): Uint8Array {
  const named = Object.fromEntries(activationNames(network).map((name) => [name, 0.011]));
  const scales = ActivationScales.from(network, { ...named, input: 0.02 }, 'test');
  return networkGraph(network, byteArithmetic(scales, format), { taps });
}
