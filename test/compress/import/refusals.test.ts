import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import t from 'tap';
import { denseGraph } from '../../../src/compress/graph/dense.js';
import { parseCheckpoint, encodeCheckpoint, tensorOf } from '../../../src/compress/checkpoint.js';
import { analyseByRecurrent, cutAt } from '../../../src/compress/factorize/index.js';
import {
  chainOf,
  ForeignModel,
  largestDifference,
  madeSeries,
  openForeign,
  readForeign,
  rewrite,
  seriesFeeds,
  takeForeign,
} from '../../../src/compress/import/index.js';
import { parseCsv, parseNpy } from '../../../src/compress/import/series.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { tinyCheckpoint } from '../../sim/tiny-checkpoint.js';

const { onnx } = onnxProto;
const types = onnx.AttributeProto.AttributeType;
const bytes = denseGraph(tinyCheckpoint(), 'float32');

/** The tiny network with something about its first LSTM node changed. */
function changed(change: (node: Onnx.INodeProto, graph: Onnx.IGraphProto) => void): Uint8Array {
  const model = onnx.ModelProto.decode(bytes);
  const graph = model.graph;
  const node = graph?.node?.find((n) => n.opType === 'LSTM');
  if (graph === null || graph === undefined || node === undefined) throw new Error('no LSTM');
  change(node, graph);
  return onnx.ModelProto.encode(model).finish();
}

const text = (name: string, s: string) => ({ name, type: types.STRING, s: Buffer.from(s) });
const number = (name: string, i: number) => ({ name, type: types.INT, i });

void t.test('what would change the meaning stays as it is, by name, never ignored', async (t) => {
  const cases: readonly (readonly [string, Parameters<typeof changed>[0], RegExp])[] = [
    ['direction', (n) => n.attribute?.push(text('direction', 'upward')), /"LSTM.0" runs upward/],
    [
      'clip',
      (n) => n.attribute?.push({ name: 'clip', type: types.FLOAT, f: 3 }),
      /clips its cells/,
    ],
    [
      'input_forget',
      (n) => n.attribute?.push(number('input_forget', 1)),
      /couples input and forget/,
    ],
    [
      'activations',
      (n) =>
        n.attribute?.push({
          name: 'activations',
          type: types.STRINGS,
          strings: ['HardSigmoid', 'Tanh', 'Tanh'].map((s) => Buffer.from(s)),
        }),
      /has activations HardSigmoid, Tanh, Tanh/,
    ],
    ['peepholes', (n) => n.input?.push('output.b'), /P of "LSTM.0" has 1 axes; expected 2/],
    [
      'weights from outside',
      (n) => n.input?.splice(1, 1, 'features'),
      /W of "LSTM.0" is no constant/,
    ],
    [
      'cells',
      (n) => (n.attribute ?? []).forEach((a) => (a.i = 5)),
      /says hidden_size 5 and has 12 cells/,
    ],
    [
      'NaN',
      (_, g) => {
        const w = g.initializer?.find((i) => i.name === 'w0');
        if (w?.rawData) w.rawData = w.rawData.map((v, i) => (i < 4 ? 255 : v));
      },
      /W of "LSTM.0" holds values that are no numbers/,
    ],
    [
      'another order',
      (_, g) => {
        const r = g.initializer?.find((i) => i.name === 'r0');
        if (r) r.dims = [1, 12, 48];
      },
      /R \[1,12,48\]/,
    ],
  ];
  for (const [name, change, why] of cases) {
    const { layers, left } = await readForeign(ForeignModel.parse(changed(change), 'net.onnx'));
    t.same([layers.length, left.length], [1, 1], name);
    t.match(left[0]?.why, why, name);
    if (left[0]?.damaged === true)
      await t.rejects(takeForeign(changed(change), 'net.onnx'), { message: why }, name);
    else t.equal((await takeForeign(changed(change), 'net.onnx')).layers.length, 1, name);
    const both = changed((node, graph) => {
      for (const lstm of (graph.node ?? []).filter((n) => n.opType === 'LSTM')) {
        if (lstm !== node) lstm.attribute?.push({ name: 'clip', type: types.FLOAT, f: 3 });
      }
      change(node, graph);
    });
    await t.rejects(takeForeign(both, 'net.onnx'), { kind: 'input', message: why }, name);
  }
  await t.rejects(openForeign(Buffer.from('not ONNX'), 'net.onnx'), { name: 'KikitoriError' });
});

void t.test('a file cut at every 1 % is refused in words', async (t) => {
  for (let part = 0; part < 100; part++) {
    const cut = bytes.subarray(0, Math.floor((bytes.length * part) / 100));
    await t.rejects(
      openForeign(cut, 'net.onnx'),
      { name: 'KikitoriError', kind: 'input' },
      `${part} %`,
    );
  }
});

