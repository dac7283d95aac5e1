import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import t from 'tap';
import { encodeWav } from '../../../src/audio/index.js';
import { main } from '../../../src/cli/main.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { collect } from '../../../src/compress/factorize/collect.js';
import { costAt, fit, ranksAt, smallestCost } from '../../../src/compress/factorize/budget.js';
import {
  analyseByReaders,
  analyseByRecurrent,
  cutAt,
} from '../../../src/compress/factorize/plan.js';
import {
  largestDifference,
  readOnnx,
  rewrite,
  takeForeign,
  type Feed,
} from '../../../src/compress/import/index.js';
import {
  attributes,
  DataType,
  encode,
  floats,
  info,
  int64s,
  node,
  randomRecurrence,
  recurrentNode,
} from '../../sim/recurrent-graph.js';

const { onnx } = onnxProto;
const random = randomFrom(11);
const value = (...dims: number[]) => ({
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * random() - 1),
});
const shapeless = (name: string, elemType: number = DataType.FLOAT): Onnx.IValueInfoProto => ({
  name,
  type: { tensorType: { elemType } },
});

const small = randomRecurrence({ kind: 'lstm', direction: 'forward', inputs: 4, cells: 6 }, 1);
const other = randomRecurrence({ kind: 'gru', direction: 'forward', inputs: 4, cells: 6 }, 2);
const both = randomRecurrence({ kind: 'lstm', direction: 'bidirectional', inputs: 4, cells: 6 }, 3);
const top = randomRecurrence({ kind: 'gru', direction: 'forward', inputs: 12, cells: 5 }, 4);

/** If: an LSTM whose weights stand outside, or a GRU whose weights stand inside, within a second If. */
function branches(): Uint8Array {
  const lstm = recurrentNode(small, 'one', { outputs: ['y.one', 'h.one'] });
  const gru = recurrentNode(other, 'two', { outputs: ['y.two'] });
  const inner: Onnx.IGraphProto = {
    name: 'inner',
    node: [gru.node, node('Identity', ['y.two'], ['inner.out'])],
    initializer: gru.initializer,
    output: [shapeless('inner.out')],
  };
  const nothing: Onnx.IGraphProto = {
    name: 'nothing',
    node: [
      node('Unsqueeze', ['x', 'axis'], ['wide']),
      node('Concat', ['wide', 'half'], ['nothing.out'], [attributes.int('axis', 3)]),
    ],
    output: [shapeless('nothing.out')],
  };
  return encode({
    node: [
      node(
        'If',
        ['first'],
        ['chosen'],
        [
          attributes.graph('then_branch', {
            name: 'then',
            node: [lstm.node, node('Identity', ['y.one'], ['then.out'])],
            output: [shapeless('then.out')],
          }),
          attributes.graph('else_branch', {
            name: 'else',
            node: [
              node(
                'If',
                ['second'],
                ['else.out'],
                [attributes.graph('then_branch', inner), attributes.graph('else_branch', nothing)],
              ),
            ],
            output: [shapeless('else.out')],
          }),
        ],
      ),
      node('Mul', ['chosen', 'two'], ['out']),
    ],
    initializer: [
      ...lstm.initializer,
      floats('two', [1], [2]),
      int64s('axis', [1]),
      floats('half', [3, 1, 2, 2], new Float32Array(12).fill(0.5)),
    ],
    input: [
      info('x', [3, 2, 4]),
      info('first', [], DataType.BOOL),
      info('second', [], DataType.BOOL),
    ],
    output: [shapeless('out')],
  });
}

