import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import type { Chain } from '../import/chain.js';
import { Runner, type Feed, type Value } from '../import/runtime.js';
import { int, ints, Pieces } from '../import/scan.js';
import { MomentSums, type Activations } from './moments.js';

const { onnx } = onnxProto;
const { FLOAT } = onnx.TensorProto.DataType;

export interface Collected {
  readonly activations: Activations;
  readonly steps: number;
  /** The first layer's input of the first calls, [steps, batch, inputs]: material for costs. */
  readonly inputs: readonly Value[];
}

/**
 * Runs the dense network over calibration data in ONNX Runtime and sums, inside the graph, x, x x^T of
 * the input and h, h h^T of each layer's outputs. `keepSteps` steps of input are kept as they are.
 */
export async function collect(
  chain: Chain,
  feeds: AsyncIterable<Feed> | Iterable<Feed>,
  { keepSteps = 0 } = {},
): Promise<Collected> {
  const taps = [
    chain.layers[0]?.node.input?.[0] ?? '',
    ...chain.layers.map((l) => l.node.output?.[0] ?? ''),
  ];
  const { bytes, names } = instrumented(chain, taps);
  const runner = await Runner.open(bytes);
  const sums = [chain.network.inputs, ...chain.network.layers].map((dim) => new MomentSums(dim));
  const inputs: Value[] = [];
  let kept = 0;
  try {
    for await (const feed of feeds) {
      const keep = kept < keepSteps;
      const out = await run(runner, feed, [...names.flat(), ...(keep ? [rawInput] : [])]);
      names.forEach(([sum, products], i) => {
        const total = out.get(sum);
        const gram = out.get(products);
        const moment = sums[i];
        if (total === undefined || gram === undefined || moment === undefined) return;
        // The last value of the sum is the number of rows: a column of ones rides along.
        moment.add(total.data.at(-1) ?? 0, total.data, gram.data);
      });
      const raw = out.get(rawInput);
      if (raw !== undefined) {
        inputs.push(raw);
        kept += (raw.dims[0] ?? 0) * (raw.dims[1] ?? 0);
      }
    }
  } finally {
    await runner.close();
  }
  const [input, ...layers] = sums.map((s) => s.moments());
  if (input === undefined) throw new Error('no taps');
  checkFinite([input, ...layers].map((m) => m.covariance.data));
  return { activations: { input, layers }, steps: sums[0]?.steps ?? 0, inputs };
}

const rawInput = 'kikitori.tap.raw';

async function run(runner: Runner, feed: Feed, fetches: readonly string[]) {
  try {
    return await runner.run(feed, fetches);
  } catch (error) {
    throw new KikitoriError(
      `the network does not run on the calibration data: ${messageOf(error)}`,
      {
        kind: 'input',
        expected: 'data of the shape that the network takes',
      },
    );
  }
}

function checkFinite(parts: readonly Float64Array[]): void {
  if (parts.every((p) => p.every(Number.isFinite))) return;
  throw new KikitoriError('the calibration data gives values that are no numbers', {
    kind: 'input',
  });
}

/** The graph with, for each tap, the sum of its rows (and their number) and the sum of their products. */
function instrumented(chain: Chain, taps: readonly string[]) {
  const { model } = chain;
  const pieces = new Pieces(model.opset, 'kikitori.tap.');
  const names: (readonly [string, string])[] = [];
  taps.forEach((tap, i) => {
    const dim = i === 0 ? chain.network.inputs : (chain.network.layers[i - 1] ?? 0);
    const float = pieces.cast(tap, FLOAT, `${i}.float`);
    const rows = pieces.node(
      'Reshape',
      [float, pieces.int64s(`${i}.shape`, [-1, dim])],
      `${i}.rows`,
    );
    const columns = pieces.node('Transpose', [rows], `${i}.columns`, [ints('perm', [1, 0])]);
    const products = pieces.node('MatMul', [columns, rows], `${i}.products`);
    // 1^T [rows, 1]: ones are x^0 of the first column, whatever it holds.
    const first = pieces.node('Gather', [rows, pieces.int64s(`${i}.zero`, [0])], `${i}.first`, [
      int('axis', 1),
    ]);
    const zero = pieces.node('Sub', [first, first], `${i}.zeros`);
    const one = pieces.floats(`${i}.one`, { shape: [1], data: Float32Array.of(1) });
    const ones = pieces.node('Add', [zero, one], `${i}.ones`);
    const wide = pieces.node('Concat', [rows, ones], `${i}.wide`, [int('axis', 1)]);
    const row = pieces.node('Transpose', [ones], `${i}.row`, [ints('perm', [1, 0])]);
    names.push([pieces.node('MatMul', [row, wide], `${i}.sum`), products]);
  });
  pieces.cast(taps[0] ?? '', FLOAT, 'raw');
  const output: Onnx.IValueInfoProto[] = [...names.flat(), rawInput].map((name) => ({
    name,
    type: { tensorType: { elemType: FLOAT } },
  }));
  const bytes = onnx.ModelProto.encode({
    ...model.proto,
    graph: {
      ...model.graph,
      node: [...model.nodes, ...pieces.nodes],
      initializer: [...(model.graph.initializer ?? []), ...pieces.initializers],
      output: [...(model.graph.output ?? []), ...output],
    },
  }).finish();
  return { bytes, names };
}
