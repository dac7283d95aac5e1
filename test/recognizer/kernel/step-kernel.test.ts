/** The kernel gives the bits of ONNX Runtime, for every shape, on both kinds of processors, and takes no other network. */
import t from 'tap';
import { Bundle } from '../../../src/bundle/index.js';
import { denseGraph } from '../../../src/compress/graph/dense.js';
import { floatArithmetic } from '../../../src/compress/graph/arithmetic.js';
import { networkGraph } from '../../../src/compress/graph/network.js';
import { GraphSession } from '../../../src/compress/graph/session.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { AcousticModel } from '../../../src/recognizer/index.js';
import { readIntegerNetwork } from '../../../src/recognizer/kernel/read-network.js';
import { StepKernel } from '../../../src/recognizer/kernel/step-kernel.js';
import { byteGraph } from '../../sim/byte-graph.js';
import { Child } from '../../sim/process.js';
import { randomNetwork, type NetworkSize } from '../../sim/random-network.js';

const widths = ['wide', 'narrow'] as const;

const rowsOf = (count: number, inputs: number, seed: number) => {
  const random = randomFrom(seed);
  return Float32Array.from({ length: count * inputs }, () => 8 * (random() - 0.5));
};

function heard(kernel: StepKernel, rows: Float32Array, inputs: number, cuts: readonly number[]) {
  const state = kernel.zeroState();
  const logits: number[] = [];
  for (let at = 0, i = 0; at < rows.length; i++) {
    const size = (cuts[i % cuts.length] ?? 1) * inputs;
    logits.push(...kernel.run(rows.subarray(at, at + size), state));
    at += size;
  }
  return Float32Array.from(logits);
}

const sameBits = (a: Float32Array, b: Float32Array) =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]));

const sizes: readonly NetworkSize[] = [
  { layers: [1], ranks: [1], inputs: 1, outputs: 1 },
  { layers: [3, 5], ranks: [2, 3], inputs: 7, outputs: 5 },
  { layers: [4, 4, 4], ranks: [4, 4, 4], inputRank: 4, inputs: 16, outputs: 4 },
  { layers: [33, 18], ranks: [17, 31], inputRank: 15, inputs: 50, outputs: 41 },
  { layers: [64, 48, 20], ranks: [16, 32, 24], inputRank: 8, inputs: 320, outputs: 40 },
];

for (const size of sizes)
  for (const format of ['uint8', 'int4'] as const)
    void t.test(`${JSON.stringify(size)}, ${format}: the bits of ONNX Runtime`, async (t) => {
      const inputs = size.inputs ?? 0;
      for (const seed of [1, 2, 3]) {
        const graph = byteGraph(randomNetwork(size, seed), { format });
        const rows = rowsOf(40, inputs, seed);
        const session = await GraphSession.open(graph, inputs);
        const wanted = (await session.run(rows, [40])).get('logits') ?? new Float32Array(0);
        const network = readIntegerNetwork(graph);
        if (network === null) return t.fail('the kernel does not take it');
        for (const width of widths) {
          const kernel = StepKernel.of(network, width);
          if (kernel === null) return t.fail('no kernel');
          for (const cuts of [[40], [4], [1], [3, 5, 2]])
            t.ok(
              sameBits(heard(kernel, rows, inputs, cuts), wanted),
              `seed ${seed}, ${width}, calls of ${cuts.join()}`,
            );
        }
      }
    });

void t.test('cells that are rounded by hand have the same bits', async (t) => {
  const size = { layers: [256], ranks: [16], inputs: 8, outputs: 6 };
  const graph = byteGraph(randomNetwork(size, 5));
  const rows = rowsOf(2500, 8, 5);
  const session = await GraphSession.open(graph, 8);
  const wanted = (await session.run(rows, [2500])).get('logits') ?? new Float32Array(0);
  const network = readIntegerNetwork(graph);
  for (const width of widths) {
    const kernel = network === null ? null : StepKernel.of(network, width);
    if (kernel === null) return t.fail('no kernel');
    t.ok(sameBits(heard(kernel, rows, 8, [4]), wanted), width);
    t.ok(kernel.corrected > 0, `${kernel.corrected} steps of 2,500`);
  }
});

void t.test('two utterances at once do not disturb each other', (t) => {
  const size = { layers: [12, 9], ranks: [5, 6], inputs: 10, outputs: 7 };
  const network = readIntegerNetwork(byteGraph(randomNetwork(size, 9)));
  const kernel = network === null ? null : StepKernel.of(network);
  if (kernel === null) throw new Error('no kernel');
  const [a, b] = [rowsOf(12, 10, 1), rowsOf(12, 10, 2)];
  const alone = [a, b].map((rows) => heard(kernel, rows, 10, [4]));
  const [first, second] = [kernel.zeroState(), kernel.zeroState()];
  const mixed: [number[], number[]] = [[], []];
  for (let at = 0; at < a.length; at += 40) {
    mixed[0].push(...kernel.run(a.subarray(at, at + 40), first));
    mixed[1].push(...kernel.run(b.subarray(at, at + 40), second));
  }
  t.same(mixed[0], [...(alone[0] ?? [])]);
  t.same(mixed[1], [...(alone[1] ?? [])]);
  t.end();
});

