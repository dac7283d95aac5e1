import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { main } from '../../src/cli/main.js';
import { blended, withRaisedFloor } from '../../src/compress/adjust.js';
import { encodeCheckpoint, readCheckpoint, tensorOf } from '../../src/compress/checkpoint.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import type { FeatureOptions } from '../../src/bundle/index.js';
import { Frontend } from '../../src/frontend/index.js';
import { randomNetwork } from '../sim/random-network.js';
import { tinyCheckpoint } from '../sim/tiny-checkpoint.js';

const rowsOf = (features: FeatureOptions, samples: Float32Array) =>
  new Frontend(features).feed(samples).data;

void t.test('a floor raised by 12 dB hears what 12 dB quieter audio gave before', async (t) => {
  const random = randomFrom(4);
  const before = tinyCheckpoint();
  const after = withRaisedFloor(before, 12);
  const loud = Float32Array.from({ length: 8000 }, (_, i) => (i / 8000) * (random() - 0.5));
  const quiet = loud.map((v) => v * 10 ** (-12 / 20));
  const [now, then] = [rowsOf(after.features, loud), rowsOf(before.features, quiet)];
  t.ok(now.length > 1000);
  t.ok(now.every((v, i) => Math.abs(v - (then[i] ?? NaN)) < 1e-3));
  t.notOk(rowsOf(before.features, loud).every((v, i) => Math.abs(v - (now[i] ?? NaN)) < 0.1));
  t.equal(withRaisedFloor(after, -12).features.logFloor.toFixed(9), '0.000010000');
});

void t.test('a blend is one end, the other, and the mean between', async (t) => {
  const shape = { layers: [7, 6], ranks: [4, 3], inputRank: 5 };
  const [a, b] = [randomNetwork(shape), randomNetwork(shape, 9)];
  const name = 'lstm.1.projection';
  const at = (share: number) => tensorOf(blended(a, b, share), name).data;
  t.same(at(0), tensorOf(a, name).data);
  t.same(at(1), tensorOf(b, name).data);
  const [x = NaN] = tensorOf(a, name).data;
  const [y = NaN] = tensorOf(b, name).data;
  t.ok(Math.abs((at(0.25)[0] ?? NaN) - (0.75 * x + 0.25 * y)) < 1e-6);
  t.equal(blended(a, b, 0.5).quantization, undefined);
  t.throws(
    () => blended(a, randomNetwork({ ...shape, ranks: [4, 2] }), 0.5),
    /not one network before and after: ranks \[4,3\] and \[4,2\]/,
  );
  const speech = tinyCheckpoint();
  t.throws(() => blended(speech, withRaisedFloor(speech, 3), 0.5), /features/);
});

void t.test('both as commands; what is wrong is said, and nothing is written', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-adjust-'));
  const file = (name: string) => join(folder, name);
  await writeFile(file('a.safetensors'), encodeCheckpoint(tinyCheckpoint()));
  let said = '';
  const write = (s: string) => (said += s);
  const io = { stdout: { write }, stderr: { write }, env: {} };
  const model = (...argv: string[]) => main(['model', ...argv], io);
  const raise = ['--raise-db', '15', '--out', file('b.safetensors')];
  t.equal(await model('floor', file('a.safetensors'), ...raise), 0, said);
  t.match(said, /log floor 1\.00e-5 -> 3\.16e-4/);
  const raised = await readCheckpoint(file('b.safetensors'));
  t.ok(Math.abs(raised.features.logFloor / 3.1623e-4 - 1) < 1e-3);
  const both = [file('a.safetensors'), file('a.safetensors')];
  t.equal(await model('blend', ...both, '--share', '0.5', '--out', file('c.safetensors')), 0, said);
  t.equal(await model('floor', '--help'), 0);
  t.equal(await model('blend', '--help'), 0);
  const out = ['--out', file('d.safetensors')];
  for (const [argv, status, why] of [
    [['floor', file('a.safetensors'), ...out], 2, /--raise-db or --out is missing/],
    [['floor', file('a.safetensors'), '--raise-db', '60', ...out], 2, /not within 40 dB/],
    [['floor', file('none'), '--raise-db', '6', ...out], 1, /there is no such file/],
    [['blend', file('a.safetensors'), '--share', '0.5', ...out], 2, /name two checkpoints/],
    [['blend', ...both, '--share', '2', ...out], 2, /not from 0 to 1/],
    [['blend', ...both, ...out], 2, /--share or --out is missing/],
    [
      ['blend', file('a.safetensors'), file('b.safetensors'), '--share', '0.5', ...out],
      1,
      /not one network before and after: features/,
    ],
  ] as const) {
    said = '';
    t.equal(await model(...argv), status, said);
    t.match(said, why);
  }
  await t.rejects(readCheckpoint(file('d.safetensors')), /no such file/);
});
