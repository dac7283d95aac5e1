import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav } from '../../src/audio/index.js';
import { main } from '../../src/cli/main.js';
import { parameterCount, readCheckpoint } from '../../src/compress/checkpoint.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { encodeSafetensors } from '../../src/compress/safetensors.js';
import { tinyCheckpointBytes } from '../sim/tiny-checkpoint.js';

/** Noise whose colour and level wander: something for the frontend to hear. */
function wandering(seconds: number, seed: number): Float32Array {
  const random = randomFrom(seed);
  let [low, gain] = [0, 0.1];
  return Float32Array.from({ length: 16000 * seconds }, (_, i) => {
    if (i % 1600 === 0) gain = 0.3 * random();
    low = 0.9 * low + gain * (random() - 0.5);
    return Math.max(-1, Math.min(0.99, low + 0.2 * gain * (random() - 0.5)));
  });
}

const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
const file = (name: string) => join(folder, name);
await writeFile(file('dense.safetensors'), tinyCheckpointBytes());
for (const [name, seconds, made] of [
  ['speech', 12, wandering],
  ['short', 1, wandering],
  ['silent', 5, (s: number) => new Float32Array(16000 * s)],
] as const) {
  await mkdir(file(name));
  await writeFile(join(file(name), 'a.wav'), encodeWav(made(seconds, 1), 16000));
  if (name === 'speech')
    await writeFile(join(file(name), 'b.wav'), encodeWav(wandering(12, 2), 16000));
}
await mkdir(file('empty'));

let said = '';
const io = {
  stdout: { write: (s: string) => (said += s) },
  stderr: { write: (s: string) => (said += s) },
  env: {},
};
const run = async (...argv: string[]) => {
  said = '';
  return main(['model', ...argv], io);
};
const compress = (...argv: string[]) =>
  run('compress', file('dense.safetensors'), '--out', file('out.safetensors'), ...argv);

void t.test('a checkpoint of speech and recordings give a factored checkpoint', async (t) => {
  t.equal(await compress('--params', '9000', '--calibration', file('speech')), 0, said);
  const aware = await readCheckpoint(file('out.safetensors'));
  t.same([aware.kind, aware.layers, aware.units.length], ['lstmp', [12, 10], 40]);
  const facts = aware.training['compression'] as Record<string, number>;
  t.ok((facts['parameters'] ?? NaN) <= 9000);
  t.ok((facts['measuredLoss'] ?? NaN) < 0.1, `loss ${facts['measuredLoss'] ?? NaN}`);
  t.equal(await compress('--method', 'paper', '--tau', '0.6'), 0, said);
  t.equal((await readCheckpoint(file('out.safetensors'))).inputRank, 0);
  t.equal(
    await compress('--ranks', '8,8', '--input-rank', '16', '--calibration', file('speech')),
    0,
    said,
  );
  t.same((await readCheckpoint(file('out.safetensors'))).ranks, [8, 8]);
  t.equal(await run('inspect', file('out.safetensors')), 0, said);
  t.match(said, /projected LSTM 12 x 10.*ranks 8, 8, input 16/s);
  t.equal(await run('inspect', file('dense.safetensors')), 0, said);
  t.match(said, /dense LSTM 12 x 10/);
  t.equal(await run('inspect', '--json', file('dense.safetensors')), 0);
  t.same((JSON.parse(said) as { layers: number[] }).layers, [12, 10]);
});

void t.test('a factored checkpoint gets lower ranks', async (t) => {
  const ranks = (of: string) => ['--ranks', of, '--input-rank', '16'];
  const again = async (of: string, ...more: string[]) => {
    const argv = ['--out', file('again.safetensors'), '--calibration', file('speech')];
    t.equal(
      await run('compress', file('out.safetensors'), ...argv, ...ranks(of), ...more),
      0,
      said,
    );
    const { training, ...network } = await readCheckpoint(file('again.safetensors'));
    return { network, facts: training['compression'] as Record<string, number> };
  };
  t.equal(await compress(...ranks('8,8'), '--calibration', file('speech')), 0, said);
  const given = await readCheckpoint(file('out.safetensors'));
  const same = await again('8,8');
  t.ok((same.facts['measuredLoss'] ?? NaN) < 1e-6, `loss ${same.facts['measuredLoss'] ?? NaN}`);
  t.equal(same.facts['parametersBefore'], parameterCount(given));
  const lower = await again('5,4', '--refit');
  t.same(lower.network.ranks, [5, 4]);
  t.ok((lower.facts['measuredLoss'] ?? NaN) < 0.02, `loss ${lower.facts['measuredLoss'] ?? NaN}`);
});