/** Loop: each round runs an LSTM from the state before; Scan: each row of series goes through a GRU. */
function rounds(): Uint8Array {
  const lstm = recurrentNode(small, 'looped', {
    h: 'h.in',
    c: 'c.in',
    outputs: ['y', 'h.out', 'c.out'],
  });
  const gru = recurrentNode(other, 'scanned', { x: 'row', outputs: ['row.y', 'row.h'] });
  const loop: Onnx.IGraphProto = {
    name: 'round',
    node: [node('Identity', ['go'], ['go.on']), lstm.node, node('Identity', ['h.out'], ['seen'])],
    input: [
      info('i', [], DataType.INT64),
      info('go', [], DataType.BOOL),
      info('h.in', [1, 2, 6]),
      info('c.in', [1, 2, 6]),
    ],
    output: [
      info('go.on', [], DataType.BOOL),
      info('h.out', [1, 2, 6]),
      info('c.out', [1, 2, 6]),
      info('seen', [1, 2, 6]),
    ],
  };
  const scan: Onnx.IGraphProto = {
    name: 'each',
    node: [gru.node, node('Identity', ['row.h'], ['last'])],
    input: [info('row', [3, 2, 4])],
    output: [info('last', [1, 2, 6])],
  };
  return encode({
    node: [
      node(
        'Loop',
        ['count', 'yes', 'h0', 'c0'],
        ['h', 'c', 'all'],
        [attributes.graph('body', loop)],
      ),
      node(
        'Scan',
        ['series'],
        ['lasts'],
        [attributes.graph('body', scan), attributes.int('num_scan_inputs', 1)],
      ),
    ],
    initializer: [
      ...lstm.initializer,
      ...gru.initializer,
      { ...int64s('count', [4]), dims: [] },
      { name: 'yes', dims: [], dataType: DataType.BOOL, rawData: Uint8Array.of(1) },
    ],
    input: [
      info('x', [3, 2, 4]),
      info('h0', [1, 2, 6]),
      info('c0', [1, 2, 6]),
      info('series', [5, 3, 2, 4]),
    ],
    output: [shapeless('h'), shapeless('c'), shapeless('all'), shapeless('lasts')],
  });
}

/** Two chains side by side: a bidirectional LSTM under a GRU under a matrix, and a GRU alone. */
function chains(): Uint8Array {
  const random = randomFrom(5);
  const lower = recurrentNode(both, 'lower', { outputs: ['lower.y'] });
  const upper = recurrentNode(top, 'upper', { x: 'joined', outputs: ['upper.y', 'upper.h'] });
  const alone = recurrentNode(other, 'alone', { outputs: ['alone.y', 'alone.h'] });
  return encode({
    node: [
      lower.node,
      node('Transpose', ['lower.y'], ['turned'], [attributes.ints('perm', [0, 2, 1, 3])]),
      node('Reshape', ['turned', 'shape'], ['joined']),
      upper.node,
      node('Squeeze', ['upper.y', 'one'], ['flat']),
      node('MatMul', ['flat', 'head'], ['out']),
      alone.node,
    ],
    initializer: [
      ...lower.initializer,
      ...upper.initializer,
      ...alone.initializer,
      int64s('shape', [0, 0, -1]),
      int64s('one', [1]),
      floats(
        'head',
        [5, 3],
        Float32Array.from({ length: 15 }, () => 2 * random() - 1),
      ),
    ],
    input: [info('x', ['T', 2, 4])],
    output: [shapeless('out'), shapeless('alone.h')],
  });
}

const flag = (on: boolean) => ({ dims: [], data: Float32Array.of(on ? 1 : 0) });

const networks: readonly (readonly [string, Uint8Array, () => Feed[], string[]])[] = [
  [
    'branches',
    branches(),
    () =>
      [true, false].map((first) => ({
        x: value(3, 2, 4),
        first: flag(first),
        second: flag(true),
      })),
    ['one', 'two'],
  ],
  [
    'rounds',
    rounds(),
    () => [
      { x: value(3, 2, 4), h0: value(1, 2, 6), c0: value(1, 2, 6), series: value(5, 3, 2, 4) },
    ],
    ['looped', 'scanned'],
  ],
  ['chains', chains(), () => [{ x: value(7, 2, 4) }], ['lower', 'alone', 'upper']],
];

