import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import t from 'tap';
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
import { recurrence } from '../../../src/compress/reference/recurrence.js';
import { DataType, encode, info, recurrentNode } from '../../sim/recurrent-graph.js';
import { both, branches, chains, rounds, shapeless, small } from '../../sim/wild-graphs.js';

const { onnx } = onnxProto;
const random = randomFrom(11);
const value = (...dims: number[]) => ({
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * random() - 1),
});
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

void t.test('steps after the end of a sequence count for nothing', async (t) => {
  const { node: cells, initializer } = recurrentNode(both, 'cells', {
    lengths: 'lengths',
    outputs: ['y', 'h'],
  });
  const foreign = await takeForeign(
    encode({
      node: [cells],
      initializer,
      input: [info('x', ['T', 2, 4]), info('lengths', [2], DataType.INT32)],
      output: [shapeless('y')],
    }),
    'lengths',
  );
  // Of 7 steps the first sequence has 5 and the second 2; behind them stands what is no data.
  const x = value(7, 2, 4);
  const lengths = [5, 2];
  x.data.forEach((_, i) => {
    const [step, batch] = [Math.floor(i / 8), Math.floor(i / 4) % 2];
    if (step >= (lengths[batch] ?? 0)) x.data[i] = step === 6 ? NaN : 1000;
  });
  const feed = { x, lengths: { dims: [2], data: Float32Array.from(lengths) } };
  const { moments, steps } = await collect(foreign, [feed]);
  t.equal(steps, 7, 'five and two');
  const rows = (width: number, of: (step: number, batch: number, k: number) => number) =>
    [0, 1].flatMap((batch) =>
      Array.from({ length: lengths[batch] ?? 0 }, (_, step) =>
        Array.from({ length: width }, (_, k) => of(step, batch, k)),
      ),
    );
  const { y } = recurrence(
    both,
    x.data.map((v) => (Number.isFinite(v) ? v : 0)),
    [7, 2],
    { lengths },
  );
  const wanted = new Map([
    ['the input of cells', rows(4, (step, b, k) => x.data[(step * 2 + b) * 4 + k] ?? NaN)],
    ['cells forward', rows(6, (step, b, k) => y[((step * 2 + 0) * 2 + b) * 6 + k] ?? NaN)],
    ['cells reverse', rows(6, (step, b, k) => y[((step * 2 + 1) * 2 + b) * 6 + k] ?? NaN)],
  ]);
  foreign.plan.vectors.forEach(({ name, size }, v) => {
    const seen = wanted.get(name) ?? [];
    const mean = (of: (row: readonly number[]) => number) =>
      seen.reduce((sum, row) => sum + of(row), 0) / seen.length;
    const own = moments[v];
    t.equal(own?.count, 7, name);
    for (let i = 0; i < size; i++) {
      const right = mean((row) => row[i] ?? NaN);
      t.ok(Math.abs((own?.mean[i] ?? NaN) - right) < 1e-6, `${name} mean ${i}`);
      for (let j = 0; j < size; j++) {
        const product = mean((row) => (row[i] ?? NaN) * (row[j] ?? NaN));
        const covariance = product - right * mean((row) => row[j] ?? NaN);
        const got = own?.covariance.data[i * size + j] ?? NaN;
        if (!(Math.abs(got - covariance) < 1e-6)) t.fail(`${name} ${i} ${j}: ${got}`);
      }
    }
  });
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
