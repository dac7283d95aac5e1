/** Weights in 4 bits, from the trainer's grid to the self-test of a bundle. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { atLeast, Bundle, type FileEntry } from '../../src/bundle/index.js';
import { main } from '../../src/cli/main.js';
import {
  encodeCheckpoint,
  floatToHalf,
  halfToFloat,
  parseCheckpoint,
  readCheckpoint,
  tensorOf,
  type Checkpoint,
  type Tensor,
} from '../../src/compress/checkpoint.js';
import { buildGraph } from '../../src/compress/graph/build.js';
import { nibblePlaces } from '../../src/compress/graph/nibble-places.js';
import { rowsAs } from '../../src/compress/quantize/formats.js';
import { dequantizeRows } from '../../src/compress/quantize/grid.js';
import { onNearest, roundNetwork } from '../../src/compress/quantize/least-squares.js';
import { nibbleRows, toBfloat16 } from '../../src/compress/quantize/nibble-grid.js';
import { activationNames } from '../../src/compress/quantize/scales.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { agentVersion } from '../../src/runtime/version.js';
import { randomNetwork } from '../sim/random-network.js';
import { smallFolder, smallNetwork } from '../sim/small-network.js';
import { features, tinyBundle, units } from '../sim/tiny-checkpoint.js';

const network = smallNetwork;
const matrices = [...network.tensors].filter(([, { shape }]) => shape.length === 2);

interface Golden {
  readonly shape: readonly number[];
  readonly weights: readonly number[];
  readonly scales: readonly number[];
  readonly whole: readonly number[];
}

void t.test("the grid is the trainer's, and what is on it is found again", async (t) => {
  const path = new URL('../golden/nibbles/grid.json', import.meta.url);
  for (const golden of JSON.parse(await readFile(path, 'utf8')) as Golden[]) {
    const { shape } = golden;
    const made = nibbleRows({ shape, data: Float32Array.from(golden.weights) });
    t.same([...made.scales], golden.scales.map(Math.fround));
    t.same(
      [...made.q].map((v) => v - 128),
      golden.whole.map((v) => v + 0),
    );
    t.same(nibbleRows(dequantizeRows(made)), made);
  }
  t.same(
    [1, 1.003, 1.00390625, 1.01171875, -3.14159, 0].map(toBfloat16),
    [1, 1, 1, 1.015625, -3.140625, 0],
    'half to even',
  );
});

void t.test('any weights: on the grid, and there they stay, in half precision too', (t) => {
  const random = randomFrom(4);
  for (let i = 0; i < 60; i++) {
    const [rows, columns] = [1 + Math.floor(4 * random()), 1 + Math.floor(100 * random())];
    const data = Float32Array.from(
      { length: rows * columns },
      () => (random() - 0.5) ** (i % 2 ? 3 : 1) * 4 ** (i % 5),
    );
    const made = nibbleRows({ shape: [rows, columns], data });
    const values = dequantizeRows(made);
    for (let o = 0; o < rows; o++) {
      const row = made.q.subarray(o * columns, (o + 1) * columns);
      if (Math.max(...row.map((v) => Math.abs(v - 128))) !== 126) t.fail('no row ends at 126');
    }
    t.same(nibbleRows(values), made);
    // Below, half precision has fewer digits.
    if (made.scales.some((s) => s < 1e-4)) continue;
    const halves = values.data.map((v) => halfToFloat(floatToHalf(v)));
    t.same(nibbleRows({ ...values, data: halves }), made);
  }
  t.end();
});

void t.test('least squares: on the grid, and nearer in what the matrices give', async (t) => {
  const random = randomFrom(5);
  // Inputs that go together, as stacked frames do.
  const pieces = Array.from({ length: 4 }, () => {
    const rows = new Float32Array(320 * 150);
    for (let step = 0; step < 150; step++) {
      const [a, b, c] = [random() - 0.5, random() - 0.5, random() - 0.5];
      for (let k = 0; k < 320; k++)
        rows[320 * step + k] =
          2 * (a * Math.sin(k / 9) + b * Math.cos(k / 31) + c) + 0.2 * (random() - 0.5);
    }
    return rows;
  });
  const fitted = await roundNetwork(network, pieces);
  const near = onNearest(network);
  for (const [name] of matrices) {
    const w = tensorOf(fitted, name);
    if (name === 'output.weight') t.equal(w, tensorOf(network, name), 'in 8 bits later');
    else t.same(dequantizeRows(rowsAs('int4', name, w)), w, `${name} is on the grid`);
  }
  const given = (c: Checkpoint) => {
    const w = tensorOf(c, 'input.projection');
    return pieces.flatMap((rows) =>
      Array.from({ length: 150 }, (_, step) =>
        times(w, rows.subarray(320 * step, 320 * step + 320)),
      ),
    );
  };
  const wanted = given(network);
  const [least, nearest] = [fitted, near].map((c) => squares(given(c), wanted));
  t.ok((least ?? 9) < 0.5 * (nearest ?? 0), `${least} of ${nearest}`);
  const dense = await roundNetwork(
    randomNetwork({ layers: [12, 10], inputs: 320, outputs: 5 }, 2, 0.3),
    pieces,
  );
  t.equal(nibblePlaces(buildGraph(scaled({ ...dense, features, units })).onnx).length, 4);
});

void t.test('from a checkpoint to the self-test, by the commands', async (t) => {
  const folder = await smallFolder();
  const at = (name: string) => join(folder, name);
  let out = '';
  const command = async (...argv: string[]) => {
    out = '';
    const status = await main(['model', ...argv], {
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: (text: string) => (out += text) },
      env: {},
    });
    return status;
  };
  const quantize = (from: string, to: string, ...more: string[]) =>
    command('quantize', at(from), '--calibration', folder, '--out', at(to), ...more);
  t.equal(await quantize('float.safetensors', 'four.safetensors', '--weight-bits', '4'), 0);
  t.match(out, /on the grid of 4 bits: half as large in a bundle/);
  const four = await readCheckpoint(at('four.safetensors'));
  t.match(four.quantization, { weights: 'int4', calibration: { rounding: 'least-squares' } });
  // What is on the grid, as a trainer leaves it, keeps its weights and only gets scales.
  const trained = {
    ...onNearest(network),
    quantization: { weights: 'int4' as const, activations: {} },
  };
  await writeFile(at('trained.safetensors'), encodeCheckpoint(trained));
  t.equal(await command('inspect', at('trained.safetensors')), 0);
  t.match(
    out,
    /quantised {3}weights in 4 bits \(int4\), scales for 0 of 6 activations: "model quantize"/,
  );
  t.equal(await quantize('trained.safetensors', 'kept.safetensors', '--json'), 0);
  const kept = parseCheckpoint(await readFile(at('kept.safetensors')), 'kept');
  t.same(kept.tensors, trained.tensors);
  t.match(kept.quantization, { weights: 'int4', calibration: { rounding: 'trained' } });
  t.not(await quantize('float.safetensors', 'no', '--weight-bits', '3'), 0);
  t.match(out, /--weight-bits is 3, not 8 or 4/);
  t.not(await quantize('float.safetensors', 'no', '--rounding', 'nearest'), 0);
  t.match(out, /--rounding goes with --weight-bits 4/);

  const { path } = await tinyBundle('four', kept);
  const manifest = JSON.parse(await readFile(join(path, 'manifest.json'), 'utf8')) as {
    minAgent: string;
    files: Record<string, FileEntry>;
  };
  t.ok(atLeast(manifest.minAgent, '0.12.0'), manifest.minAgent);
  // Whatever version the sources say.
  await writeFile(
    join(path, 'manifest.json'),
    JSON.stringify({ ...manifest, minAgent: agentVersion }),
  );
  const bundle = await Bundle.open(path);
  const { onnx } = buildGraph(kept);
  t.equal(Buffer.compare(bundle.file('model.onnx'), onnx), 0, 'bit by bit');
  t.equal(nibblePlaces(onnx).length, matrices.length - 1, 'all but the outputs');
  const { packed, bytes } = manifest.files['model.onnx'] as Required<FileEntry>;
  t.equal(packed.filter, 'nibbles');
  t.ok(packed.bytes < 0.7 * bytes, `${packed.bytes} of ${bytes} bytes`);
  await command('selftest', '--json', path);
  t.match(out, /"logits":"?same/);
  t.equal(await command('inspect', path), 0);
  t.match(out, /weights int4 \([\d.]+ bits a parameter as stored\), activations uint8/);
  t.match(out, /MB packed by its 4-bit weights/);
});

function scaled(c: Checkpoint): Checkpoint {
  const activations = Object.fromEntries(activationNames(c).map((n) => [n, 0.0078]));
  return { ...c, quantization: { weights: 'int4', activations } };
}

function times({ shape, data }: Tensor, x: Float32Array): number[] {
  const [rows = 0, columns = 0] = shape;
  return Array.from({ length: rows }, (_, o) => {
    let sum = 0;
    for (let k = 0; k < columns; k++) sum += (data[o * columns + k] ?? 0) * (x[k] ?? 0);
    return sum;
  });
}

const squares = (a: readonly number[][], b: readonly number[][]) =>
  a.reduce((sum, row, i) => sum + row.reduce((s, v, k) => s + (v - (b[i]?.[k] ?? 0)) ** 2, 0), 0);