for (const [name, bytes, feeds, layers] of networks) {
  void t.test(`${name}: the same at full rank, smaller with less, within any budget`, async (t) => {
    const foreign = await takeForeign(bytes, name);
    t.same(foreign.layers.map((l) => l.name).sort(), [...layers].sort());
    t.same(foreign.left, []);
    const { plan } = foreign;
    const calls = Array.from({ length: 12 }, feeds).flat();
    const { moments, steps } = await collect(foreign, calls);
    t.ok(steps > 0, `${steps} steps of every vector`);
    const full = plan.vectors.map((v) => v.size);
    for (const analysis of [analyseByRecurrent(plan), analyseByReaders(plan, { moments })]) {
      const error = await largestDifference(
        foreign,
        rewrite(foreign, cutAt(analysis, full)),
        feeds(),
      );
      t.ok(error < 1e-4, `${analysis.method} at full rank: ${error}`);
      const price = { weight: 1, row: 0, fixed: 0 };
      // Parameters fall with tau.
      const costs = [1, 0.9, 0.7, 0.5, 0.2, 0].map((tau) =>
        costAt(plan, ranksAt(analysis, tau, true), price),
      );
      t.same(
        costs,
        [...costs].sort((a, b) => b - a),
        `${analysis.method}: ${costs.join(' ')}`,
      );
      const dense = costAt(
        plan,
        full.map(() => 0),
        price,
      );
      t.ok(Math.max(...costs) <= dense, 'and are never more than before');
      const least = smallestCost(plan, analysis.method, { price, multiple: 1, plain: true });
      for (const limit of [dense, 0.9 * dense, 0.8 * dense, 0.6 * dense, least]) {
        if (limit < least) continue;
        const { ranks, spent } = fit(analysis, { price, limit, multiple: 1, plain: true });
        t.ok(spent <= limit && spent === costAt(plan, ranks, price), `${spent} within ${limit}`);
        const cut = cutAt(analysis, ranks);
        const smaller = await largestDifference(foreign, rewrite(foreign, cut), feeds());
        t.ok(Number.isFinite(smaller));
        if (limit === dense && analysis.method === 'data-aware') t.equal(smaller, 0);
      }
    }
  });
}

void t.test('moments inside bodies are those of the values there', async (t) => {
  const plain = await takeForeign(
    encode({
      ...recurrentGraph(),
    }),
    'plain',
  );
  const inside = await takeForeign(branches(), 'inside');
  const x = value(3, 2, 4);
  const a = await collect(plain, [{ x }]);
  const b = await collect(inside, [
    { x, first: flag(true), second: flag(false) },
    { x: value(3, 2, 4), first: flag(false), second: flag(true) },
    { x: value(3, 2, 4), first: flag(false), second: flag(false) },
  ]);
  const of = (foreign: typeof plain, name: string) =>
    foreign.plan.vectors.findIndex((v) => v.name === name);
  for (const name of ['one', 'the input of one']) {
    const [wanted, got] = [a.moments[of(plain, name)], b.moments[of(inside, name)]];
    t.equal(got?.count, 6);
    t.ok(
      wanted?.covariance.data.every(
        (v, i) => Math.abs(v - (got?.covariance.data[i] ?? NaN)) < 1e-6,
      ),
      name,
    );
  }
});

function recurrentGraph(): Onnx.IGraphProto {
  const { node: one, initializer } = recurrentNode(small, 'one', { outputs: ['y', 'h'] });
  return { node: [one], initializer, input: [info('x', [3, 2, 4])], output: [shapeless('h')] };
}

