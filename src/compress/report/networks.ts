import { bootstrapRatio, type Interval } from '../../measure/evaluate/statistics.js';
import { detections, type Detection } from '../../measure/evaluate/detection.js';
import { joinedFloats } from '../../runtime/joined.js';
import { inTurn, refused, Runner, type Feed } from '../import/index.js';
import { pairedDifference, rateOf } from '../../measure/evaluate/paired.js';

/** A network without phones: a detector, or one that forecasts a series. */
export interface NetworkSubject {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly weights: number;
  /** A point of the curve: how many times fewer recurrent parameters, by which method. */
  readonly curve?: { readonly method: string; readonly ratio: number };
}

/** Calls that go on from each other, and what is right at each step of the scored output. */
export interface Run {
  readonly name: string;
  readonly feeds: readonly Feed[];
  /** `calls`: one array for each call, as long as the output, or as one step of it. */
  readonly right?: readonly Float32Array[];
}

export interface NetworksOptions {
  readonly original: NetworkSubject;
  readonly candidates: readonly NetworkSubject[];
  readonly runs: readonly Run[];
  readonly carried: ReadonlyMap<string, string>;
  readonly outputs: readonly string[];
  /** Labels (1, 0, -1 where nobody says) of a detector with its threshold, or values that are wanted. */
  readonly scored?: { readonly output: string; readonly threshold?: number };
  readonly where: string;
  readonly progress?: (done: number, of: number) => void;
  /** Processor time of this process in microseconds. */
  readonly spentUs: () => number;
}

export interface NetworkRow {
  readonly name: string;
  readonly bytes: number;
  readonly weights: number;
  readonly curve?: NetworkSubject['curve'];
  /** Of each output the squared difference from the original as a share of its variance; absent for the original. */
  readonly error?: Readonly<Record<string, Interval>>;
  readonly detection?: Detection;
  /** Mean squared error against the values that are wanted, and its difference from the original's. */
  readonly squaredError?: { readonly value: number; readonly less?: Interval };
  readonly usEachCall: number;
}

export interface NetworksReport {
  readonly format: 1;
  readonly runs: number;
  readonly calls: number;
  readonly threshold?: number;
  readonly rows: readonly NetworkRow[];
}

type Outputs = ReadonlyMap<string, Float32Array>;

/** Every network on the same runs, each with its own state from call to call. */
export async function reportNetworks(o: NetworksOptions): Promise<NetworksReport> {
  const subjects = [o.original, ...o.candidates];
  const calls = o.runs.reduce((sum, r) => sum + r.feeds.length, 0);
  const heard: { readonly each: readonly Outputs[]; readonly usEachCall: number }[] = [];
  for (const [i, { bytes }] of subjects.entries()) {
    const done = (own: number) => o.progress?.(i * calls + own, subjects.length * calls);
    heard.push(await hear(bytes, o, done));
  }
  const [first] = heard;
  if (first === undefined) throw new Error('the original is heard');
  const { scored } = o;
  const labelled = scored !== undefined && o.runs.some((r) => r.right !== undefined);
  const detected =
    labelled && scored.threshold !== undefined
      ? detections(
          heard.map(({ each }) =>
            each.map((out, r) => scoredRun(out, o.runs[r], scored.output, o)),
          ),
          scored.threshold,
        )
      : undefined;
  const squares =
    labelled && scored.threshold === undefined
      ? heard.map(({ each }) =>
          each.map((out, r) => {
            const { scores, labels } = scoredRun(out, o.runs[r], scored.output, o);
            const errors = scores.reduce((sum, v, k) => sum + (v - (labels[k] ?? NaN)) ** 2, 0);
            return { file: `${r}`, errors, of: scores.length };
          }),
        )
      : undefined;
  const rows = subjects.map(({ name, bytes, weights, curve }, i): NetworkRow => {
    const own = heard[i];
    const detection = detected?.[i];
    const parts = squares?.[i];
    return {
      name,
      bytes: bytes.length,
      weights,
      ...(curve === undefined ? {} : { curve }),
      ...(i === 0 || own === undefined
        ? {}
        : {
            error: Object.fromEntries(
              o.outputs.map((output) => [output, shareOf(first.each, own.each, output)]),
            ),
          }),
      ...(detection === undefined ? {} : { detection }),
      ...(parts === undefined
        ? {}
        : {
            squaredError: {
              value: rateOf(parts),
              ...(i === 0 ? {} : { less: pairedDifference(squares?.[0] ?? [], parts) }),
            },
          }),
      usEachCall: own?.usEachCall ?? NaN,
    };
  });
  return {
    format: 1,
    runs: o.runs.length,
    calls,
    ...(scored?.threshold === undefined ? {} : { threshold: scored.threshold }),
    rows,
  };
}

async function hear(
  bytes: Uint8Array,
  { runs, carried, outputs, scored, spentUs }: NetworksOptions,
  done: (calls: number) => void,
) {
  const runner = await Runner.open(bytes);
  const names = [...new Set([...outputs, ...carried.keys(), ...(scored ? [scored.output] : [])])];
  const each: Outputs[] = [];
  let calls = 0;
  let spent = 0;
  try {
    for (const { feeds } of runs) {
      const parts = new Map<string, Float32Array[]>(names.map((n) => [n, []]));
      const began = spentUs();
      await inTurn(
        runner,
        { feeds, begins: new Set(feeds.slice(0, 1)) },
        carried,
        { fetches: names },
        (out) => {
          for (const name of names)
            parts.get(name)?.push(out.get(name)?.data ?? new Float32Array(0));
          done(++calls);
        },
      );
      spent += spentUs() - began;
      each.push(new Map([...parts].map(([name, list]) => [name, joinedFloats(list)])));
    }
  } finally {
    await runner.close();
  }
  return { each, usEachCall: spent / Math.max(1, calls) };
}

/** The squared difference as a share of the variance, with an interval of a bootstrap over runs. */
function shareOf(wanted: readonly Outputs[], got: readonly Outputs[], output: string): Interval {
  const of = (one: Outputs | undefined) => one?.get(output) ?? new Float32Array(0);
  const count = wanted.reduce((sum, w) => sum + of(w).length, 0);
  const mean =
    wanted.reduce((sum, w) => of(w).reduce((s, v) => s + v, sum), 0) / Math.max(1, count);
  const errors = wanted.map((w, r) => {
    const other = of(got[r]);
    return of(w).reduce((s, v, i) => s + (v - (other[i] ?? NaN)) ** 2, 0);
  });
  const variances = wanted.map((w) => of(w).reduce((s, v) => s + (v - mean) ** 2, 0));
  return bootstrapRatio(errors, variances);
}

/** The scored output of a run beside what is right. */
function scoredRun(out: Outputs, run: Run | undefined, output: string, o: NetworksOptions) {
  const scores = out.get(output) ?? new Float32Array(0);
  const right = run?.right ?? [];
  const labels = joinedFloats(right);
  if (labels.length === scores.length) return { scores, labels };
  // One answer a call: what is right at its end.
  const each = scores.length / Math.max(1, right.length);
  const last = joinedFloats(right.map((r) => r.subarray(r.length - each)));
  if (Number.isInteger(each) && last.length === scores.length) return { scores, labels: last };
  throw refused(
    o.where,
    `"${output}" gives ${scores.length} values in "${run?.name ?? ''}", for which ${labels.length} are said to be right`,
    'as many, or as many as one call gives',
    '--score names another output',
  );
}
