import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import t from 'tap';
import { encodeWav } from '../../../src/audio/index.js';
import { main } from '../../../src/cli/main.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { readOnnx } from '../../../src/compress/import/index.js';
import { attributes } from '../../sim/recurrent-graph.js';
import { branches, chains, detector } from '../../sim/wild-graphs.js';

const { onnx } = onnxProto;
const random = randomFrom(11);
async function cli(...argv: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const status = await main(argv, {
    stdout: { write: (s: string) => (out.push(s), true) },
    stderr: { write: (s: string) => (err.push(s), true) },
  });
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
      'too few bytes, and as many numbers as there should be',
      changed((g) => {
        const w = weightsOf(g, 'lower.W');
        w.rawData = w.rawData?.subarray(0, 8) ?? null;
        w.floatData = Array.from({ length: 192 }, () => 0);
      }),
      /"lower.W" has 8 bytes for 192 values|does not load/,
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