void t.test('one layer written twice, with a state and without, is factored once', async (t) => {
  const without = recurrentNode(small, 'w', { outputs: ['y.without'] });
  const given = recurrentNode(small, 'w', { h: 'h0', c: 'c0', outputs: ['y.given'] });
  const foreign = await takeForeign(
    encode({
      node: [
        { ...without.node, name: 'without' },
        { ...given.node, name: 'given' },
      ],
      initializer: given.initializer,
      input: [info('x', [3, 2, 4]), info('h0', [1, 2, 6]), info('c0', [1, 2, 6])],
      output: [shapeless('y.without'), shapeless('y.given')],
    }),
    'twice',
  );
  t.same([foreign.layers.length, foreign.layers[0]?.sites.length], [1, 2]);
  const cut = cutAt(analyseByRecurrent(foreign.plan), [0, 2]);
  const rewritten = onnx.ModelProto.decode(rewrite(foreign, cut));
  const sizes = (rewritten.graph?.initializer ?? []).map((i) => (i.dims ?? []).map(Number).join());
  t.equal(sizes.filter((s) => s === '6,2').length, 1, 'one P');
  t.equal(sizes.filter((s) => s === '2,24').length, 1, 'one Z');
});

void t.test('weights in a file beside it, and lies about them', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const path = join(folder, 'net.onnx');
  const model = onnx.ModelProto.decode(chains());
  const outside: Uint8Array[] = [];
  let at = 0;
  for (const tensor of model.graph?.initializer ?? []) {
    if (tensor.dataType !== DataType.FLOAT || !tensor.rawData) continue;
    const entry = (key: string, text: string) => ({ key, value: text });
    tensor.externalData = [
      entry('location', 'weights.bin'),
      entry('offset', `${at}`),
      entry('length', `${tensor.rawData.length}`),
    ];
    tensor.dataLocation = 1;
    outside.push(tensor.rawData);
    at += tensor.rawData.length;
    tensor.rawData = new Uint8Array(0);
  }
  await writeFile(path, onnx.ModelProto.encode(model).finish());
  await t.rejects(readOnnx(path), {
    kind: 'input',
    message: /weights\.bin: .*it has the weights of/,
  });
  const weights = Buffer.concat(outside);
  await writeFile(join(folder, 'weights.bin'), weights.subarray(1));
  await t.rejects(readOnnx(path), /is said to be \d+ bytes from \d+ of its/);
  await writeFile(join(folder, 'weights.bin'), weights);
  const foreign = await takeForeign(await readOnnx(path), path);
  t.same(
    foreign.plan.matrices.map((m) => m.weight),
    (await takeForeign(chains(), 'net')).plan.matrices.map((m) => m.weight),
  );
  for (const [wrong, said] of [
    ['../weights.bin', /said to be in "\.\.\/weights\.bin"; expected a file beside it or below/],
    ['/etc/hostname', /said to be in "\/etc\/hostname"/],
  ] as const) {
    const first = (model.graph?.initializer ?? []).find((i) => (i.externalData ?? []).length > 0);
    const entry = first?.externalData?.[0];
    if (entry) entry.value = wrong;
    await writeFile(path, onnx.ModelProto.encode(model).finish());
    await t.rejects(readOnnx(path), said);
  }
});

async function cli(...argv: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const status = await main(argv, {
    stdout: { write: (s: string) => (out.push(s), true) },
    stderr: { write: (s: string) => (err.push(s), true) },
  } as unknown as Parameters<typeof main>[1]);
  return { status, out: out.join(''), err: err.join('') };
}