void t.test('a checkpoint is fitted to what it hears itself', async (t) => {
  const ranks = ['--ranks', '5,4', '--input-rank', '16', '--calibration', file('speech')];
  type Facts = { measuredLoss: number; refit?: { steps: number } };
  const facts = async () => {
    const { training } = await readCheckpoint(file('out.safetensors'));
    return training['compression'] as Facts;
  };
  t.equal(await compress(...ranks), 0, said);
  const before = await facts();
  t.equal(before.refit, undefined);
  t.equal(await compress(...ranks, '--refit'), 0, said);
  t.match(said, /fitted again on \d+ steps/);
  const after = await facts();
  t.ok((after.refit?.steps ?? 0) > 700, `${after.refit?.steps ?? 0} steps`);
  t.ok(after.measuredLoss < 0.01, `loss ${after.measuredLoss}`);
  t.equal(await compress('--method', 'paper', '--tau', '0.6', '--refit'), 2);
  t.match(said, /--refit needs --calibration/);
  const argv = ['--method', 'paper', '--ranks', '5,4', '--calibration', file('speech'), '--refit'];
  t.equal(await compress(...argv), 0, said);
  const foreign = [
    'a.onnx',
    '--out',
    'b.onnx',
    '--calibration',
    'c.csv',
    '--params',
    '9',
    '--refit',
  ];
  t.equal(await run('compress', ...foreign), 2);
  t.match(said, /--refit is for a checkpoint of speech/);
});

void t.test('costs from training are taken', async (t) => {
  const ones = (n: number) => ({ shape: [n], data: new Float32Array(n).fill(1) });
  const tensors = new Map([
    ['fisher.0', ones(48)],
    ['fisher.1', ones(40)],
    ['fisher.output', ones(40)],
  ]);
  await writeFile(file('fisher.safetensors'), encodeSafetensors({ tensors, metadata: {} }));
  const argv = [
    '--params',
    '9000',
    '--calibration',
    file('speech'),
    '--fisher',
    file('fisher.safetensors'),
  ];
  t.equal(await compress(...argv), 0, said);
  tensors.delete('fisher.1');
  await writeFile(file('fisher.safetensors'), encodeSafetensors({ tensors, metadata: {} }));
  t.equal(await compress(...argv), 1);
  t.match(said, /fisher.1 is missing; expected 40 values/);
});

void t.test('what cannot be done is said, and leaves nothing behind', async (t) => {
  const before = await readdir(folder);
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    [
      'silence',
      ['--params', '9000', '--calibration', file('silent')],
      /all of its 1 recordings are silent/,
    ],
    [
      'too short',
      ['--params', '9000', '--calibration', file('short')],
      /only \d+ steps; expected at least 640/,
    ],
    ['no recording', ['--params', '9000', '--calibration', file('empty')], /there is no recording/],
    ['no folder', ['--params', '9000', '--calibration', file('none')], /there is no such folder/],
    ['no calibration', ['--params', '9000'], /needs calibration data/],
    ['no budget', ['--calibration', file('speech')], /what the network may cost is missing/],
    [
      'impossible budget',
      ['--params', '900', '--calibration', file('speech')],
      /expected at least/,
    ],
    ['impossible bytes', ['--bytes', '900', '--calibration', file('speech')], /expected at least/],
    [
      'rank beyond',
      ['--ranks', '13,4', '--calibration', file('speech')],
      /rank 13 of layer 0 is beyond its 12/,
    ],
    ['tau with data-aware', ['--tau', '0.5', '--calibration', file('speech')], /--tau goes with/],
  ];
  for (const [name, argv, why] of cases) {
    t.not(
      await run('compress', file('dense.safetensors'), '--out', file('no.safetensors'), ...argv),
      0,
      name,
    );
    t.match(said, why, name);
  }
  t.same(await readdir(folder), before);
});
