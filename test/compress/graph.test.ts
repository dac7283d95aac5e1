import t from 'tap';
import type { NetworkCheckpoint } from '../../src/compress/checkpoint.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { floatArithmetic } from '../../src/compress/graph/arithmetic.js';
import { networkGraph } from '../../src/compress/graph/network.js';
import { GraphSession } from '../../src/compress/graph/session.js';
import { byteArithmetic } from '../../src/compress/quantize/byte-arithmetic.js';
import { activationNames, ActivationScales } from '../../src/compress/quantize/scales.js';
import { referenceStep, zeroState } from '../../src/compress/reference/lstm.js';
import { referenceProjectedStep, zeroProjectedState } from '../../src/compress/reference/lstmp.js';
import { QuantizedReference } from '../../src/compress/reference/quantized.js';
import { randomNetwork } from '../sim/random-network.js';
import { largestDifference } from '../sim/differences.js';

const steps = 23;
const cuts: readonly (readonly number[])[] = [[1], [3], [4], [7], [steps], [2, 1, 5, 4]];

const networks: Readonly<Record<string, NetworkCheckpoint>> = {
  dense: randomNetwork({ layers: [12, 10] }),
  factored: randomNetwork({ layers: [12, 10, 11], ranks: [5, 4, 6] }),
  'factored with input projection': randomNetwork(
    { layers: [40, 33], ranks: [8, 16], inputRank: 4 },
    2,
    0.3,
  ),
};

function signal(inputs: number, count = steps, size = 2, seed = 3): Float32Array {
  const random = randomFrom(seed);
  return Float32Array.from({ length: inputs * count }, () => size * 2 * (random() - 0.5));
}

function rowsOf(data: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: data.length / width }, (_, i) =>
    data.subarray(i * width, (i + 1) * width),
  );
}

function floatReference(network: NetworkCheckpoint, rows: Float32Array): number[] {
  const dense = zeroState(network);
  const projected = zeroProjectedState(network);
  return rowsOf(rows, network.inputs).flatMap((row) => [
    ...(network.kind === 'lstm'
      ? referenceStep(network, dense, row)
      : referenceProjectedStep(network, projected, row)),
  ]);
}

function someScales(network: NetworkCheckpoint, scale = 0.02): ActivationScales {
  const named = Object.fromEntries(
    activationNames(network)
      .filter((n) => !n.startsWith('h.'))
      .map((n, i) => [n, scale * (1 + 0.1 * i)]),
  );
  return ActivationScales.from(network, named, 'test');
}

for (const [name, network] of Object.entries(networks)) {
  const rows = signal(network.inputs);

  void t.test(`${name}: the float graph equals the plain loops, at any cut`, async (t) => {
    const expected = floatReference(network, rows);
    for (const precision of ['float32', 'float16'] as const) {
      const graph = await GraphSession.open(
        networkGraph(network, floatArithmetic(precision)),
        network.inputs,
      );
      for (const calls of cuts) {
        const out = (await graph.run(rows, calls)).get('logits') ?? [];
        const tolerance = precision === 'float32' ? 1e-5 : 1e-2;
        t.ok(
          largestDifference(out, expected) < tolerance,
          `${precision}, calls of ${calls.join()}`,
        );
      }
    }
  });

  for (const format of ['uint8', 'int4'] as const)
    void t.test(`${name}: the ${format} graph equals the integer reference`, async (t) => {
      const scales = someScales(network);
      const graph = await GraphSession.open(
        networkGraph(network, byteArithmetic(scales, format)),
        network.inputs,
      );
      const reference = new QuantizedReference(network, scales, format);
      const state = reference.zeroState();
      const expected = rowsOf(rows, network.inputs).flatMap((row) => [
        ...reference.step(state, row),
      ]);
      const whole = await graph.run(rows, [steps]);
      const difference = largestDifference(whole.get('logits') ?? [], expected);
      t.comment(`largest difference ${difference}`);
      t.ok(difference < 1e-5, String(difference));
      for (const calls of cuts) {
        const cut = await graph.run(rows, calls);
        t.same(cut.get('logits'), whole.get('logits'), `same bits in calls of ${calls.join()}`);
        for (const [output, values] of cut) {
          if (output === 'logits') continue;
          const last = whole.get(output) ?? new Float32Array(0);
          t.same(values.subarray(-last.length), last, `${output} the same`);
        }
      }
    });
}
