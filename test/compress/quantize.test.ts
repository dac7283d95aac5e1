import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav } from '../../src/audio/index.js';
import { run as quantize } from '../../src/cli/model/quantize.js';
import { encodeCheckpoint, parseCheckpoint } from '../../src/compress/checkpoint.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { floatArithmetic } from '../../src/compress/graph/arithmetic.js';
import { networkGraph } from '../../src/compress/graph/network.js';
import { GraphSession } from '../../src/compress/graph/session.js';
import { byteArithmetic } from '../../src/compress/quantize/byte-arithmetic.js';
import { chooseScales, observe } from '../../src/compress/quantize/calibrate.js';
import { distance } from '../../src/compress/quantize/compare.js';
import { dequantizeRows, onGrid, quantizeRows } from '../../src/compress/quantize/grid.js';
import { rint } from '../../src/runtime/rint.js';
import { Histogram } from '../../src/compress/quantize/histogram.js';
import { activationNames, ActivationScales } from '../../src/compress/quantize/scales.js';
import { QuantizedReference } from '../../src/compress/reference/quantized.js';
import { largestDifference } from '../sim/differences.js';
import { randomNetwork } from '../sim/random-network.js';
import { features, tinyCheckpointBytes, units } from '../sim/tiny-checkpoint.js';

const factored = randomNetwork(
  { layers: [48, 40, 44], ranks: [16, 12, 14], inputRank: 8, inputs: 30, outputs: 11 },
  4,
  0.35,
);

function rows(inputs: number, steps: number, size = 1.5, seed = 5): Float32Array {
  const random = randomFrom(seed);
  return Float32Array.from({ length: inputs * steps }, () => size * 2 * (random() - 0.5));
}

void t.test('rounding is half to even, and saturates', async (t) => {
  t.same(
    [0.5, 1.5, 2.5, -0.5, -1.5, 2.49, -2.51].map(rint),
    [0, 2, 2, 0, -2, 2, -3].map((v) => v + 0),
  );
  t.same(
    [1e9, -1e9, 0.3, -0.25].map((v) => onGrid(v, 0.1)),
    [127, -128, 3, -2],
  );
});

void t.test(
  'rows of weights: within half a grid step, zero point 128, never beyond 127',
  async (t) => {
    const random = randomFrom(1);
    const data = Float32Array.from({ length: 60 }, (_, i) => (i < 10 ? 0 : random() - 0.5));
    data[25] = 3e-44; // denormal beside ordinary values
    const w = { shape: [6, 10], data };
    const bytes = quantizeRows(w);
    t.ok(bytes.q.every((v) => v >= 1 && v <= 255));
    t.same(
      [...bytes.q.subarray(0, 10)],
      Array.from({ length: 10 }, () => 128),
    );
    const back = dequantizeRows(bytes).data;
    data.forEach((v, i) => {
      const scale = bytes.scales[Math.floor(i / 10)] ?? 0;
      if (Math.abs(v - (back[i] ?? NaN)) > 0.5001 * scale) t.fail(`value ${i}`);
    });
    const tiny = quantizeRows({ shape: [1, 3], data: Float32Array.of(1e-45, 0, -1e-45) });
    t.same([...tiny.q], [128, 128, 128], 'smaller than any float32 scale: zeros');
  },
);

void t.test('the histogram knows quantiles and errors of grids', async (t) => {
  const random = randomFrom(2);
  const values = Float32Array.from({ length: 20_000 }, () => 8 * (random() - 0.5));
  const h = new Histogram();
  for (let i = 0; i < values.length; i += 1000) h.add(values.subarray(i, i + 1000));
  t.ok(Math.abs(h.quantile(0.5) - 2) < 0.05);
  t.ok(h.quantile(1) >= h.largest * 0.999 && h.largest <= 4);
  for (const scale of [0.01, 0.02, 0.031, 0.05]) {
    let sum = 0;
    for (const v of values) sum += (v - scale * onGrid(v, scale)) ** 2;
    const measured = sum / values.length;
    t.ok(Math.abs(h.gridError(scale, 127) / measured - 1) < 0.1, `scale ${scale}`);
  }
});

void t.test('scales: chosen by rule, named ones kept, bad ones refused', async (t) => {
  const clips = [rows(30, 80), rows(30, 70, 1.5, 6)];
  const seen = await observe(factored, clips);
  t.same([...seen.keys()], activationNames(factored));
  const largest = chooseScales(seen, 'max');
  const least = chooseScales(seen, 'mse', { 'p.1': 0.5, h: 0.004 });
  t.ok(Math.abs((largest['input'] ?? 0) * 127 - 1.5) < 0.01);
  t.same([least['p.1'], least['h.2']], [0.5, 0.004].map(Math.fround));
  t.ok(
    activationNames(factored).every(
      (n) => n === 'p.1' || n.startsWith('h.') || (least[n] ?? 9) <= (largest[n] ?? 0) * 1.001,
    ),
  );
  t.ok((largest['h.0'] ?? 1) <= Math.fround(1 / 127));
  await t.rejects(observe(factored, [rows(30, 50)]), /50 steps of 30 ms/);
  const zeros = randomNetwork({ layers: [3], inputs: 4 });
  await t.rejects(observe(zeros, [new Float32Array(800)]), /input is 0 throughout/);
  t.throws(
    () => ActivationScales.from(factored, { input: 0.1 }, 'x'),
    /no scale for input.projection/,
  );
});

