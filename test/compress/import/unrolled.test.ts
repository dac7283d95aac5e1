import type { onnx as Onnx } from 'onnx-proto';
import t from 'tap';
import { inBytes, openForBytes } from '../../../src/compress/bytes/index.js';
import { collect } from '../../../src/compress/factorize/collect.js';
import { analyseByReaders, cutAt } from '../../../src/compress/factorize/plan.js';
import {
  checkUnderstood,
  ForeignModel,
  largestDifference,
  rewrite,
  Runner,
  survey,
  takeForeign,
  type Feed,
} from '../../../src/compress/import/index.js';
import { recurrence } from '../../../src/compress/reference/recurrence.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import {
  attributes,
  encode,
  floats,
  info,
  int64s,
  node,
  randomRecurrence,
} from '../../sim/recurrent-graph.js';
import { shapeless } from '../../sim/wild-graphs.js';

const random = randomFrom(31);
const value = (...dims: number[]) => ({
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * random() - 1),
});
const [inputs, cells] = [3, 5];
const net = randomRecurrence({ kind: 'lstm', direction: 'forward', inputs, cells }, 17);

/** Weights in the order of PyTorch and Keras, i, f, g, o, inputs first. */
function constants(): Onnx.ITensorProto[] {
  // i, o, f, c of ONNX.
  const order = [0, 2, 3, 1];
  const turned = (from: ArrayLike<number>, width: number) =>
    Float32Array.from({ length: 4 * cells * width }, (_, k) => {
      const [row, column] = [k % (4 * cells), Math.floor(k / (4 * cells))];
      const own = (order[Math.floor(row / cells)] ?? 0) * cells + (row % cells);
      return from[own * width + column] ?? 0;
    });
  const b = Array.from(
    { length: 4 * cells },
    (_, k) => (net.b?.[k] ?? 0) + (net.b?.[4 * cells + k] ?? 0),
  );
  return [
    floats('W', [inputs, 4 * cells], turned(net.w, inputs)),
    floats('R', [cells, 4 * cells], turned(net.r, cells)),
    floats('b', [4 * cells], turned(b, 1)),
    floats(
      'head',
      [cells, 2],
      Array.from({ length: 2 * cells }, () => 2 * random() - 1),
    ),
    int64s('four', [cells, cells, cells, cells]),
    int64s('zero', [0]),
  ];
}

/** One step in plain operators. */
function step(x: string, h: string, c: string, as: string): Onnx.INodeProto[] {
  const of = (name: string) => `${name}.${as}`;
  return [
    node('MatMul', [x, 'W'], [of('xw')]),
    node('MatMul', [h, 'R'], [of('hr')]),
    node('Add', [of('xw'), of('hr')], [of('sum')]),
    node('Add', [of('sum'), 'b'], [of('gates')]),
    node('Split', [of('gates'), 'four'], ['i', 'f', 'g', 'o'].map(of), [
      attributes.int('axis', -1),
    ]),
    node('Sigmoid', [of('i')], [of('si')]),
    node('Sigmoid', [of('f')], [of('sf')]),
    node('Tanh', [of('g')], [of('tg')]),
    node('Sigmoid', [of('o')], [of('so')]),
    node('Mul', [of('sf'), c], [of('kept')]),
    node('Mul', [of('si'), of('tg')], [of('new')]),
    node('Add', [of('kept'), of('new')], [of('c')]),
    node('Tanh', [of('c')], [of('tc')]),
    node('Mul', [of('so'), of('tc')], [of('h')]),
  ];
}

const count = 6;
const at = (t: number): Onnx.ITensorProto => ({ ...int64s(`at.${t}`, [t]), dims: [] });

/** All steps of x [T, B, I], each under the matrix `head`. */
function unrolled(): Uint8Array {
  const steps = Array.from({ length: count }, (_, k) => [
    node('Gather', ['x', `at.${k}`], [`x.${k}`], [attributes.int('axis', 0)]),
    ...step(`x.${k}`, k === 0 ? 'h0' : `h.${k - 1}`, k === 0 ? 'c0' : `c.${k - 1}`, `${k}`),
    node('MatMul', [`h.${k}`, 'head'], [`out.${k}`]),
    node('Unsqueeze', [`out.${k}`, 'zero'], [`row.${k}`]),
  ]);
  return encode({
    node: [
      ...steps.flat(),
      node(
        'Concat',
        steps.map((_, k) => `row.${k}`),
        ['y'],
        [attributes.int('axis', 0)],
      ),
    ],
    initializer: [...constants(), ...steps.map((_, k) => at(k))],
    input: [info('x', [count, 2, inputs]), info('h0', [2, cells]), info('c0', [2, cells])],
    output: [shapeless('y'), shapeless(`h.${count - 1}`), shapeless(`c.${count - 1}`)],
  });
}

/** The same as the body of a Scan. */
function scanned(): Uint8Array {
  const body: Onnx.IGraphProto = {
    name: 'each',
    node: [...step('row', 'before', 'cell', 's'), node('MatMul', ['h.s', 'head'], ['seen'])],
    input: [info('before', [2, cells]), info('cell', [2, cells]), info('row', [2, inputs])],
    output: [info('h.s', [2, cells]), info('c.s', [2, cells]), info('seen', [2, 2])],
  };
  return encode({
    node: [
      node(
        'Scan',
        ['h0', 'c0', 'x'],
        ['h', 'c', 'y'],
        [attributes.graph('body', body), attributes.int('num_scan_inputs', 1)],
      ),
    ],
    initializer: constants(),
    input: [info('x', ['T', 2, inputs]), info('h0', [2, cells]), info('c0', [2, cells])],
    output: [shapeless('y'), shapeless('h'), shapeless('c')],
  });
}

