import { KikitoriError, messageOf } from '../../runtime/errors.js';
import type { ForeignModel } from './model.js';
import { refused } from './proto.js';
import { Runner, type Feed, type Value } from './runtime.js';

/** How a network is called that is no plain sequence: what its inputs are to be given. */
export interface CallShape {
  /** The input that gets recorded sound: `window` new samples a call, after the last `context` of the call before. */
  readonly audio?: { readonly name: string; readonly window: number; readonly context: number };
  /** Inputs of one value: a sample rate, a switch. */
  readonly fixed: ReadonlyMap<string, number>;
  /** Outputs that are inputs of the next call. */
  readonly carried: ReadonlyMap<string, string>;
}

/** Calls in their order; those of `begins` have nothing before them. */
export interface Calls {
  readonly feeds: readonly Feed[];
  readonly begins: ReadonlySet<Feed>;
  /** Of a series: the rows that each call has, of all series one after the other. */
  readonly rows?: readonly (readonly [number, number])[];
}

/** What is wrong with the shape for this network; all of it at once. */
export function checkShape(model: ForeignModel, { audio, fixed, carried }: CallShape): void {
  const inputs = new Set(model.inputs.map((i) => i.name ?? ''));
  const faults: string[] = [];
  const wanted = [
    ...(audio === undefined ? [] : [audio.name]),
    ...fixed.keys(),
    ...carried.values(),
  ];
  for (const name of wanted)
    if (!inputs.has(name)) faults.push(`there is no input "${name}" but ${[...inputs].join(', ')}`);
  for (const name of carried.keys()) {
    if (!model.outputs.includes(name))
      faults.push(`there is no output "${name}" but ${model.outputs.join(', ')}`);
  }
  if (faults.length > 0) throw refused(model.where, faults.join('; '));
}

/** Calls on recordings, one after the other as the network itself is used; state begins at zero with each. */
export async function recordedCalls(
  model: ForeignModel,
  recordings: readonly Float32Array[],
  shape: CallShape,
): Promise<Calls> {
  checkShape(model, shape);
  const { audio, carried } = shape;
  if (audio === undefined) throw new KikitoriError('no input takes sound', { kind: 'usage' });
  const zeros = zeroInputs(model, shape.fixed);
  const feeds: Feed[] = [];
  const begins = new Set<Feed>();
  for (const samples of recordings) {
    let before = new Float32Array(audio.context);
    for (let at = 0; at + audio.window <= samples.length; at += audio.window) {
      const data = new Float32Array(audio.context + audio.window);
      data.set(before);
      data.set(samples.subarray(at, at + audio.window), audio.context);
      before = data.slice(audio.window);
      const feed = { ...zeros, [audio.name]: { dims: [1, data.length], data } };
      feeds.push(feed);
      if (at === 0) begins.add(feed);
    }
  }
  return stated(model, { feeds, begins }, carried);
}

/** The same calls, each with the state that the call before left in this network. */
export async function stated(
  model: ForeignModel,
  calls: Calls,
  carried: ReadonlyMap<string, string>,
): Promise<Calls> {
  if (carried.size === 0) return calls;
  const runner = await Runner.open(model.bytes);
  const feeds: Feed[] = [];
  const begins = new Set<Feed>();
  try {
    const wanted = [...carried.keys()];
    await inTurn(runner, calls, carried, { fetches: wanted }, (_, given, feed) => {
      feeds.push(given);
      if (calls.begins.has(feed)) begins.add(given);
    });
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    throw refused(model.where, `it does not run: ${messageOf(error)}`);
  } finally {
    await runner.close();
  }
  return { ...calls, feeds, begins };
}

/**
 * Runs calls one after the other, each with the state that the same network left after the call before.
 * `each` gets what came out, what was given, and the call as it is in `calls`.
 */
export async function inTurn(
  runner: Runner,
  { feeds, begins }: Calls,
  carried: ReadonlyMap<string, string>,
  { fetches }: { readonly fetches?: readonly string[] } = {},
  each: (out: ReadonlyMap<string, Value>, given: Feed, feed: Feed) => void,
): Promise<void> {
  let state: Feed = {};
  for (const feed of feeds) {
    if (begins.has(feed)) state = {};
    const given = { ...feed, ...state };
    const out = await runner.run(given, fetches);
    each(out, given, feed);
    state = leftBy(out, carried);
  }
}

/** What the next call begins with. */
export const leftBy = (
  out: ReadonlyMap<string, Value>,
  carried: ReadonlyMap<string, string>,
): Feed =>
  Object.fromEntries(
    [...carried].flatMap(([from, to]): [string, Value][] => {
      const value = out.get(from);
      return value === undefined ? [] : [[to, value]];
    }),
  );

/** Every input as zeros of its shape, 1 where the shape is open; or the value given. */
function zeroInputs(model: ForeignModel, fixed: ReadonlyMap<string, number>): Feed {
  return Object.fromEntries(
    model.inputs.map(({ name, type }) => {
      const dims = (type?.tensorType?.shape?.dim ?? []).map((d) => Number(d.dimValue ?? 0) || 1);
      const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
      return [name ?? '', { dims, data: data.fill(fixed.get(name ?? '') ?? 0) }];
    }),
  );
}
