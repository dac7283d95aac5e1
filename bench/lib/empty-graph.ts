import type { NetworkCheckpoint } from '../../src/compress/checkpoint.js';
import { stateOf } from '../../src/compress/graph/network.js';
import { GraphBuilder } from '../../src/compress/graph/onnx.js';

/** The inputs and the outputs of a network and nothing between them: what a call costs by itself. */
export function emptyGraph(network: NetworkCheckpoint): Uint8Array {
  const g = new GraphBuilder();
  const through = (from: string, to: string, shape: readonly (number | string)[]) => {
    g.node('Identity', [g.input(from, shape)], [to]);
    g.output(to, shape);
  };
  through('features', 'logits', ['T', 1, network.inputs]);
  for (const { name, shape } of stateOf(network)) through(name, `${name}_out`, shape);
  return g.build('empty');
}
