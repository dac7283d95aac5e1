import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav } from '../../../src/audio/index.js';
import { main } from '../../../src/cli/main.js';
import { Runner, type Value } from '../../../src/compress/import/index.js';
import type { NetworksReport } from '../../../src/compress/report/index.js';
import { detections } from '../../../src/measure/evaluate/detection.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { randomRecurrence } from '../../sim/recurrent-graph.js';
import { detector, streaming } from '../../sim/wild-graphs.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
const file = (name: string) => join(folder, name);
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
const random = randomFrom(4);
const rows = Array.from({ length: 1000 }, () =>
  Array.from({ length: 4 }, () => Number((2 * random() - 1).toFixed(3))),
);
const carry = ['--carry', 'hn=h0', '--carry', 'cn=c0'];

/** What a network of a series gives when all of it goes through in one call. */
async function whole(path: string): Promise<Value> {
  const runner = await Runner.open(await readFile(path));
  const state = { dims: [1, 1, 24], data: new Float32Array(24) };
  const out = await runner.run({
    x: { dims: [1000, 1, 4], data: Float32Array.from(rows.flat()) },
    h0: state,
    c0: state,
  });
  await runner.close();
  return out.get('out') ?? { dims: [], data: new Float32Array(0) };
}

void t.test(
  'a forecast: error, squared error, size, curve are those of the outputs themselves',
  async (t) => {
    const r = randomRecurrence({ kind: 'lstm', direction: 'forward', inputs: 4, cells: 24 }, 8);
    await writeFile(file('net.onnx'), streaming(r));
    await writeFile(file('x.csv'), rows.map((row) => row.join(',')).join('\n'));
    const data = ['--calibration', file('x.csv'), ...carry];
    for (const params of ['2500', '1500'])
      t.equal(
        await run(
          'compress',
          file('net.onnx'),
          '--out',
          file(`${params}.onnx`),
          '--params',
          params,
          ...data,
        ),
        0,
        said,
      );
    const dense = await whole(file('net.onnx'));
    const targets = Array.from(dense.data, (v) => v + 0.1 * (2 * random() - 1));
    await writeFile(
      file('targets.csv'),
      rows.map((_, i) => `${targets[2 * i]},${targets[2 * i + 1]}`).join('\n'),
    );
    const argv = [
      ...[
        'report',
        '--dense',
        file('net.onnx'),
        '--data',
        file('x.csv'),
        '--outputs',
        'out',
        ...carry,
      ],
      ...['--candidate', `big=${file('2500.onnx')}`, '--candidate', `small=${file('1500.onnx')}`],
      ...['--targets', file('targets.csv'), '--out', file('report')],
    ];
    const status = await run(
      ...argv,
      '--curve',
      '--calibration',
      file('x.csv'),
      '--ratios',
      '1.5,3,90',
      '--multiple',
      '1',
      '--json',
    );
    t.equal(status, 0, said);
    t.match(said, /no network is 90 times smaller/);
    const report = JSON.parse(printed) as NetworksReport;
    t.same([report.runs, report.calls], [1, 5], 'one series of 200 steps a call');
    const mean = dense.data.reduce((a, b) => a + b, 0) / dense.data.length;
    const variance = dense.data.reduce((s, v) => s + (v - mean) ** 2, 0);
    for (const [name, path] of [
      ['big', '2500.onnx'],
      ['small', '1500.onnx'],
    ] as const) {
      const row = report.rows.find((n) => n.name === name);
      const own = await whole(file(path));
      const error = own.data.reduce((s, v, i) => s + (v - (dense.data[i] ?? NaN)) ** 2, 0);
      const wrong = own.data.reduce((s, v, i) => s + (v - (targets[i] ?? NaN)) ** 2, 0);
      const near = (got: number | undefined, right: number) =>
        t.ok(Math.abs((got ?? NaN) - right) < 1e-4 * right, `${name}: ${got} is ${right}`);
      near(row?.error?.['out']?.value, error / variance);
      near(row?.squaredError?.value, wrong / own.data.length);
      t.equal(row?.bytes, (await readFile(file(path))).length);
      t.ok((row?.weights ?? Infinity) < (report.rows[0]?.weights ?? 0), 'fewer weights');
      t.ok((row?.usEachCall ?? 0) > 0);
    }
    const curve = report.rows.flatMap((n) => (n.curve === undefined ? [] : [n]));
    t.same(
      curve.map((n) => n.name),
      ['paper 1.5x', 'paper 3x', 'data-aware 1.5x', 'data-aware 3x'],
    );
    for (const { curve: point } of curve) t.ok((point?.ratio ?? 0) >= 1.5);
    t.same((await readdir(file('report'))).sort(), ['curve.svg', 'report.json', 'report.md']);
    t.match(
      await readFile(file('report/report.md'), 'utf8'),
      /\| big \| [\d,]+ \(\d\.\d\dx\) \| [\d,]+ \(1\.\d\dx\) \|/,
    );

    const before = await readdir(folder);
    await writeFile(file('few.csv'), '1,1\n0,0\n');
    for (const [more, why] of [
      [['--labels', file('x.csv')], /one of them/],
      [['--score', 'nothing'], /--score nothing: it has out, hn, cn/],
      [['--candidate', `wrong=${file('else.onnx')}`], /no such file|no output/],
      [['--targets', file('few.csv')], /2 rows for 1000 steps/],
      [['--curve'], /--curve goes with --calibration/],
    ] as const) {
      const wanted = argv.with(-1, file('no'));
      t.not(await run(...wanted, ...more), 0, more.join(' '));
      t.match(said, why);
    }
    t.same(await readdir(folder), [...before, 'few.csv'].sort(), 'nothing was left behind');
  },
);

