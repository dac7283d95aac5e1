import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readAudioFile } from '../../audio/index.js';
import {
  ForeignModel,
  readOnnx,
  readSeries,
  recordedCalls,
  takeForeign,
  type Calls,
  type CallShape,
  type Foreign,
} from '../../compress/import/index.js';
import {
  networksCurve,
  networksCurveSubjects,
  networksMarkdown,
  reportNetworks,
  weightsOf,
  type NetworkSubject,
  type Run,
} from '../../compress/report/index.js';
import { readText } from '../../engine/engine.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { KikitoriError } from '../../runtime/errors.js';
import { remaining } from '../../runtime/progress.js';
import { jsonLine, numberOption, parse, usageError, type Io } from '../shared/command.js';
import { writeChart } from '../shared/write-chart.js';
import { callOptions, callsOn, outputsBy, shapeOf } from './foreign-calls.js';

const usage =
  'kikitori model report --dense FILE.onnx --candidate NAME=FILE.onnx... --data FILE|DIR --out DIR [options]';

const help = `usage: ${usage}

Measures ONNX networks without phones (series, detectors) against the one they came from, on the same data,
each with its own state from call to call, and writes report.md, report.json and the curve as SVG.

  --dense        the network as it was
  --candidate    NAME=FILE.onnx; may be given several times
  --data         a series (.npy, CSV), or with --audio NAME a folder of recordings
  --labels       what is so, for a detector: of a series a file with a 1, a 0 or a -1 (nobody says) a step; of
                 recordings a TSV of "file", "begin", "end" in seconds, a row for each stretch that is so (a file
                 without any: begin and end 0); files are relative to --data
  --targets      what is right, for a forecast: a file with the values wanted, a row a step
  --score        the output that is scored (default: the first of --outputs)
  --threshold    of the detector (default 0.5)
  --curve        both methods at --ratios times fewer recurrent parameters (default 1.5,2,3,4,6), with --calibration
                 (data like --data) and --multiple (default 4)
  --audio, --window, --context, --rate, --input, --carry, --outputs, --calibration-seconds
                 as in "model compress": how the networks are called
  --json         the report on standard output
`;

type Values = Readonly<Record<string, string | boolean | string[] | undefined>>;

/** Whether the arguments of `model report` are about ONNX files. */
export const isAboutOnnx = (argv: readonly string[]): boolean =>
  argv.some(
    (a, i) => (argv[i - 1] === '--dense' && a.endsWith('.onnx')) || /^--dense=.*\.onnx$/.test(a),
  );

