import { readFile } from 'node:fs/promises';
import t from 'tap';
import type { NetworkCheckpoint, Tensor } from '../../src/compress/checkpoint.js';
import { buildGraph } from '../../src/compress/graph/build.js';
import { floatArithmetic } from '../../src/compress/graph/arithmetic.js';
import { networkGraph } from '../../src/compress/graph/network.js';
import { GraphSession } from '../../src/compress/graph/session.js';
import { largestDifference } from '../sim/differences.js';

interface Golden {
  readonly torch: string;
  readonly networks: readonly {
    readonly inputs: number;
    readonly outputs: number;
    readonly layers: readonly number[];
    readonly ranks: readonly number[];
    readonly tensors: Readonly<Record<string, { shape: number[]; data: number[] }>>;
    readonly x: readonly number[];
    readonly logits: readonly number[];
    readonly cells: readonly number[];
  }[];
}

const path = new URL('../golden/lstmp/torch.json', import.meta.url);
const golden = JSON.parse(await readFile(path, 'utf8')) as Golden;

for (const [index, g] of golden.networks.entries()) {
  const kind = g.ranks.length > 0 ? 'lstmp' : 'lstm';
  void t.test(`${kind} ${index}: the graph equals PyTorch ${golden.torch}`, async (t) => {
    const tensors = new Map<string, Tensor>();
    for (const [name, { shape, data }] of Object.entries(g.tensors))
      tensors.set(name, { shape, data: Float32Array.from(data) });
    const { inputs, outputs, layers, ranks } = g;
    const network: NetworkCheckpoint = {
      ...{ kind, layers, ranks, inputs, outputs, tensors },
      inputRank: 0,
      training: {},
    };
    for (const onnx of [
      networkGraph(network, floatArithmetic('float32')),
      buildGraph(network, 'float32').onnx,
    ]) {
      const session = await GraphSession.open(onnx, inputs);
      const out = await session.run(Float32Array.from(g.x), [4]);
      t.ok(largestDifference(out.get('logits') ?? [], g.logits) < 1e-5);
      const cells = layers.flatMap((n, l) => [...(out.get(`c${l}_out`) ?? []).slice(-n)]);
      t.ok(largestDifference(cells, g.cells) < 1e-5);
    }
  });
}
