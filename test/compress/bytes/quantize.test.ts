import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import t from 'tap';
import { main } from '../../../src/cli/main.js';
import {
  compareOutputs,
  inBytes,
  inPieces,
  openForBytes,
} from '../../../src/compress/bytes/index.js';
import { collect } from '../../../src/compress/factorize/collect.js';
import { analyseByReaders, cutAt } from '../../../src/compress/factorize/plan.js';
import {
  rewrite,
  Runner,
  takeForeign,
  type Calls,
  type Feed,
} from '../../../src/compress/import/index.js';
import { onGrid, quantizeRows } from '../../../src/compress/quantize/grid.js';
import { recurrence } from '../../../src/compress/reference/recurrence.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import {
  attributes,
  DataType,
  encode,
  floats,
  info,
  node,
  randomRecurrence,
} from '../../sim/recurrent-graph.js';
import { branches, chains, rounds, shapeless, streaming } from '../../sim/wild-graphs.js';

const { onnx } = onnxProto;
const random = randomFrom(21);
const value = (...dims: number[]) => ({
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * random() - 1),
});
const flag = (on: boolean) => ({ dims: [], data: Float32Array.of(on ? 1 : 0) });
const none = new Map<string, string>();
const options = { rule: 'mse', keep: new Set<string>() } as const;
const alone = (feeds: readonly Feed[]): Calls => ({ feeds, begins: new Set(feeds) });

const kinds = [
  ['lstm', randomRecurrence({ kind: 'lstm', direction: 'forward', inputs: 4, cells: 12 }, 1)],
  ['gru', randomRecurrence({ kind: 'gru', direction: 'forward', inputs: 4, cells: 12 }, 2)],
  [
    'gru, reset after',
    randomRecurrence(
      { kind: 'gru', direction: 'forward', inputs: 4, cells: 12, linearBeforeReset: true },
      3,
    ),
  ],
  ['rnn', randomRecurrence({ kind: 'rnn', direction: 'forward', inputs: 4, cells: 12 }, 4)],
] as const;

for (const [name, r] of kinds) {
  void t.test(
    `${name}: factored or not, near the float one, and the same bits in pieces`,
    async (t) => {
      const bytes = streaming(r);
      const state = (zero: boolean) => ({
        h0: zero ? { dims: [1, 1, 12], data: new Float32Array(12) } : value(1, 1, 12),
        ...(r.kind === 'lstm' ? { c0: value(1, 1, 12) } : {}),
      });
      const feeds = Array.from({ length: 12 }, (_, i) => ({ x: value(40, 1, 4), ...state(i > 0) }));
      const foreign = await takeForeign(bytes, name);
      const { moments } = await collect(foreign, feeds);
      const analysis = analyseByReaders(foreign.plan, { moments });
      const half = foreign.plan.vectors.map((v) => (v.input ? 0 : 6));
      const factored = rewrite(foreign, cutAt(analysis, half));
      const carried = new Map([
        ['hn', 'h0'],
        ...(r.kind === 'lstm' ? [['cn', 'c0'] as const] : []),
      ]);
      for (const [as, network] of [
        ['as it is', bytes],
        ['factored', factored],
      ] as const) {
        const opened = await openForBytes(network, name);
        const made = await inBytes(opened, alone(feeds), options);
        t.same(made.inFloat, [], as);
        const types = new Map<string, number>();
        const count = (nodes: readonly { opType?: string | null }[]) => {
          for (const { opType } of nodes)
            types.set(opType ?? '', (types.get(opType ?? '') ?? 0) + 1);
        };
        const { graph } = onnx.ModelProto.decode(made.onnx);
        count(graph?.node ?? []);
        for (const n of graph?.node ?? [])
          for (const a of n.attribute ?? []) count(a.g?.node ?? []);
        t.notOk(types.has('MatMul'), `${as}: every product is one of integers`);
        t.ok((types.get('MatMulIntegerToFloat') ?? 0) >= 3, as);
        const floatsOf = (graph?.initializer ?? []).filter((i) => i.dataType === DataType.FLOAT);
        t.notOk(floatsOf.some((i) => (i.dims ?? []).length > 1 && Number(i.dims?.[0]) > 1));
        const [out] = await compareOutputs(network, made.onnx, alone(feeds), none);
        t.ok((out?.share ?? NaN) < 0.01, `${as}: ${out?.share} of the variance`);
        t.ok((out?.share ?? NaN) > 0, 'and it is not the float one');
        for (const feed of feeds.slice(0, 2)) {
          const apart = await inPieces(
            { where: name },
            made.onnx,
            feed,
            { name: 'x', axis: 0 },
            carried,
          );
          t.equal(apart, 0, `${as}: the same bits`);
        }
      }
    },
  );
}