void t.test('other networks are not taken', (t) => {
  const size = { layers: [6, 5], ranks: [3, 4], inputRank: 3, inputs: 8, outputs: 5 };
  const network = randomNetwork(size);
  const graph = byteGraph(network);
  t.not(readIntegerNetwork(graph), null);
  t.equal(readIntegerNetwork(networkGraph(network, floatArithmetic('float32'))), null, 'float');
  const dense = randomNetwork({ layers: [6, 5], inputs: 8, outputs: 5 });
  t.equal(readIntegerNetwork(byteGraph(dense)), null, 'no projection');
  t.equal(readIntegerNetwork(denseGraph(dense, 'float32')), null, "the runtime's own LSTM");
  const tapped = byteGraph(network, { taps: true });
  t.equal(readIntegerNetwork(tapped), null, 'with more outputs');
  t.equal(readIntegerNetwork(new Uint8Array(0)), null, 'nothing');
  const written = Buffer.from(graph);
  for (const [from, to] of [
    ['Sigmoid', 'Sigmoie'],
    ['Tanh', 'Tanj'],
    ['features', 'featuret'],
    ['logits', 'logitz'],
    ['com.microsoft', 'com.microsofu'],
  ] as const) {
    const at = written.lastIndexOf(from);
    const other = Buffer.from(written);
    other.write(to, at, 'latin1');
    t.equal(readIntegerNetwork(other), null, `${from} written ${to}`);
  }
  const at = written.indexOf(Buffer.from([0x4a, 1, 128]));
  const other = Buffer.from(written);
  other[at + 2] = 127;
  t.ok(at > 0);
  t.equal(readIntegerNetwork(other), null, 'another zero point');
  t.end();
});

void t.test('a file that is cut off or damaged is not taken, or is a network all the same', (t) => {
  const size = { layers: [6, 5], ranks: [3, 4], inputRank: 3, inputs: 8, outputs: 5 };
  const graph = byteGraph(randomNetwork(size));
  for (let end = 0; end < graph.length; end += 7)
    t.equal(readIntegerNetwork(graph.subarray(0, end)), null);
  const random = randomFrom(3);
  let taken = 0;
  for (let i = 0; i < 3000; i++) {
    const other = Uint8Array.from(graph);
    other[Math.floor(random() * other.length)] = Math.floor(random() * 256);
    const network = readIntegerNetwork(other);
    const kernel = network === null ? null : StepKernel.of(network);
    if (kernel === null || network?.inputs !== 8) continue;
    taken++;
    const logits = heard(kernel, rowsOf(5, 8, i), 8, [4]);
    if (logits.length !== 5 * 5) t.fail(`${logits.length} logits`);
  }
  t.ok(taken > 100, `weights, scales and biases may be others: ${taken} taken`);
  t.end();
});

void t.test('a weight of -128 is left to ONNX Runtime', (t) => {
  const network = readIntegerNetwork(byteGraph(randomNetwork({ ...sizes[1], layers: [3, 5] })));
  if (network === null) throw new Error('not taken');
  t.not(StepKernel.of(network), null);
  network.output.bytes[0] = 0;
  t.equal(StepKernel.of(network), null);
  t.end();
});

void t.test('the bundle that ships is computed by it, bit for bit', async (t) => {
  const path = new URL('../../../models/kikitori-en', import.meta.url).pathname;
  const bundle = await Bundle.open(path);
  const network = readIntegerNetwork(bundle.file('model.onnx'));
  if (network === null) return t.fail('the kernel does not take it');
  const [own, theirs] = await Promise.all([
    AcousticModel.open(bundle),
    AcousticModel.open(bundle, { kernel: false }),
  ]);
  t.same([own.computedBy, theirs.computedBy], ['kernel', 'onnxruntime']);
  const rows = rowsOf(60, own.dim, 4);
  const wanted = await theirs.logits(rows);
  t.ok(sameBits(await own.logits(rows), wanted));
  for (const width of widths) {
    const kernel = StepKernel.of(network, width);
    if (kernel === null) return t.fail('no kernel');
    t.ok(sameBits(heard(kernel, rows, own.dim, [4]), wanted), width);
  }
  await Promise.all([own.close(), theirs.close()]);
});

void t.test('ONNX Runtime is not even loaded for it', async (t) => {
  const at = (path: string) => JSON.stringify(new URL(path, import.meta.url).pathname);
  const script = `
    import { readFileSync } from 'node:fs';
    import { Bundle } from ${at('../../../src/bundle/index.ts')};
    import { AcousticModel } from ${at('../../../src/recognizer/index.ts')};
    const model = await AcousticModel.open(await Bundle.open(${at('../../../models/kikitori-en')}));
    await model.begin().feed(new Float32Array(8 * model.dim));
    console.log(readFileSync('/proc/self/maps', 'utf8').includes('onnxruntime') ? 'loaded' : 'not loaded');`;
  const hooks = new URL('../../../scripts/lib/transpiled.js', import.meta.url).pathname;
  const child = Child.node(['--import', hooks, '--input-type=module', '-e', script]);
  await child.line('not loaded');
  t.equal(await child.exit(), 0, child.errors);
});
