import { join } from 'node:path';
import { readFile, writeFile } from 'node:fs/promises';
import t from 'tap';
import { Bundle } from '../../src/bundle/index.js';
import { inspect } from '../../src/cli/model/inspect.js';
import type { Checkpoint } from '../../src/compress/checkpoint.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { activationNames } from '../../src/compress/quantize/scales.js';
import { Engine, hearOwnClip, ownLogits } from '../../src/engine/engine.js';
import { largestDifference } from '../sim/differences.js';
import { randomNetwork } from '../sim/random-network.js';
import { features, tinyBundle, units } from '../sim/tiny-checkpoint.js';

/** A factored network of speech that knows nothing, quantised. */
function quantized(seed = 1): Checkpoint {
  const network = randomNetwork(
    { layers: [24, 20], ranks: [8, 6], inputRank: 10, inputs: 320, outputs: units.length },
    seed,
    0.3,
  );
  const activations = Object.fromEntries(activationNames(network).map((n) => [n, 0.0078]));
  const quantization = { weights: 'uint8' as const, activations: { ...activations, input: 0.03 } };
  return { ...network, features, units, quantization };
}

void t.test('an 8-bit bundle says what it is and runs as any other', async (t) => {
  const { path } = await tinyBundle('eight', quantized());
  const { manifest } = await Bundle.open(path);
  t.match(manifest.network, { kind: 'lstmp', layers: [24, 20], ranks: [8, 6], inputRank: 10 });
  t.match(manifest.quantization, { weights: 'uint8', activations: 'uint8' });
  t.match(manifest.selftest.logits, { sha256: /^[0-9a-f]{64}$/, steps: 31 });
  const output: string[] = [];
  const io = {
    stdout: { write: (text: string) => output.push(text) },
    stderr: { write: () => true },
    env: {},
  };
  t.equal(await inspect([path], io), 0);
  t.match(output.join(''), /lstmp 24 x 20, ranks 10, 8, 6/);
  t.match(
    output.join(''),
    /weights uint8 \([\d.]+ bits a parameter as stored\), activations uint8, logits recorded bit for bit/,
  );
});

void t.test('a stream gives the same bits however its rows are cut', async (t) => {
  const { path } = await tinyBundle('cut', quantized());
  const { acoustic } = await Engine.open({ modelPath: path });
  const random = randomFrom(4);
  const rows = Float32Array.from({ length: 320 * 29 }, () => 6 * (random() - 0.5));
  const through = async (cut: number) => {
    const stream = acoustic.begin();
    const parts: number[] = [];
    for (let at = 0; at < rows.length; at += 320 * cut)
      parts.push(...(await stream.feed(rows.subarray(at, at + 320 * cut))).data);
    return [...parts, ...(await stream.finish()).data];
  };
  const whole = await through(29);
  for (const cut of [1, 3, 4, 7]) t.same(await through(cut), whole, `${cut} rows at a time`);
});

void t.test('the self-test compares logits bit for bit', async (t) => {
  const { path } = await tinyBundle('golden', quantized());
  const engine = await Engine.open({ modelPath: path });
  t.equal(await ownLogits(engine), 'same');
  t.equal((await hearOwnClip(engine, () => 0)).logits, 'same');

  const manifestPath = join(path, 'manifest.json');
  const manifest = JSON.parse(await readFile(manifestPath, 'utf8')) as {
    selftest: { logits: { sha256: string } };
  };
  manifest.selftest.logits.sha256 = 'ab'.repeat(32);
  await writeFile(manifestPath, JSON.stringify(manifest));
  const other = await hearOwnClip(await Engine.open({ modelPath: path }), () => 0);
  t.match(other, { passed: false, logits: 'different' });

  manifest.selftest.logits.sha256 = 'short';
  await writeFile(manifestPath, JSON.stringify(manifest));
  await t.rejects(Bundle.open(path), /selftest.logits: expected/);
});

void t.test('a float bundle records none, and 8 bits agree with it', async (t) => {
  const checkpoint = quantized(2);
  const { path } = await tinyBundle('eight', checkpoint);
  const { path: floatPath } = await tinyBundle('float', { ...checkpoint, quantization: undefined });
  const [eight, float] = await Promise.all(
    [path, floatPath].map((modelPath) => Engine.open({ modelPath })),
  );
  if (eight === undefined || float === undefined) return t.fail('no engines');
  t.equal(await ownLogits(float), 'not recorded');
  const random = randomFrom(9);
  const rows = Float32Array.from({ length: 320 * 40 }, () => 5 * (random() - 0.5));
  const [a, b] = [await eight.acoustic.logits(rows), await float.acoustic.logits(rows)];
  t.ok(largestDifference(a, b) < 0.1, String(largestDifference(a, b)));
});
