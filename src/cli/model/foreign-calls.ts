import { recordings } from '../../compress/factorize/index.js';
import {
  checkShape,
  readSeries,
  recordedCalls,
  seriesCalls,
  stated,
  type Calls,
  type CallShape,
  type ForeignModel,
  type SeriesTaker,
} from '../../compress/import/index.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import { numberOption, usageError } from '../shared/command.js';

/** Options that say how a network of others is called. */
export const callOptions = {
  audio: { type: 'string' },
  window: { type: 'string' },
  context: { type: 'string' },
  rate: { type: 'string' },
  input: { type: 'string', multiple: true },
  carry: { type: 'string', multiple: true },
  outputs: { type: 'string' },
} as const;

type Values = Readonly<Record<string, string | boolean | string[] | undefined>>;

const text = (values: Values, name: string): string | undefined => {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
};

/** What `--audio`, `--window`, `--context`, `--input` and `--carry` say, checked against the network. */
export function shapeOf(model: ForeignModel, values: Values, usage: string): CallShape {
  const count = (option: string, least: number) => {
    const value = numberOption(option, text(values, option)) ?? 0;
    if (Number.isInteger(value) && value >= least) return value;
    throw usageError(`--${option} is no count of ${least} or more`, usage);
  };
  const name = text(values, 'audio');
  const shape: CallShape = {
    ...(name === undefined
      ? {}
      : { audio: { name, window: count('window', 1), context: count('context', 0) } }),
    fixed: new Map(
      pairs(values, 'input', usage).map(([input, value]) => {
        if (Number.isFinite(Number(value))) return [input, Number(value)];
        throw usageError(`--input ${input} is no number`, usage);
      }),
    ),
    carried: new Map(pairs(values, 'carry', usage)),
  };
  checkShape(model, shape);
  return shape;
}

/** Calls on data: of a series, or of recordings where --audio says so. */
export async function callsOn(
  taker: SeriesTaker,
  path: string | undefined,
  values: Values,
  usage: string,
): Promise<Calls | undefined> {
  const shape = shapeOf(taker.model, values, usage);
  if (path === undefined) return undefined;
  if (shape.audio === undefined) {
    const calls = seriesCalls(taker, await readSeries(path), path);
    const feeds = calls.feeds.map((feed) => withFixed(feed, shape.fixed));
    const begins = new Set(feeds.filter((_, i) => calls.begins.has(calls.feeds[i] ?? {})));
    return stated(taker.model, { ...calls, feeds, begins }, shape.carried);
  }
  const seconds = numberOption('calibration-seconds', text(values, 'calibration-seconds')) ?? 600;
  const rateHz = numberOption('rate', text(values, 'rate')) ?? 16000;
  if (!(Number.isInteger(rateHz) && rateHz > 0))
    throw usageError('--rate is no count of 1 or more', usage);
  const heard = await recordings(path, { seconds, rateHz, random: randomFrom(1) });
  return recordedCalls(taker.model, heard, shape);
}

function withFixed(
  feed: Calls['feeds'][number],
  fixed: ReadonlyMap<string, number>,
): Calls['feeds'][number] {
  if (fixed.size === 0) return feed;
  const filled = [...fixed].flatMap(([name, value]) => {
    const old = feed[name];
    return old === undefined
      ? []
      : [[name, { dims: old.dims, data: new Float32Array(old.data.length).fill(value) }] as const];
  });
  return { ...feed, ...Object.fromEntries(filled) };
}

/** The outputs by which a loss is measured. */
export function outputsBy(
  model: ForeignModel,
  names: string | undefined,
  usage: string,
): readonly string[] {
  const given = names?.split(',');
  const unknown = (given ?? []).filter((name) => !model.outputs.includes(name));
  if (unknown.length === 0) return given ?? model.outputs;
  throw usageError(`--outputs ${unknown.join()}: it has ${model.outputs.join(', ')}`, usage);
}

/** NAME=VALUE, as often as given. */
function pairs(values: Values, option: string, usage: string): [string, string][] {
  const given = values[option];
  return (Array.isArray(given) ? given : []).map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) throw usageError(`--${option} ${pair} has no =`, usage);
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
}