const feeds = (many: number): Feed[] =>
  Array.from({ length: many }, () => ({
    x: value(count, 2, inputs),
    h0: value(2, cells),
    c0: value(2, cells),
  }));

for (const [name, bytes, steps] of [
  ['unrolled over time', unrolled(), count],
  ['the body of a Scan', scanned(), 1],
] as const) {
  void t.test(
    `an LSTM ${name} is one layer, the same as by the definition, and smaller with less`,
    async (t) => {
      const found = await survey(ForeignModel.parse(bytes, name));
      t.same([found.recurrent.length, found.rolled.map((r) => r.steps)], [1, [steps]]);
      t.same(found.obstacles, []);
      const foreign = await takeForeign(bytes, name);
      const calls = feeds(20);
      await checkUnderstood(foreign, calls);
      t.equal(foreign.heads.length, steps, 'the matrix is read as one that reads h');
      t.equal(foreign.plan.matrices.length, 3, 'W, R and the matrix above, each once');
      const [feed] = calls;
      if (feed === undefined) throw new Error('a call');
      const right = recurrence(net, feed['x']?.data ?? [], [count, 2], {
        h: feed['h0']?.data ?? [],
        c: feed['c0']?.data ?? [],
      });
      const runner = await Runner.open(foreign.model.bytes);
      const out = await runner.run(feed);
      await runner.close();
      const [, h, c] = foreign.model.outputs;
      for (const [output, wanted] of [
        [h, right.h],
        [c, right.c],
      ] as const)
        out
          .get(output ?? '')
          ?.data.forEach((v, i) => t.ok(Math.abs(v - (wanted[i] ?? NaN)) < 1e-5));
      const { moments } = await collect(foreign, calls);
      const analysis = analyseByReaders(foreign.plan, { moments });
      const at = async (rank: number) =>
        largestDifference(
          foreign,
          rewrite(
            foreign,
            cutAt(
              analysis,
              foreign.plan.vectors.map((v) => (v.input ? 0 : rank)),
            ),
          ),
          calls,
        );
      t.ok((await at(cells)) < 1e-4, 'at full rank the same');
      const less = await at(2);
      t.ok(less > 1e-3 && less < 2, `with rank 2: ${less}`);
      const made = await inBytes(
        await openForBytes(bytes, name),
        { feeds: calls, begins: new Set(calls) },
        { rule: 'mse', keep: new Set() },
      );
      t.ok((await largestDifference(foreign, made.onnx, calls)) < 0.1, 'and in 8 bits');
    },
  );
}

void t.test('where a step hears what came out of the one before, each stands alone', async (t) => {
  const bytes = encode({
    node: [
      ...step('x', 'h0', 'c0', '0'),
      node('MatMul', ['h.0', 'back'], ['x.1']),
      ...step('x.1', 'h.0', 'c.0', '1'),
    ],
    initializer: [...constants(), floats('back', [cells, inputs], value(15).data)],
    input: [info('x', [2, inputs]), info('h0', [2, cells]), info('c0', [2, cells])],
    output: [shapeless('h.1')],
  });
  const foreign = await takeForeign(bytes, 'back');
  t.same(
    foreign.layers.map((l) => l.sites.length),
    [2],
    'one layer at two places',
  );
  const calls = Array.from({ length: 8 }, () => ({
    x: value(2, inputs),
    h0: value(2, cells),
    c0: value(2, cells),
  }));
  await checkUnderstood(foreign, calls);
});

void t.test('what is nearly one is named, with its node and why', async (t) => {
  const change = (edit: (nodes: Onnx.INodeProto[]) => void) => {
    const nodes = step('x', 'h0', 'c0', '0');
    edit(nodes);
    return encode({
      node: nodes,
      initializer: constants(),
      input: [
        info('x', [2, inputs]),
        info('h0', [2, cells]),
        info('c0', [2, cells]),
        info('other', [2, 4 * cells]),
      ],
      output: [shapeless('h.0')],
    });
  };
  const of = (nodes: Onnx.INodeProto[], output: string) => {
    const found = nodes.find((n) => n.output?.[0] === output);
    if (found === undefined) throw new Error(output);
    return found;
  };
  for (const [edit, why] of [
    [
      (n: Onnx.INodeProto[]) => (of(n, 'gates.0').input = ['sum.0', 'other']),
      /"Mul h.0" ends what looks like a step of an LSTM, but "other" in its gates is no product/,
    ],
    [
      (n: Onnx.INodeProto[]) => (of(n, 'so.0').input = ['i.0']),
      /its gates are no four parts of one sum/,
    ],
    [
      (n: Onnx.INodeProto[]) => (of(n, 'hr.0').input = ['h0', 'head']),
      /its products have different sizes/,
    ],
  ] as const) {
    const bytes = change(edit);
    await t.rejects(takeForeign(bytes, 'net'), { kind: 'input', message: why });
    const { obstacles } = await survey(ForeignModel.parse(bytes, 'net'));
    t.match(obstacles.join('; '), why);
  }
  const gru = encode({
    node: [
      node('MatMul', ['x', 'W'], ['n.pre']),
      node('Tanh', ['n.pre'], ['n']),
      node('Sigmoid', ['n.pre'], ['z']),
      node('Sub', ['h', 'n'], ['away']),
      node('Mul', ['z', 'away'], ['moved']),
      { ...node('Add', ['n', 'moved'], ['next']), name: 'the end' },
    ],
    initializer: [floats('W', [3, 5], value(15).data)],
    input: [info('x', [2, 3]), info('h', [2, 5])],
    output: [shapeless('next')],
  });
  await t.rejects(takeForeign(gru, 'net'), /"the end" ends what looks like a step of a GRU/);
});