void t.test('the arithmetic is that of the definition, on a grid', async (t) => {
  const r = randomRecurrence({ kind: 'lstm', direction: 'forward', inputs: 3, cells: 5 }, 7, {
    biases: true,
  });
  const feed = {
    x: value(6, 1, 3),
    h0: { dims: [1, 1, 5], data: new Float32Array(5) },
    c0: { dims: [1, 1, 5], data: new Float32Array(5) },
  };
  const made = await inBytes(await openForBytes(streaming(r), 'net'), alone([feed]), {
    ...options,
    rule: 'max',
  });
  const scaleOf = (part: string) =>
    Math.fround((made.matrices.find((m) => m.name.includes(part))?.upTo ?? NaN) / 127);
  const rounded = (rows: number, columns: number, data: ArrayLike<number>) => {
    const { q, scales } = quantizeRows({ shape: [rows, columns], data: Float32Array.from(data) });
    return Float64Array.from(q, (v, i) => (scales[Math.floor(i / columns)] ?? 0) * (v - 128));
  };
  const grid = (v: number, scale: number) => scale * onGrid(v, scale);
  const x = feed.x.data.map((v) => grid(v, scaleOf('ih')));
  const net = { ...r, w: rounded(20, 3, r.w), r: rounded(20, 5, r.r) };
  // One step at a time, h on its grid in between.
  let h: ArrayLike<number> = new Float64Array(5);
  let c: ArrayLike<number> = new Float64Array(5);
  for (let step = 0; step < 6; step++) {
    const given = Array.from(h, (v) => grid(Math.fround(v), scaleOf('hh')));
    const out = recurrence(net, x.subarray(3 * step, 3 * step + 3), [1, 1], { h: given, c });
    ({ h, c } = out);
  }
  const runner = await Runner.open(made.onnx);
  const out = await runner.run(feed);
  await runner.close();
  for (const [name, right] of [
    ['hn', h],
    ['cn', c],
  ] as const) {
    const got = out.get(name)?.data ?? new Float32Array(0);
    t.equal(got.length, 5);
    got.forEach((v, i) => t.ok(Math.abs(v - (right[i] ?? NaN)) < 2e-6, `${name} ${i}`));
  }
});

const wild: readonly (readonly [string, Uint8Array, () => Feed[], number])[] = [
  [
    'branches',
    branches(),
    () =>
      [true, false].map((first) => ({
        x: value(3, 2, 4),
        first: flag(first),
        second: flag(true),
      })),
    4,
  ],
  [
    'rounds',
    rounds(),
    () => [
      { x: value(3, 2, 4), h0: value(1, 2, 6), c0: value(1, 2, 6), series: value(5, 3, 2, 4) },
    ],
    5,
  ],
  ['chains', chains(), () => [{ x: value(7, 2, 4) }], 9],
];
for (const [name, bytes, feeds, least] of wild) {
  void t.test(`${name}: inside bodies, both directions, several chains`, async (t) => {
    const calls = alone(Array.from({ length: 12 }, feeds).flat());
    const made = await inBytes(await openForBytes(bytes, name), calls, options);
    t.ok(made.matrices.length >= least, `${made.matrices.length} matrices`);
    t.same(made.inFloat, []);
    for (const { name: output, share } of await compareOutputs(bytes, made.onnx, calls, none))
      t.ok(share > 0 && share < 0.01, `${output}: ${share}`);
  });
}