void t.test(
  'named activations, weights as Constant nodes and half precision are taken',
  async (t) => {
    const named = changed((n) =>
      n.attribute?.push({
        name: 'activations',
        type: types.STRINGS,
        strings: ['sigmoid', 'tanh', 'Tanh'].map((s) => Buffer.from(s)),
      }),
    );
    const constants = changed((_, graph) => {
      const nodes = (graph.initializer ?? []).map((tensor) => ({
        opType: 'Constant',
        output: [tensor.name ?? ''],
        attribute: [{ name: 'value', type: types.TENSOR, t: tensor }],
      }));
      graph.node = [...nodes, ...(graph.node ?? [])];
      graph.initializer = [];
    });
    for (const file of [bytes, named, constants, denseGraph(tinyCheckpoint(), 'float16')]) {
      const foreign = await openForeign(file, 'net.onnx');
      const network = chainOf(foreign);
      t.same([network?.layers, network?.outputs, foreign.heads.length], [[12, 10], 40, 1]);
      const full = cutAt(analyseByRecurrent(foreign.plan), [0, 12, 10]);
      const feeds = seriesFeeds(foreign, madeSeries(foreign, randomFrom(5)), 'made');
      t.ok((await largestDifference(foreign, rewrite(foreign, full), feeds)) < 1e-4);
    }
  },
);

void t.test('graphs deeper than the call stack are rewritten and computed', async (t) => {
  const depth = 20_000;
  const deep = changed((_, graph) => {
    const last = (graph.node ?? []).find((n) => n.output?.[0] === 'logits');
    if (last?.output) last.output[0] = 'deep.0';
    for (let i = 0; i < depth; i++) {
      const output = i === depth - 1 ? 'logits' : `deep.${i + 1}`;
      graph.node?.push({ opType: 'Neg', input: [`deep.${i}`], output: [output] });
    }
    // Weights as a long expression, each value of it read twice.
    graph.initializer?.forEach((tensor) => {
      if (tensor.name !== 'b0') return;
      tensor.name = 'half.0';
      const values = new Float32Array(new Uint8Array(tensor.rawData ?? []).buffer);
      tensor.rawData = new Uint8Array(values.map((v) => v * 2 ** -60).buffer);
    });
    const sums = Array.from({ length: 60 }, (_, i) => ({
      opType: 'Add',
      input: [`half.${i}`, `half.${i}`],
      output: [i === 59 ? 'b0' : `half.${i + 1}`],
    }));
    graph.node = [...sums, ...(graph.node ?? [])];
  });
  const foreign = await takeForeign(deep, 'deep.onnx');
  const shallow = await takeForeign(bytes, 'net.onnx');
  t.equal(foreign.model.nodes.length, depth + 60 + shallow.model.nodes.length);
  const cut = cutAt(analyseByRecurrent(foreign.plan), [0, 12, 10]);
  const rewritten = onnx.ModelProto.decode(rewrite(foreign, cut));
  t.equal(rewritten.graph?.node?.filter((n) => n.opType === 'Neg').length, depth);
  t.ok(rewritten.graph?.node?.every((n) => n.opType !== 'LSTM'));
  t.same(
    foreign.layers[0]?.directions[0]?.biasIh,
    shallow.layers[0]?.directions[0]?.biasIh,
    'an expression of constants is computed',
  );
});

void t.test('gates come back in the order of this package', async (t) => {
  const checkpoint = parseCheckpoint(encodeCheckpoint(tinyCheckpoint()), 'tiny');
  const network = chainOf(await takeForeign(bytes, 'net.onnx'));
  if (network === undefined) throw new Error('the dense graph is a chain');
  for (const name of ['lstm.0.weight_ih', 'lstm.1.weight_hh', 'lstm.0.bias', 'output.weight']) {
    t.same(tensorOf(network, name), tensorOf(checkpoint, name), name);
  }
});

void t.test('series from files', async (t) => {
  t.same(parseCsv('time;a\n1;2\n3;4\n', 'x.csv'), {
    dims: [2, 2],
    data: new Float32Array([1, 2, 3, 4]),
  });
  t.throws(() => parseCsv('1,2\n3\n', 'x.csv'), /x.csv:2: "3"; expected 2 numbers/);
  const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }\n";
  const npy = Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.from(Uint16Array.of(header.length).buffer),
    Buffer.from(header),
    Buffer.from(Float64Array.of(1.5, -2).buffer),
  ]);
  t.same(parseNpy(npy, 'x.npy'), { dims: [2, 1], data: new Float32Array([1.5, -2]) });
  t.throws(() => parseNpy(npy.subarray(0, npy.length - 1), 'x.npy'), /15 bytes for 2 values/);
  t.throws(() => parseNpy(Buffer.from('hello, world'), 'x.npy'), /not a .npy file/);
  for (const shape of ['2, x', '-2,1', '2,.5'])
    t.throws(
      () =>
        parseNpy(
          Buffer.from(npy.toString('latin1').replace('(2, 1)', `(${shape})`), 'latin1'),
          'x.npy',
        ),
      { message: `x.npy: the shape is (${shape}); expected whole numbers` },
    );
});