void t.test('inspect says what is recurrent, where, and what keeps the rest', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const path = join(folder, 'net.onnx');
  await writeFile(path, branches());
  const { status, out, err } = await cli('model', 'inspect', path);
  t.equal(status, 0, err);
  t.match(out, /an ONNX file, not a bundle/);
  t.match(out, /nodes .*1 LSTM, 1 GRU.*, in the main graph and 4 bodies/);
  t.match(out, /recurrent {3}2 nodes, 504 parameters; 2 can be compressed/);
  t.match(out, /LSTM {8}"one": forward, 4 inputs, 6 cells, 288 parameters/);
  t.match(out, /in then_branch of If "If else.out", in else_branch of If "If chosen"/);
  const model = onnx.ModelProto.decode(chains());
  const clipped = model.graph?.node?.find((n) => n.name === 'alone');
  clipped?.attribute?.push(attributes.float('clip', 3));
  await writeFile(path, onnx.ModelProto.encode(model).finish());
  const json = JSON.parse((await cli('model', 'inspect', '--json', path)).out) as {
    recurrent: unknown[];
  };
  t.match(json.recurrent, [
    { name: 'lower', direction: 'bidirectional', readBy: ['upper'], compressible: true },
    { name: 'upper', type: 'GRU', readBy: ['MatMul out'], compressible: true },
    { name: 'alone', compressible: false, why: '"alone" clips its cells; expected no clip' },
  ]);
});

void t.test('bad files are named by inspect and compress, and nothing is written', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const path = join(folder, 'net.onnx');
  const whole = branches();
  const changed = (change: (graph: Onnx.IGraphProto) => void) => {
    const model = onnx.ModelProto.decode(chains());
    if (model.graph) change(model.graph);
    return onnx.ModelProto.encode(model).finish();
  };
  const weightsOf = (graph: Onnx.IGraphProto, name: string) => {
    const found = graph.initializer?.find((i) => i.name === name);
    if (found === undefined) throw new Error(name);
    return found;
  };
  const cases: (readonly [string, Uint8Array, RegExp, inspectable: boolean])[] = [
    [
      'a circle',
      changed((g) => {
        const [lower] = g.node ?? [];
        if (lower?.input) lower.input[0] = 'upper.y';
      }),
      /"lower".*read each other in a circle/,
      false,
    ],
    [
      'a shape that lies',
      changed((g) => (weightsOf(g, 'lower.R').dims = [2, 6, 24])),
      /"lower" has W \[2,24,4\] and R \[2,6,24\]|does not (load|run)/,
      true,
    ],
    [
      'a huge shape',
      changed((g) => (weightsOf(g, 'lower.W').dims = [2, 1e9, 1e9])),
      /"lower.W" has 768 bytes for 2000000000000000000 values|does not load/,
      true,
    ],
    [
      'NaN',
      changed((g) => (weightsOf(g, 'lower.W').rawData ?? new Uint8Array(0)).fill(255, 0, 4)),
      /no numbers|differ by NaN|not understood/,
      true,
    ],
    ['text', Buffer.from('LSTM'), /no ONNX file, or a damaged one/, false],
    ['nothing', new Uint8Array(0), /no ONNX file, or a damaged one/, false],
  ];
  for (const [name, bytes, why, inspectable] of cases) {
    await writeFile(path, bytes);
    const seen = await cli('model', 'inspect', path);
    t.equal(seen.status, inspectable ? 0 : 1, `${name}: ${seen.out}${seen.err}`);
    if (!inspectable) t.match(seen.err, why, name);
    else t.match(seen.out, /"lower".*\n.*not compressed: /, `${name}: ${seen.out}`);
    const args = ['--out', join(folder, 'small.onnx'), '--method', 'paper', '--tau', '0.5'];
    const tried = await cli('model', 'compress', path, ...args);
    t.equal(tried.status, 1, `${name}: ${tried.err}`);
    t.match(tried.err, why, name);
    t.same(await readdir(folder), ['net.onnx']);
  }
  for (let part = 0; part < 100; part++) {
    await writeFile(path, whole.subarray(0, Math.floor((whole.length * part) / 100)));
    const { status, err } = await cli('model', 'inspect', path);
    t.ok(status === 1 && err.includes('net.onnx: '), `${part} %: ${status} ${err}`);
  }
});

