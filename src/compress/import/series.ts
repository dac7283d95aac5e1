import { readFile } from 'node:fs/promises';
import { codeOf, messageOf } from '../../runtime/errors.js';
import type { Calls } from './calls.js';
import type { ForeignModel } from './model.js';
import type { Layer } from './network.js';
import { attribute, refused } from './proto.js';
import type { Feed, Value } from './runtime.js';

/** Steps of a call, where the network leaves it open. */
const windowSteps = 200;

/** A file of numbers: `.npy` (floats of 4 or 8 bytes, C order), else CSV with a row a step. */
export async function readSeries(path: string): Promise<Value> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw refused(path, codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error));
  }
  const value = path.endsWith('.npy')
    ? parseNpy(bytes, path)
    : parseCsv(bytes.toString('utf8'), path);
  const bad = value.data.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) throw refused(path, `value ${bad} is ${value.data[bad] ?? NaN}`, 'finite numbers');
  if (value.data.length === 0) throw refused(path, 'it holds no numbers');
  return value;
}

/** NumPy's format 1 and 2: magic, version, header length, a Python dict, raw values. */
export function parseNpy(bytes: Uint8Array, where: string): Value {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || Buffer.from(bytes.subarray(1, 6)).toString('latin1') !== 'NUMPY') {
    throw refused(where, 'not a .npy file');
  }
  const [start, length] =
    bytes[6] === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = Buffer.from(bytes.subarray(start, start + length)).toString('latin1');
  const type = /'descr':\s*'<f([48])'/.exec(header)?.[1];
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (type === undefined || shape === undefined || !header.includes("'fortran_order': False")) {
    throw refused(where, `the header is ${header.trim()}`, 'little-endian floats in C order');
  }
  const dims = shape
    .split(',')
    .filter((s) => s.trim() !== '')
    .map(Number);
  if (!dims.every((n) => Number.isSafeInteger(n) && n >= 0))
    throw refused(where, `the shape is (${shape.slice(0, 60)})`, 'whole numbers');
  const count = dims.reduce((a, b) => a * b, 1);
  const size = Number(type);
  const from = start + length;
  if (bytes.length < from + count * size) {
    throw refused(where, `${bytes.length - from} bytes for ${count} values`, 'a whole file');
  }
  const data = Float32Array.from({ length: count }, (_, i) =>
    size === 4 ? view.getFloat32(from + 4 * i, true) : view.getFloat64(from + 8 * i, true),
  );
  return { dims, data };
}

/** Rows of numbers split by commas, semicolons, tabs or blanks; a first line of names is passed over. */
export function parseCsv(text: string, where: string): Value {
  const lines = text.split(/\r?\n/).map((line, i) => ({ line: line.trim(), number: i + 1 }));
  const rows = lines.filter(({ line }) => line !== '' && !line.startsWith('#'));
  const cells = (line: string) => line.split(/[,;\t ]+/).map(Number);
  if (rows[0] !== undefined && cells(rows[0].line).some(Number.isNaN)) rows.shift();
  const width = cells(rows[0]?.line ?? '').length;
  const data: number[] = [];
  for (const { line, number } of rows) {
    const values = cells(line);
    if (values.length !== width || values.some(Number.isNaN)) {
      throw refused(`${where}:${number}`, `"${line.slice(0, 60)}"`, `${width} numbers`);
    }
    data.push(...values);
  }
  return { dims: [rows.length, width], data: Float32Array.from(data) };
}

/** What leaves steps and batch where they are. */
const stepwise = ['Identity', 'Cast', 'Dropout', 'MatMul', 'Add', 'Gather', 'ReverseSequence'];

/** The input that the LSTM layers read, its dimensions (text: open), and which of them is what. */
interface MainInput {
  readonly name: string;
  readonly dims: readonly (number | string)[];
  readonly timeAxis: number;
  readonly batchAxis: number;
}

/** A network that takes a series: by its recurrent nodes, or by the loop that took their place. */
export interface SeriesTaker {
  readonly model: ForeignModel;
  readonly layers: readonly Layer[];
}

function mainInput({ model, layers }: SeriesTaker): MainInput {
  const loop = model.nodes.find((n) => n.opType === 'Scan');
  const first = layers[0]?.sites[0]?.node.input?.[0] ?? loop?.input?.at(-1) ?? '';
  const given = new Map(model.inputs.map((i) => [i.name ?? '', i]));
  const reached = new Set<string>();
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    if (given.has(name)) reached.add(name);
    (model.root.producers.get(name)?.input ?? []).forEach(visit);
  };
  visit(first);
  const [name = '', ...others] = reached;
  const dims = (given.get(name)?.type?.tensorType?.shape?.dim ?? []).map((d) =>
    d.dimParam || d.dimValue === undefined || d.dimValue === null
      ? (d.dimParam ?? '')
      : Number(d.dimValue),
  );
  if (name === '' || others.length > 0 || dims.length !== 3) {
    throw refused(
      model.where,
      name === ''
        ? 'no input reaches its recurrent node in the main graph'
        : `its inputs are ${[...reached].join(', ')} [${dims.join()}]`,
      'one input of three axes: time, batch and values',
    );
  }
  // Which axis is time: follow the transpositions from the LSTM [time, batch, values] back.
  let axes = [0, 1, 2];
  for (let at = first; at !== name;) {
    const node = model.root.producers.get(at);
    if (node?.opType === 'Transpose') {
      const perm = attribute(node, 'perm') as number[];
      axes = axes.map((a) => perm[a] ?? a);
    } else if (!stepwise.includes(node?.opType ?? '')) break;
    at = node?.input?.[0] ?? name;
  }
  return { name, dims, timeAxis: axes[0] ?? 0, batchAxis: axes[1] ?? 1 };
}

