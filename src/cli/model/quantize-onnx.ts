import { stat } from 'node:fs/promises';
import {
  compareOutputs,
  inBytes,
  inPieces,
  openForBytes,
  type InBytes,
  type OutputDistance,
} from '../../compress/bytes/index.js';
import { openTime, readOnnx, type Calls } from '../../compress/import/index.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { remaining } from '../../runtime/progress.js';
import { jsonLine, usageError, type Io } from '../shared/command.js';
import { callsOn, shapeOf } from './foreign-calls.js';

type Values = Readonly<Record<string, string | boolean | string[] | undefined>>;

/** An ONNX file that is no speech network of this project, in 8 bits. */
export async function quantizeOnnx(
  path: string,
  out: string,
  values: Values,
  usage: string,
  io: Io,
): Promise<number> {
  const { rule, keep, calibration, json } = values;
  if (!out.endsWith('.onnx')) throw usageError('--out of an ONNX file is an ONNX file', usage);
  if (rule !== 'mse' && rule !== 'max')
    throw usageError('--rule of an ONNX file is mse or max', usage);
  const [data, ...more] = Array.isArray(calibration) ? calibration : [];
  if (data === undefined || more.length > 0)
    throw usageError('--calibration is one series, or one folder of recordings', usage);
  const say = (line: string) => void io.stderr.write(`${line}\n`);
  const nowMs = () => performance.now();
  const opened = await openForBytes(await readOnnx(path), path);
  for (const why of opened.left) say(`left in float: ${why}`);
  const calls = await callsOn(opened.taker, data, values, usage);
  if (calls === undefined) throw new Error('calibration data gives calls');
  const [chosenOn, measuredOn] = halves(calls);
  const made = await inBytes(opened, chosenOn, {
    rule,
    keep: new Set(typeof keep === 'string' ? keep.split(',') : []),
    progress: remaining('choosing scales', say, nowMs),
  });
  const { model } = opened.taker;
  const { audio, carried } = shapeOf(model, values, usage);
  const distances = await compareOutputs(
    model.bytes,
    made.onnx,
    measuredOn,
    carried,
    remaining('measuring the error', say, nowMs),
  );
  const time = audio === undefined && carried.size > 0 ? openTime(opened.taker) : undefined;
  const [first] = calls.begins;
  const pieces =
    time === undefined || first === undefined
      ? undefined
      : await inPieces(model, made.onnx, first, time, carried);
  await atomicWrite(out, made.onnx, 0o644);
  const bytesBefore = (await stat(path)).size;
  if (json === true) {
    const { onnx, ...facts } = made;
    jsonLine(io, {
      out,
      bytesBefore,
      bytes: onnx.length,
      ...facts,
      calls: measuredOn.feeds.length,
      error: distances,
      ...(pieces === undefined ? {} : { inPieces: pieces }),
    });
  } else
    io.stdout.write(
      human(out, bytesBefore, made, distances, measuredOn, chosenOn !== measuredOn, pieces),
    );
  return 0;
}

/** Every other run of calls for choosing, the rest for measuring; a single call does both. */
function halves(calls: Calls): [Calls, Calls] {
  const parts: [Calls['feeds'][number][], Calls['feeds'][number][]] = [[], []];
  let run = -1;
  for (const feed of calls.feeds) {
    if (calls.begins.has(feed)) run++;
    parts[Math.max(run, 0) % 2]?.push(feed);
  }
  if (parts[1].length === 0) {
    const { feeds } = calls;
    // One long series without state: its windows are as good as series of their own.
    const middle = Math.ceil(feeds.length / 2);
    if (feeds.length < 2) return [calls, calls];
    const [early, late] = [feeds.slice(0, middle), feeds.slice(middle)];
    return [
      { feeds: early, begins: calls.begins },
      { feeds: late, begins: new Set(late.slice(0, 1)) },
    ];
  }
  return [
    { feeds: parts[0], begins: calls.begins },
    { feeds: parts[1], begins: calls.begins },
  ];
}

function human(
  out: string,
  before: number,
  { onnx, matrices, kernels, inFloat }: InBytes,
  distances: readonly OutputDistance[],
  { feeds }: Calls,
  apart: boolean,
  pieces: number | undefined,
): string {
  const count = (all: readonly { readonly shape: readonly number[] }[]) =>
    all.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0).toLocaleString('en');
  const percent = (share: number) => `${(100 * share).toPrecision(3)} %`;
  return [
    `${out}: ${before.toLocaleString('en')} -> ${onnx.length.toLocaleString('en')} bytes (${(before / onnx.length).toFixed(2)}x)`,
    `  8-bit products    ${matrices.length} matrices of ${count(matrices)} weights`,
    ...matrices.map(
      (m) => `    ${m.name} [${m.shape.join(', ')}] reads up to ${m.upTo.toPrecision(4)}`,
    ),
    ...(kernels.length === 0
      ? []
      : [`  stored in 8 bits  ${kernels.length} kernels of ${count(kernels)} weights`]),
    ...inFloat.map((f) => `  in float          "${f.name}", ${f.weights} weights: ${f.why}`),
    `  against float on ${feeds.length} calls${apart ? ' not used for the choice' : ''}, squared error as a share of the variance:`,
    ...distances.map(
      (d) =>
        `    ${d.name} ${percent(d.share)}, at most ${d.largest.toPrecision(3)} apart, values to ${d.size.toPrecision(3)}`,
    ),
    ...(pieces === undefined
      ? []
      : [`  in pieces         ${pieces === 0 ? 'the same bits' : `${pieces} apart`}`]),
    '',
  ].join('\n');
}