/** A detector as it is used: sound and a state in, a score and the next state out, the LSTM inside an If. */
function detector(): Uint8Array {
  const r = randomRecurrence({ kind: 'lstm', direction: 'forward', inputs: 10, cells: 8 }, 6);
  const lstm = recurrentNode(r, 'lstm', { x: 'steps', h: 'h', c: 'c', outputs: ['y', 'hn', 'cn'] });
  const body: Onnx.IGraphProto = {
    name: 'then',
    node: [
      node('Unsqueeze', ['sound', 'front'], ['steps']),
      node('Split', ['state'], ['h', 'c'], [attributes.int('axis', 0)]),
      lstm.node,
      node('Concat', ['hn', 'cn'], ['next'], [attributes.int('axis', 0)]),
      node(
        'ReduceMean',
        ['hn'],
        ['mean'],
        [attributes.ints('axes', [0, 2]), attributes.int('keepdims', 0)],
      ),
    ],
    output: [shapeless('mean'), shapeless('next')],
  };
  const other: Onnx.IGraphProto = {
    name: 'else',
    node: [
      node(
        'ReduceMean',
        ['sound'],
        ['silent'],
        [attributes.ints('axes', [1]), attributes.int('keepdims', 0)],
      ),
      node('Identity', ['state'], ['same']),
    ],
    output: [shapeless('silent'), shapeless('same')],
  };
  return encode({
    node: [
      node('Equal', ['rate', 'known'], ['is']),
      node(
        'If',
        ['is'],
        ['score', 'stateN'],
        [attributes.graph('then_branch', body), attributes.graph('else_branch', other)],
      ),
    ],
    initializer: [
      ...lstm.initializer,
      int64s('front', [0]),
      { ...int64s('known', [16000]), dims: [] },
    ],
    input: [info('sound', ['n', 10]), info('state', [2, 'n', 8]), info('rate', [], DataType.INT64)],
    output: [shapeless('score'), shapeless('stateN')],
  });
}

void t.test('a detector with a state is compressed on recordings', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const path = join(folder, 'net.onnx');
  const out = join(folder, 'small.onnx');
  await writeFile(path, detector());
  const wave = Float32Array.from({ length: 16000 }, () => 0.3 * (2 * random() - 1));
  await writeFile(join(folder, 'noise.wav'), encodeWav(wave, 16000));
  const calls = ['--calibration', folder, '--audio', 'sound', '--window', '8', '--context', '2'];
  const how = [...calls, '--carry', 'stateN=state', '--outputs', 'score', '--multiple', '1'];
  const tried = await cli(
    ...['model', 'compress', path, '--out', out, ...how, '--input', 'rate=16000'],
    ...['--max-loss', '0.05', '--json'],
  );
  t.equal(tried.status, 0, tried.err);
  t.match(JSON.parse(tried.out), {
    vectors: [
      { name: 'the input of lstm', size: 10 },
      { name: 'lstm', size: 8 },
    ],
    calibrationSteps: 2000,
  });
  const facts = JSON.parse(tried.out) as Record<string, number>;
  t.ok((facts['measuredLoss'] ?? NaN) <= 0.05);
  t.ok((facts['parameters'] ?? NaN) < (facts['parametersBefore'] ?? NaN));
  const limit = 5000;
  const bytes = await cli(
    ...['model', 'compress', path, '--out', out, ...how, '--input', 'rate=16000'],
    ...['--bytes', `${limit}`],
  );
  t.equal(bytes.status, 0, bytes.err);
  t.ok((await readOnnx(out)).length <= limit, 'the budget in bytes is met');
  const wrong = ['model', 'compress', path, '--out', out, ...calls, '--params', '620'];
  t.match(await cli(...wrong, '--input', 'speed=1', '--carry', 'x=y'), {
    status: 1,
    err: /there is no input "speed" but sound, state, rate; there is no input "y".*no output "x"/,
  });
  t.match(await cli(...wrong, '--input', 'rate=8000'), {
    status: 1,
    err: /calibration data has only 0 steps/,
  });
});
