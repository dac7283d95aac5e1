import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  encodeCheckpoint,
  parameterCount,
  parseCheckpoint,
  parseNetwork,
  readNetwork,
  writeCheckpoint,
  type NetworkCheckpoint,
} from '../../src/compress/checkpoint.js';
import { parseSafetensors } from '../../src/compress/safetensors.js';
import { referenceStep, zeroState } from '../../src/compress/reference/lstm.js';
import { referenceProjectedStep, zeroProjectedState } from '../../src/compress/reference/lstmp.js';
import { randomNetwork } from '../sim/random-network.js';
import { features, tinyCheckpoint, units } from '../sim/tiny-checkpoint.js';

const dense = randomNetwork({ layers: [7, 6] });
const factored = randomNetwork({ layers: [7, 6], ranks: [4, 3], inputRank: 5 });

const without = (c: NetworkCheckpoint, name: string): NetworkCheckpoint => ({
  ...c,
  tensors: new Map([...c.tensors].filter(([n]) => n !== name)),
});

void t.test('what is written is read back, dense and factored', async (t) => {
  for (const network of [dense, factored]) {
    const back = parseNetwork(encodeCheckpoint(network), 'test');
    t.same({ ...back, tensors: [...back.tensors] }, { ...network, tensors: [...network.tensors] });
  }
  t.same(parameterCount(factored), 5 * 9 + 28 * (5 + 4 + 1) + 28 + 24 * (4 + 3 + 1) + 18 + 15 + 5);
  const speech = { ...tinyCheckpoint(), training: { epochs: 3 } };
  const back = parseCheckpoint(encodeCheckpoint(speech), 'test');
  t.same([back.features, back.units, back.training], [features, units, { epochs: 3 }]);
});

void t.test('the scales of a quantised network travel with it', async (t) => {
  const quantization = {
    weights: 'uint8' as const,
    activations: { input: 0.03, 'p.0': 0.02, h: 1 / 127 },
    calibration: { rule: 'mse' },
  };
  const back = parseNetwork(encodeCheckpoint({ ...factored, quantization }), 'test');
  t.same(back.quantization, quantization);
  const refuse = (changes: Record<string, unknown>, message: RegExp) => {
    const wrong = { ...factored, quantization: { ...quantization, ...changes } };
    t.throws(() => parseNetwork(encodeCheckpoint(wrong), 'test'), message);
  };
  refuse({ weights: 'int8' }, /quantization.weights is "int8", expected "uint8"/);
  refuse({ activations: { 'p.2': 0.1 } }, /no activation is called "p.2"/);
  refuse({ activations: { input: 0 } }, /the scale of input is 0/);
  refuse(
    { activations: { input: '1', 'p.1': -1 } },
    /scale of input is "1"; the scale of p.1 is -1/,
  );
  refuse({ activations: [1] }, /no table of scales/);
});

void t.test('half precision keeps 11 bits', async (t) => {
  const back = parseNetwork(encodeCheckpoint(factored, 'F16'), 'test');
  for (const [name, { data }] of factored.tensors) {
    const got = back.tensors.get(name)?.data ?? [];
    t.ok(
      data.every((v, i) => Math.abs(v - (got[i] ?? NaN)) <= 2 ** -11 * Math.max(Math.abs(v), 1e-4)),
    );
  }
});

void t.test('every fault is named', async (t) => {
  const bytes = encodeCheckpoint(factored);
  for (let part = 0; part < 100; part++) {
    const cut = bytes.subarray(0, Math.floor((bytes.length * part) / 100));
    t.throws(() => parseNetwork(cut, 'cut'), { name: 'KikitoriError' }, `cut at ${part} %`);
  }
  const swapped = new Map(factored.tensors);
  swapped.delete('output.bias');
  swapped.set('lstm.0.projection', { shape: [7, 4], data: new Float32Array(28) });
  t.throws(
    () => encodeCheckpoint({ ...factored, tensors: swapped }),
    /lstm.0.projection is \[7,4\], expected \[4,7\]; output.bias is missing/,
  );
  t.throws(() => encodeCheckpoint(without(dense, 'lstm.1.bias')), /lstm.1.bias is missing/);
  t.throws(
    () => encodeCheckpoint(randomNetwork({ layers: [4], ranks: [6] })),
    /rank 6 of layer 0 is beyond its 4 cells/,
  );
  t.throws(
    () => encodeCheckpoint({ ...factored, kind: 'lstm', ranks: [], inputRank: 0 }),
    /belongs to no lstm/,
  );
  const nan = new Map(dense.tensors);
  nan.set('output.bias', { shape: [5], data: new Float32Array([0, NaN, 0, 0, 0]) });
  t.throws(
    () => encodeCheckpoint({ ...dense, tensors: nan }),
    /output.bias holds values that are no/,
  );
  t.throws(() => parseCheckpoint(encodeCheckpoint(dense), 'x'), /a network of speech/);
});

void t.test('metadata of a safetensors file are texts, or it is refused', async (t) => {
  const file = (header: unknown) => {
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([length, json]);
  };
  t.same(parseSafetensors(file({ __metadata__: { a: 'b' } }), 'x').metadata, { a: 'b' });
  t.same(parseSafetensors(file({}), 'x').metadata, {});
  for (const metadata of [{ kikitori: {} }, { kikitori: 5 }, [], 'text'])
    t.throws(() => parseSafetensors(file({ __metadata__: metadata }), 'x'), {
      message: /^x: its __metadata__ are no texts; expected texts with names/,
    });
});

void t.test('a refused checkpoint leaves the old file and nothing else', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const path = join(folder, 'a.safetensors');
  await writeFile(path, 'old');
  await t.rejects(writeCheckpoint(path, without(dense, 'output.bias')));
  t.equal(await readFile(path, 'utf8'), 'old');
  await writeCheckpoint(path, factored);
  t.same((await readNetwork(path)).ranks, [4, 3]);
  t.same(await readdir(folder), ['a.safetensors']);
  await t.rejects(readNetwork(join(folder, 'none')), /there is no such file/);
});

void t.test('with projections that are the identity, both references say the same', async (t) => {
  const tensors = new Map(dense.tensors);
  const identity = (n: number) =>
    Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  dense.layers.forEach((n, l) =>
    tensors.set(`lstm.${l}.projection`, { shape: [n, n], data: identity(n) }),
  );
  const same: NetworkCheckpoint = { ...dense, kind: 'lstmp', ranks: dense.layers, tensors };
  const state = zeroState(dense);
  const projected = zeroProjectedState(same);
  for (let step = 0; step < 5; step++) {
    const x = Float64Array.from({ length: 9 }, (_, i) => Math.sin(step * 9 + i));
    const got = referenceProjectedStep(same, projected, x);
    const difference = referenceStep(dense, state, x).map((v, u) => v - (got[u] ?? NaN));
    t.ok(difference.every((d) => Math.abs(d) < 1e-12));
  }
});
