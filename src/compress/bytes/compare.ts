import { inTurn, leftBy, type Calls } from '../import/calls.js';
import type { ForeignModel } from '../import/model.js';
import { refused } from '../import/proto.js';
import { Runner, type Feed, type Value } from '../import/runtime.js';

/** How far an output of one network is from the same of another, each with its own state from call to call. */
export interface OutputDistance {
  readonly name: string;
  readonly values: number;
  /** Squared difference as a share of the variance. */
  readonly share: number;
  readonly largest: number;
  /** The largest value itself. */
  readonly size: number;
}

export async function compareOutputs(
  wanted: Uint8Array,
  got: Uint8Array,
  calls: Calls,
  carried: ReadonlyMap<string, string>,
  progress: (done: number, of: number) => void = () => undefined,
): Promise<OutputDistance[]> {
  const runners = [await Runner.open(wanted), await Runner.open(got)] as const;
  const sums = new Map<
    string,
    { n: number; x: number; xx: number; e: number; largest: number; size: number }
  >();
  const first: ReadonlyMap<string, Value>[] = [];
  try {
    const of = 2 * calls.feeds.length;
    await inTurn(runners[0], calls, carried, {}, (out) => {
      first.push(out);
      progress(first.length, of);
    });
    let i = 0;
    await inTurn(runners[1], calls, carried, {}, (out) => {
      for (const [name, { data }] of first[i] ?? []) {
        const sum = sums.get(name) ?? { n: 0, x: 0, xx: 0, e: 0, largest: 0, size: 0 };
        const other = out.get(name)?.data;
        data.forEach((v, k) => {
          const difference = Math.abs(v - (other?.[k] ?? NaN));
          sum.n++;
          sum.x += v;
          sum.xx += v * v;
          sum.e += difference ** 2;
          if (!(difference <= sum.largest)) sum.largest = difference;
          sum.size = Math.max(sum.size, Math.abs(v));
        });
        sums.set(name, sum);
      }
      i++;
      progress(calls.feeds.length + i, of);
    });
  } finally {
    for (const runner of runners) await runner.close();
  }
  return [...sums].map(([name, { n, x, xx, e, largest, size }]) => {
    const variance = xx - x ** 2 / Math.max(n, 1);
    return { name, values: n, share: e === 0 ? 0 : e / variance, largest, size };
  });
}

/** The input that goes on in time, and which of its axes time is. */
export interface TimeAxis {
  readonly name: string;
  readonly axis: number;
}

/**
 * The largest difference of any output between one call and the same steps in pieces of 1, 2, 3 ... steps,
 * state carried; outputs that are no steps are compared after the last.
 */
export async function inPieces(
  model: Pick<ForeignModel, 'where'>,
  bytes: Uint8Array,
  feed: Feed,
  time: TimeAxis,
  carried: ReadonlyMap<string, string>,
): Promise<number> {
  const whole = feed[time.name];
  if (whole === undefined) throw refused(model.where, `there is no input "${time.name}"`);
  const steps = whole.dims[time.axis] ?? 0;
  const runner = await Runner.open(bytes);
  let most = 0;
  try {
    const wanted = await runner.run(feed);
    let state: Feed = {};
    for (let at = 0, size = 1; at < steps; at += size, size++) {
      const end = Math.min(at + size, steps);
      const out = await runner.run({
        ...feed,
        ...state,
        [time.name]: along(whole, time.axis, at, end),
      });
      for (const [name, all] of wanted) {
        const part = out.get(name);
        const timed = all.dims[time.axis] === steps && !carried.has(name);
        if (part === undefined || (!timed && end < steps)) continue;
        const right = timed ? along(all, time.axis, at, end) : all;
        right.data.forEach((v, i) => {
          const difference = Math.abs(v - (part.data[i] ?? NaN));
          if (!(difference <= most)) most = difference;
        });
      }
      state = leftBy(out, carried);
    }
  } finally {
    await runner.close();
  }
  return most;
}

/** Steps of a value from one to another. */
function along({ dims, data }: Value, axis: number, from: number, to: number): Value {
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const steps = dims[axis] ?? 1;
  const outer = data.length / Math.max(1, inner * steps);
  const out = new Float32Array(outer * (to - from) * inner);
  for (let o = 0; o < outer; o++) {
    const start = (o * steps + from) * inner;
    out.set(data.subarray(start, start + (to - from) * inner), o * (to - from) * inner);
  }
  return { dims: dims.map((d, i) => (i === axis ? to - from : d)), data: out };
}