void t.test('a detector: labels a step, and stretches of recordings', async (t) => {
  const labels = rows.map(([a = 0]) => (a > 0.5 ? 1 : a < 0 ? 0 : -1));
  await writeFile(file('labels.csv'), labels.map((l) => `${l},-1`).join('\n'));
  const base = [
    ...[
      'report',
      '--dense',
      file('net.onnx'),
      '--data',
      file('x.csv'),
      '--outputs',
      'out',
      ...carry,
    ],
    ...['--candidate', `small=${file('1500.onnx')}`, '--out', file('detect'), '--threshold', '0.1'],
  ];
  t.equal(await run(...base, '--labels', file('labels.csv'), '--json'), 0, said);
  const report = JSON.parse(printed) as NetworksReport;
  for (const [i, path] of ['net.onnx', '1500.onnx'].entries()) {
    const { data } = await whole(file(path));
    const scored = [{ scores: data, labels: labels.flatMap((l) => [l, -1]) }];
    const [right] = detections([scored], 0.1);
    t.ok(Math.abs((report.rows[i]?.detection?.area ?? NaN) - (right?.area ?? 0)) < 1e-3);
    t.ok(Math.abs((report.rows[i]?.detection?.f1 ?? NaN) - (right?.f1 ?? 0)) < 0.01);
  }
  await writeFile(file('twos.csv'), labels.map(() => '2,2').join('\n'));
  t.not(await run(...base, '--labels', file('twos.csv')), 0);
  t.match(said, /label 0 is 2; expected 1, 0, or -1/);

  await writeFile(file('detector.onnx'), detector());
  const sound = Float32Array.from(
    { length: 16000 },
    (_, i) => (i < 8000 ? 0.01 : 0.5) * (random() - 0.5),
  );
  for (const name of ['a.wav', 'b.wav']) await writeFile(file(name), encodeWav(sound, 16000));
  await writeFile(file('speech.tsv'), 'file\tbegin\tend\na.wav\t0.5\t1\nb.wav\t0\t0\n');
  const audio = [
    ...['report', '--dense', file('detector.onnx'), '--candidate', `same=${file('detector.onnx')}`],
    ...['--data', folder, '--audio', 'sound', '--window', '10', '--input', 'rate=16000'],
    ...['--carry', 'stateN=state', '--out', file('heard'), '--outputs', 'score', '--json'],
  ];
  t.equal(await run(...audio, '--labels', file('speech.tsv')), 0, said);
  const heard = JSON.parse(printed) as NetworksReport;
  t.same([heard.runs, heard.calls], [2, 3200]);
  t.same(heard.rows[1]?.detection?.areaLess, { value: 0, low: 0, high: 0 });
  t.equal(heard.rows[1]?.error?.['score']?.value, 0);
  await writeFile(file('speech.tsv'), 'file\tbegin\tend\na.wav\t0.5\t0.1\n');
  t.not(await run(...audio, '--labels', file('speech.tsv')), 0);
  t.match(said, /speech\.tsv:2: .*expected columns file, begin, end/);
});