void t.test('8 bits stay near float, and 7 of them would be worse', async (t) => {
  const clips = [rows(30, 200)];
  const scales = chooseScales(await observe(factored, clips), 'mse');
  const test = rows(30, 150, 1.5, 9);
  const float = await GraphSession.open(networkGraph(factored, floatArithmetic('float32')), 30);
  const expected = (await float.run(test)).get('logits') ?? new Float32Array(0);
  const errorAt = async (factor: number) => {
    const coarse = Object.fromEntries(Object.entries(scales).map(([n, s]) => [n, s * factor]));
    const graph = networkGraph(
      factored,
      byteArithmetic(ActivationScales.from(factored, coarse, 'test')),
    );
    const session = await GraphSession.open(graph, 30);
    const got = (await session.run(test)).get('logits') ?? new Float32Array(0);
    return distance(expected, got, 11);
  };
  const [eight, seven] = [await errorAt(1), await errorAt(2)];
  t.comment(JSON.stringify({ eight, seven }));
  const spread = Math.sqrt(expected.reduce((s, v) => s + v * v, 0) / expected.length);
  t.ok(eight.rms < 0.03 * spread, `${eight.rms} of ${spread}`);
  t.ok(eight.sameBest > 0.95);
  t.ok(seven.rms > eight.rms);
  t.ok(eight.divergence >= 0 && eight.divergence < 1e-3);
});

void t.test('extremes saturate as the reference does', async (t) => {
  const named = Object.fromEntries(activationNames(factored).map((n) => [n, 0.004]));
  const scales = ActivationScales.from(factored, named, 'test');
  const session = await GraphSession.open(networkGraph(factored, byteArithmetic(scales)), 30);
  const reference = new QuantizedReference(factored, scales);
  for (const value of [1e30, -1e30, 0.5, -0.512]) {
    const x = new Float32Array(30 * 20).fill(value);
    const state = reference.zeroState();
    const expected = Array.from({ length: 20 }, () => [
      ...reference.step(state, x.subarray(0, 30)),
    ]);
    const got = (await session.run(x, [7])).get('logits') ?? [];
    t.ok(largestDifference(got, expected.flat()) < 1e-5, `all inputs ${value}`);
  }
});

void t.test('the command: scales into the checkpoint, measured on what was not used', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const path = join(folder, 'net.safetensors');
  await writeFile(path, tinyCheckpointBytes([14, 12], 3));
  const random = randomFrom(7);
  for (const name of ['a', 'b', 'c', 'd']) {
    const noise = Float32Array.from({ length: 48_000 }, () => 0.2 * (random() - 0.5));
    await writeFile(join(folder, `${name}.wav`), encodeWav(noise, 16_000));
  }
  const output: string[] = [];
  const io = {
    stdout: { write: (text: string) => output.push(text) },
    stderr: { write: () => true },
    env: {},
  };
  const out = join(folder, 'out.safetensors');
  const status = await quantize([path, '--calibration', folder, '--out', out, '--json'], io);
  t.equal(status, 0);
  const line = JSON.parse(output.join('')) as { measured: { sameBest: number; steps: number } };
  t.ok(line.measured.steps > 150 && line.measured.sameBest > 0.8);
  const written = parseCheckpoint(await readFile(out), out);
  t.same([written.features, written.units], [features, units]);
  t.same(Object.keys(written.quantization?.activations ?? {}), ['input', 'h.0', 'h.1']);
  t.match(written.quantization?.calibration, { rule: 'mse', files: 2 });
  t.equal(await quantize([out, '--out', join(folder, 'again')], io), 0, 'scales there: no audio');
  t.same(await readFile(join(folder, 'again')), await readFile(out));

  await t.rejects(quantize([path, '--out', out], io), /--calibration is missing/);
  await t.rejects(
    quantize([path, '--calibration', folder, '--rule', '7', '--out', out], io),
    /--rule is 7/,
  );
  await t.rejects(
    quantize([path, '--calibration', join(folder, 'none'), '--out', out], io),
    /no such file/,
  );
  const cut = encodeCheckpoint(written).subarray(0, 5000);
  await writeFile(path, cut);
  await t.rejects(quantize([path, '--calibration', folder, '--out', join(folder, 'no')], io));
  await t.rejects(readFile(join(folder, 'no')), 'nothing is written');
});