export async function reportOnnx(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parse(
    argv,
    {
      dense: { type: 'string' },
      candidate: { type: 'string', multiple: true, default: [] },
      data: { type: 'string' },
      out: { type: 'string' },
      labels: { type: 'string' },
      targets: { type: 'string' },
      score: { type: 'string' },
      threshold: { type: 'string', default: '0.5' },
      curve: { type: 'boolean', default: false },
      calibration: { type: 'string' },
      'calibration-seconds': { type: 'string' },
      ratios: { type: 'string', default: '1.5,2,3,4,6' },
      multiple: { type: 'string', default: '4' },
      ...callOptions,
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
  );
  if (values.help) {
    io.stdout.write(help);
    return 0;
  }
  const { dense, data, out } = values;
  if (positionals.length > 0 || dense === undefined || data === undefined || out === undefined)
    throw usageError('--dense, --data and --out are needed', usage);
  if (values.labels !== undefined && values.targets !== undefined)
    throw usageError('--labels are of a detector, --targets of a forecast: one of them', usage);
  if (values.curve && values.calibration === undefined)
    throw usageError('--curve goes with --calibration', usage);
  const ratios = values.ratios.split(',').map((r) => numberOption('ratios', r) ?? NaN);
  if (!ratios.every((r) => r > 1)) throw usageError('--ratios are above 1', usage);
  const multiple = numberOption('multiple', values.multiple) ?? NaN;
  if (!Number.isInteger(multiple) || multiple < 1)
    throw usageError('--multiple is no count', usage);
  const threshold = numberOption('threshold', values.threshold) ?? NaN;
  const say = (line: string) => void io.stderr.write(`${line}\n`);
  const nowMs = () => performance.now();
  const foreign = await takeForeign(await readOnnx(dense), dense);
  const { model } = foreign;
  const shape = shapeOf(model, values, usage);
  const outputs = outputsBy(model, values.outputs, usage);
  const score = values.score ?? outputs[0] ?? '';
  if (!model.outputs.includes(score))
    throw usageError(`--score ${score}: it has ${model.outputs.join(', ')}`, usage);
  const candidates = await subjectsOf(foreign, values.candidate);
  const runs = await runsOf(foreign, data, values, shape);
  if (values.curve) {
    const calls = await callsOn(foreign, values.calibration, values, usage);
    candidates.push(
      ...(await networksCurveSubjects({
        foreign,
        feeds: calls?.feeds ?? [],
        outputs,
        ratios,
        multiple,
        progress: say,
        nowMs,
      })),
    );
  }
  const [first] = runs;
  if (first === undefined || candidates.length === 0)
    throw usageError('neither --candidate nor --curve: nothing to measure', usage);
  const report = await reportNetworks({
    original: { name: 'dense', bytes: model.bytes, weights: weightsOf(model.bytes) },
    candidates,
    runs,
    carried: shape.carried,
    outputs,
    ...(values.labels === undefined && values.targets === undefined
      ? {}
      : { scored: { output: score, ...(values.targets === undefined ? { threshold } : {}) } }),
    where: dense,
    progress: remaining('measuring', say, nowMs),
    spentUs: () => process.cpuUsage().user,
  });
  await mkdir(out, { recursive: true });
  const picture =
    values.curve && (await writeChart(io, join(out, 'curve.svg'), await networksCurve(report)));
  const markdown = networksMarkdown(report, { picture: picture ? 'curve.svg' : '' });
  await atomicWrite(join(out, 'report.json'), `${JSON.stringify(report, null, 1)}\n`, 0o644);
  await atomicWrite(join(out, 'report.md'), markdown, 0o644);
  if (values.json) jsonLine(io, report);
  else io.stdout.write(markdown);
  return 0;
}

/** NAME=FILE.onnx, each with the inputs and outputs of the original. */
async function subjectsOf({ model }: Foreign, given: readonly string[]): Promise<NetworkSubject[]> {
  const subjects: NetworkSubject[] = [];
  for (const entry of given) {
    const at = entry.indexOf('=');
    const [name, path] =
      at < 0 ? [basename(entry), entry] : [entry.slice(0, at), entry.slice(at + 1)];
    if (name === 'dense' || subjects.some((s) => s.name === name))
      throw usageError(`two networks are called "${name}"`, usage);
    const bytes = await readOnnx(path);
    subjects.push({ name, bytes, weights: weightsOf(bytes) });
    const own = ForeignModel.parse(bytes, path);
    const differs = [
      ...model.outputs.filter((o) => !own.outputs.includes(o)).map((o) => `no output "${o}"`),
      ...model.inputs
        .filter((i) => !own.inputs.some((n) => n.name === i.name))
        .map((i) => `no input "${i.name ?? ''}"`),
    ];
    if (differs.length > 0)
      throw new KikitoriError(differs.join(', '), {
        kind: 'input',
        where: path,
        expected: 'a network made of the dense one',
      });
  }
  return subjects;
}

async function runsOf(
  foreign: Foreign,
  data: string,
  values: Values,
  shape: CallShape,
): Promise<Run[]> {
  const labels = typeof values['labels'] === 'string' ? values['labels'] : undefined;
  const targets = typeof values['targets'] === 'string' ? values['targets'] : undefined;
  if (shape.audio !== undefined && labels !== undefined)
    return recordedRuns(foreign, data, labels, values, shape);
  if (shape.audio !== undefined && targets !== undefined)
    throw usageError('--targets are of a series', usage);
  const calls = await callsOn(foreign, data, values, usage);
  if (calls === undefined) throw new Error('data gives calls');
  const path = labels ?? targets;
  if (path === undefined) return split(calls, shape, undefined, data);
  const { dims, data: right } = await readSeries(path);
  const width = dims.at(-1) ?? 1;
  const each = dims.length === 1 ? 1 : width;
  const wrong = labels === undefined ? -1 : right.findIndex((v) => ![1, 0, -1].includes(v));
  if (wrong >= 0)
    throw new KikitoriError(`label ${wrong} is ${right[wrong] ?? NaN}`, {
      kind: 'input',
      where: path,
      expected: '1, 0, or -1 where nobody says',
    });
  const rows = calls.rows?.at(-1)?.[1] ?? 0;
  if (calls.rows === undefined || right.length < rows * each)
    throw new KikitoriError(`${right.length / each} rows for ${rows} steps`, {
      kind: 'input',
      where: path,
      expected: 'a row a step of --data',
    });
  return split(calls, shape, { right, each }, data);
}

/** Calls that go on from each other as runs; without state each call is one. */
function split(
  calls: Calls,
  { carried }: CallShape,
  labels: { readonly right: Float32Array; readonly each: number } | undefined,
  name: string,
): Run[] {
  const runs: { name: string; feeds: Calls['feeds'][number][]; right: Float32Array[] }[] = [];
  calls.feeds.forEach((feed, i) => {
    if (runs.length === 0 || carried.size === 0 || calls.begins.has(feed))
      runs.push({ name: `${name}, ${runs.length}`, feeds: [], right: [] });
    const run = runs.at(-1);
    run?.feeds.push(feed);
    const [from = 0, to = 0] = calls.rows?.[i] ?? [];
    if (labels !== undefined)
      run?.right.push(labels.right.subarray(from * labels.each, to * labels.each));
  });
  return runs.map(({ right, ...run }) => (labels === undefined ? run : { ...run, right }));
}

/** Recordings of a table, each a run; what is so at the middle of each call is right for it. */
async function recordedRuns(
  { model }: Foreign,
  folder: string,
  table: string,
  values: Values,
  shape: CallShape,
): Promise<Run[]> {
  const rateHz = numberOption('rate', String(values['rate'] ?? 16000)) ?? 16000;
  const stretches = new Map<string, [number, number][]>();
  const [header = '', ...rows] = (await readText(table, 'labels')).trim().split(/\r?\n/);
  const names = header.split('\t');
  const [f, b, e] = ['file', 'begin', 'end'].map((n) => names.indexOf(n));
  const fault = (what: string, line: number) =>
    new KikitoriError(what, {
      kind: 'input',
      where: `${table}:${line}`,
      expected: 'columns file, begin, end, split by tabs; seconds',
    });
  if (f === undefined || b === undefined || e === undefined || Math.min(f, b, e) < 0)
    throw fault(`the columns are ${names.join(', ')}`, 1);
  rows.forEach((row, i) => {
    const cells = row.split('\t');
    const [begin, end] = [Number(cells[b]), Number(cells[e])];
    const file = cells[f] ?? '';
    if (file === '' || !(begin >= 0 && end >= begin)) throw fault(`"${row.slice(0, 60)}"`, i + 2);
    stretches.set(file, [...(stretches.get(file) ?? []), [begin, end]]);
  });
  const runs: Run[] = [];
  const window = shape.audio?.window ?? 1;
  for (const [file, said] of stretches) {
    const { samples } = await readAudioFile(join(folder, file), { rateHz });
    const { feeds } = await recordedCalls(model, [samples], { ...shape, carried: new Map() });
    if (feeds.length === 0) continue;
    const right = feeds.map((_, i) => {
      const at = ((i + 0.5) * window) / rateHz;
      return Float32Array.of(said.some(([begin, end]) => begin <= at && at < end) ? 1 : 0);
    });
    runs.push({ name: file, feeds, right });
  }
  return runs;
}