/** A kernel over 40 steps, ReLU, and a Gemm: 512 weights of the kernel, 24 of the matrix. */
function convolved(): Uint8Array {
  const values = randomFrom(3);
  const some = (length: number) => Float32Array.from({ length }, () => 2 * values() - 1);
  return encode({
    node: [
      { ...node('Conv', ['x', 'k', 'kb'], ['seen']), name: 'listen' },
      node('Relu', ['seen'], ['kept']),
      node(
        'ReduceMean',
        ['kept'],
        ['mean'],
        [attributes.ints('axes', [2]), attributes.int('keepdims', 0)],
      ),
      {
        ...node(
          'Gemm',
          ['mean', 'm', 'mb'],
          ['score'],
          [attributes.int('transB', 1), attributes.float('beta', 2)],
        ),
        name: 'judge',
      },
    ],
    initializer: [
      floats('k', [8, 4, 16], some(512)),
      floats('kb', [8], some(8)),
      floats('m', [3, 8], some(24)),
      floats('mb', [3], some(3)),
    ],
    input: [info('x', [1, 4, 40])],
    output: [shapeless('score')],
  });
}

void t.test('kernels are stored in bytes, a Gemm is a product; nodes can be kept', async (t) => {
  const calls = alone(Array.from({ length: 20 }, () => ({ x: value(1, 4, 40) })));
  const bytes = convolved();
  const opened = await openForBytes(bytes, 'net');
  const made = await inBytes(opened, calls, options);
  t.same(made.kernels, [{ name: 'k', shape: [8, 4, 16] }]);
  t.same(
    made.matrices.map((m) => m.shape),
    [[3, 8]],
  );
  const [score] = await compareOutputs(bytes, made.onnx, calls, none);
  t.ok((score?.share ?? NaN) < 0.002, `${score?.share}`);
  t.ok(made.onnx.length < bytes.length - 600, `${bytes.length} -> ${made.onnx.length}`);
  const kept = await inBytes(opened, calls, { ...options, keep: new Set(['listen']) });
  t.same(kept.kernels, []);
  t.same(kept.inFloat, [{ name: 'listen', why: 'it was asked for', weights: 512 }]);
  await t.rejects(
    inBytes(opened, calls, { ...options, keep: new Set(['lissen']) }),
    /no node is called "lissen"/,
  );
  await t.rejects(
    inBytes(opened, calls, { ...options, keep: new Set(['judge']) }),
    /no product with a constant matrix .*"judge": it was asked for/,
  );
  await t.rejects(
    inBytes(await openForBytes(made.onnx, 'twice'), calls, options),
    /no product with a constant matrix in float/,
  );
  const broken = alone([{ x: { dims: [1, 4, 40], data: new Float32Array(160).fill(Infinity) } }]);
  await t.rejects(inBytes(opened, broken, options), /has no bound/);
});

void t.test('a branch that no call takes stays in float, by name', async (t) => {
  const calls = alone([{ x: value(3, 2, 4), first: flag(true), second: flag(false) }]);
  const made = await inBytes(await openForBytes(branches(), 'net'), calls, options);
  t.ok(made.inFloat.length > 0);
  t.ok(made.inFloat.every((f) => f.why.startsWith('the calibration data does not reach it')));
});