/** The input that goes on in time and which axis of it time is; undefined where its length is fixed. */
export function openTime(taker: SeriesTaker): { name: string; axis: number } | undefined {
  const { name, dims, timeAxis } = mainInput(taker);
  const steps = dims[timeAxis];
  return typeof steps === 'number' && steps > 0 ? undefined : { name, axis: timeAxis };
}

/**
 * Calls of the network on a series [steps, values], cut into windows, or on series [batch, steps,
 * values] one by one. Every other input (initial states) is zero.
 */
export const seriesFeeds = (taker: SeriesTaker, series: Value, where: string): Feed[] => [
  ...seriesCalls(taker, series, where).feeds,
];

/** The same, with what begins a series; where several go through in one call, each call is a beginning. */
export function seriesCalls(taker: SeriesTaker, series: Value, where: string): Calls {
  const input = mainInput(taker);
  const width = Number(input.dims[2]);
  const values = Number.isNaN(width) ? (series.dims.at(-1) ?? 0) : width;
  const [count, steps] =
    series.dims.length === 3
      ? [series.dims[0] ?? 0, series.dims[1] ?? 0]
      : [1, series.dims[0] ?? 0];
  if (![2, 3].includes(series.dims.length) || series.dims.at(-1) !== values) {
    throw refused(
      where,
      `the series is [${series.dims.join()}]`,
      `[steps, ${values}] or [series, steps, ${values}]`,
    );
  }
  const open = (axis: number, otherwise: number) => {
    const dim = input.dims[axis];
    return typeof dim === 'number' && dim > 0 ? dim : otherwise;
  };
  const window = open(input.timeAxis, Math.min(windowSteps, steps));
  const batch = open(input.batchAxis, 1);
  const windows: {
    readonly data: Float32Array;
    readonly begins: boolean;
    readonly rows: readonly [number, number];
  }[] = [];
  for (let s = 0; s < count; s++) {
    for (let from = 0; from + window <= steps; from += window) {
      const at = (s * steps + from) * values;
      windows.push({
        data: series.data.subarray(at, at + window * values),
        begins: from === 0,
        rows: [s * steps + from, s * steps + from + window],
      });
    }
  }
  const feeds: Feed[] = [];
  const begins = new Set<Feed>();
  for (let at = 0; at + batch <= windows.length; at += batch) {
    const taken = windows.slice(at, at + batch);
    const each = taken.map((w) => w.data);
    const feed = callOf(taker, input, each, window, values);
    feeds.push(feed);
    if (batch > 1 || taken[0]?.begins === true) begins.add(feed);
  }
  if (feeds.length === 0) {
    throw refused(where, `${steps} steps are too short`, `${batch} windows of ${window} steps`);
  }
  return { feeds, begins, ...(batch > 1 ? {} : { rows: windows.map((w) => w.rows) }) };
}

function callOf(
  foreign: SeriesTaker,
  input: MainInput,
  windows: readonly Float32Array[],
  steps: number,
  values: number,
): Feed {
  const batch = windows.length;
  const timeFirst = input.timeAxis < input.batchAxis;
  const data = new Float32Array(steps * batch * values);
  windows.forEach((series, b) => {
    for (let t = 0; t < steps; t++) {
      const row = timeFirst ? t * batch + b : b * steps + t;
      data.set(series.subarray(t * values, (t + 1) * values), row * values);
    }
  });
  const dims = timeFirst ? [steps, batch, values] : [batch, steps, values];
  return { ...zeroInputs(foreign, input.name, batch), [input.name]: { dims, data } };
}

function zeroInputs(foreign: SeriesTaker, main: string, batch: number): Record<string, Value> {
  const others = foreign.model.inputs.filter((i) => i.name !== main);
  return Object.fromEntries(
    others.map((i) => {
      const dims = (i.type?.tensorType?.shape?.dim ?? []).map((d) =>
        d.dimParam || d.dimValue === undefined || d.dimValue === null ? batch : Number(d.dimValue),
      );
      return [i.name ?? '', { dims, data: new Float32Array(dims.reduce((a, b) => a * b, 1)) }];
    }),
  );
}

/** A made-up series, for comparing two graphs when no data is at hand. */
export function madeSeries(foreign: SeriesTaker, random: () => number): Value {
  const input = mainInput(foreign);
  const values = Number(input.dims[2]) || (foreign.layers[0]?.inputs ?? 0);
  const fixed = input.dims[input.timeAxis];
  const batch = input.dims[input.batchAxis];
  const count = typeof batch === 'number' && batch > 0 ? batch : 1;
  const steps = typeof fixed === 'number' && fixed > 0 ? fixed : 12;
  const data = Float32Array.from({ length: count * steps * values }, () => 2 * random() - 1);
  return { dims: [count, steps, values], data };
}
