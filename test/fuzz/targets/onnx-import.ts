import { readForeign, ForeignModel } from '../../../src/compress/import/index.js';
import { buildGraph } from '../../../src/compress/graph/build.js';
import { randomNetwork } from '../../sim/random-network.js';
import { branches, chains, detector, rounds } from '../../sim/wild-graphs.js';
import { mutateProtobuf } from '../engine/mutate-protobuf.js';
import { must, type Target } from '../engine/target.js';

const size = { layers: [2], inputs: 2, outputs: 2 };

/** As far as reading goes: nothing is run. */
export const target: Omit<Target, 'name'> = {
  right:
    'a layer that is taken has the weights that its shape says, all finite, or is left with a reason',
  covers: ['src/compress/import/'],
  bytesMax: 8192,
  where: 'net.onnx',
  processorMsMax: 3000,
  words: [
    'LSTM',
    'GRU',
    'RNN',
    'hidden_size',
    'direction',
    'bidirectional',
    'layout',
    'activations',
    'If',
    'Loop',
  ],
  seeds: () => [
    buildGraph(randomNetwork(size), 'float32').onnx,
    ...[branches(), rounds(), chains(), detector()],
  ],
  mutate: mutateProtobuf,
  run: async (input) => {
    const model = ForeignModel.parse(input, 'net.onnx');
    const { layers, heads } = await readForeign(model);
    for (const layer of layers) must(layer.cells > 0 && layer.inputs > 0, 'a layer without cells');
    must(layers.length + heads.length < 10_000, 'layers without end');
  },
};