void t.test(
  'a file cut at every 1 % is refused in words, and so are weights that are no numbers',
  async (t) => {
    const r = randomRecurrence({ kind: 'gru', direction: 'forward', inputs: 4, cells: 12 }, 2);
    const bytes = streaming(r);
    for (let part = 0; part < 100; part++) {
      const cut = bytes.subarray(0, Math.floor((bytes.length * part) / 100));
      await t.rejects(
        openForBytes(cut, 'net.onnx'),
        { name: 'KikitoriError', kind: 'input' },
        `${part} %`,
      );
    }
    const broken = streaming({ ...r, w: Float32Array.from(r.w, (v, i) => (i === 5 ? NaN : v)) });
    await t.rejects(
      openForBytes(broken, 'net.onnx'),
      /W of "cells" holds values that are no numbers/,
    );
  },
);

void t.test('from the command line: size, error, pieces; nothing half-written', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const file = (name: string) => join(folder, name);
  const r = randomRecurrence({ kind: 'lstm', direction: 'forward', inputs: 4, cells: 48 }, 8);
  await writeFile(file('net.onnx'), streaming(r));
  const rows = Array.from({ length: 2000 }, () =>
    Array.from({ length: 4 }, () => (2 * random() - 1).toFixed(4)).join(','),
  );
  await writeFile(file('x.csv'), rows.join('\n'));
  await writeFile(file('cut.onnx'), streaming(r).subarray(0, 3000));
  await writeFile(file('text.onnx'), 'no network');
  let [printed, said] = ['', ''];
  const io = {
    stdout: { write: (s: string) => (printed += s) },
    stderr: { write: (s: string) => (said += s) },
    env: {},
  };
  const run = (...argv: string[]) => {
    [printed, said] = ['', ''];
    return main(['model', ...argv], io);
  };
  const data = ['--calibration', file('x.csv'), '--carry', 'hn=h0', '--carry', 'cn=c0'];
  t.equal(
    await run(
      'compress',
      file('net.onnx'),
      '--out',
      file('small.onnx'),
      '--params',
      '5000',
      ...data,
    ),
    0,
    said,
  );
  t.equal(
    await run('quantize', file('small.onnx'), '--out', file('s8.onnx'), '--json', ...data),
    0,
    said,
  );
  const facts = JSON.parse(printed) as {
    bytes: number;
    bytesBefore: number;
    inPieces: number;
    error: { name: string; share: number }[];
  };
  t.equal(facts.bytes, (await readFile(file('s8.onnx'))).length);
  t.equal(facts.bytesBefore, (await readFile(file('small.onnx'))).length);
  t.ok(facts.bytes < 0.55 * facts.bytesBefore, `${facts.bytesBefore} -> ${facts.bytes}`);
  t.equal(facts.inPieces, 0);
  t.ok((facts.error.find((e) => e.name === 'out')?.share ?? NaN) < 0.01);
  t.equal(await run('quantize', file('net.onnx'), '--out', file('n8.onnx'), ...data), 0, said);
  t.match(printed, /in pieces\s+the same bits/);
  const before = await readdir(folder);
  for (const [argv, why] of [
    [[file('net.onnx'), '--out', file('no.safetensors'), ...data], /--out of an ONNX file/],
    [[file('net.onnx'), '--out', file('no.onnx')], /--calibration is one series/],
    [[file('net.onnx'), '--out', file('no.onnx'), '--rule', '0.999', ...data], /mse or max/],
    [
      [file('net.onnx'), '--out', file('no.onnx'), '--keep', 'nobody', ...data],
      /no node is called/,
    ],
    [[file('n8.onnx'), '--out', file('no.onnx'), ...data], /no product with a constant matrix/],
    [[file('cut.onnx'), '--out', file('no.onnx'), ...data], /damaged/],
    [[file('text.onnx'), '--out', file('no.onnx'), ...data], /no ONNX file/],
    [[file('gone.onnx'), '--out', file('no.onnx'), ...data], /no such file/],
    [[file('a.safetensors'), '--out', file('no.safetensors'), '--keep', 'x'], /for ONNX files/],
  ] as const) {
    t.not(await run('quantize', ...argv), 0, argv.slice(1).join(' '));
    t.match(said, why);
  }
  t.same(await readdir(folder), before, 'nothing was left behind');
});
