import { KikitoriError, messageOf } from '../../runtime/errors.js';
import type { Foreign } from './network.js';
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

/** What is wrong with the shape for this network; all of it at once. */
export function checkShape({ model }: Foreign, { audio, fixed, carried }: CallShape): void {
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
  foreign: Foreign,
  recordings: readonly Float32Array[],
  shape: CallShape,
): Promise<Feed[]> {
  checkShape(foreign, shape);
  const { audio, fixed, carried } = shape;
  if (audio === undefined) throw new KikitoriError('no input takes sound', { kind: 'usage' });
  const runner = await Runner.open(foreign.model.bytes);
  const feeds: Feed[] = [];
  try {
    for (const samples of recordings) {
      let state: Feed = zeroInputs(foreign, fixed);
      let before = new Float32Array(audio.context);
      for (let at = 0; at + audio.window <= samples.length; at += audio.window) {
        const fresh = samples.subarray(at, at + audio.window);
        const data = new Float32Array(audio.context + audio.window);
        data.set(before);
        data.set(fresh, audio.context);
        before = data.slice(audio.window);
        const feed = { ...state, [audio.name]: { dims: [1, data.length], data } };
        feeds.push(feed);
        if (carried.size === 0) continue;
        const out = await runner.run(feed, [...carried.keys()]).catch((error: unknown) => {
          throw refused(foreign.model.where, `it does not run: ${messageOf(error)}`);
        });
        const next = [...carried].flatMap(([from, to]): [string, Value][] => {
          const value = out.get(from);
          return value === undefined ? [] : [[to, value]];
        });
        state = { ...state, ...Object.fromEntries(next) };
      }
    }
  } finally {
    await runner.close();
  }
  return feeds;
}

/** Every input as zeros of its shape, 1 where the shape is open; or the value given. */
function zeroInputs({ model }: Foreign, fixed: ReadonlyMap<string, number>): Feed {
  return Object.fromEntries(
    model.inputs.map(({ name, type }) => {
      const dims = (type?.tensorType?.shape?.dim ?? []).map((d) => Number(d.dimValue ?? 0) || 1);
      const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
      return [name ?? '', { dims, data: data.fill(fixed.get(name ?? '') ?? 0) }];
    }),
  );
}
