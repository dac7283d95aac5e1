import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { maskOf } from '../import/fragments.js';
import type { Foreign, Layer } from '../import/network.js';
import { Pieces } from '../import/pieces.js';
import { DataType, int, ints } from '../import/proto.js';
import type { Site } from '../import/recurrent.js';
import { Runner, type Feed, type Value } from '../import/runtime.js';
import { Taps } from '../import/taps.js';
import { MomentSums, type Moments } from './moments.js';

export interface Collected {
  /** Of each vector of the plan. */
  readonly moments: readonly Moments[];
  /** Steps of the vector that was seen least, of those that were seen at all. */
  readonly steps: number;
  /** The first layer's input of the first calls, [steps, batch, inputs]: material for costs. */
  readonly inputs: readonly Value[];
}

/**
 * Runs a network as it is over calibration data in ONNX Runtime and sums, inside the graph, x and x x^T
 * of every vector of the plan. `keepSteps` steps of the first layer's input are kept as they are, where
 * that layer stands in the main graph.
 */
export async function collect(
  foreign: Foreign,
  feeds: AsyncIterable<Feed> | Iterable<Feed>,
  {
    keepSteps = 0,
    tick,
  }: { readonly keepSteps?: number; readonly tick?: (done: number) => void } = {},
): Promise<Collected> {
  const { bytes, taps, raw } = instrumented(foreign, keepSteps > 0);
  const runner = await Runner.open(bytes);
  const sums = foreign.plan.vectors.map(({ size }) => new MomentSums(size));
  const inputs: Value[] = [];
  let kept = 0;
  let calls = 0;
  try {
    for await (const feed of feeds) {
      const keep = raw !== undefined && kept < keepSteps;
      const names = taps.flatMap((t) => [t.sum, t.products]);
      const out = await run(runner, feed, [...names, ...(keep ? [raw] : [])]);
      for (const { vector, sum, products } of taps) {
        const total = out.get(sum);
        const gram = out.get(products);
        // The last value of the sum is the number of rows: a column of ones rides along.
        if (total !== undefined && gram !== undefined)
          sums[vector]?.add(total.data.at(-1) ?? 0, total.data, gram.data);
      }
      const value = raw === undefined ? undefined : out.get(raw);
      if (value !== undefined) {
        inputs.push(value);
        kept += (value.dims[0] ?? 0) * (value.dims[1] ?? 0);
      }
      tick?.(++calls);
    }
  } finally {
    await runner.close();
  }
  const moments = sums.map((s) => s.moments());
  checkFinite(moments.map((m) => m.covariance.data));
  const seen = sums.map((s) => s.steps).filter((steps) => steps > 0);
  return { moments, steps: seen.length === 0 ? 0 : Math.min(...seen), inputs };
}

async function run(runner: Runner, feed: Feed, fetches: readonly string[]) {
  try {
    return await runner.run(feed, fetches);
  } catch (error) {
    throw new KikitoriError(
      `the network does not run on the calibration data: ${messageOf(error)}`,
      {
        kind: 'input',
        expected: 'data of the shape that the network takes',
      },
    );
  }
}

function checkFinite(parts: readonly Float64Array[]): void {
  if (parts.every((p) => p.every(Number.isFinite))) return;
  throw new KikitoriError('the calibration data gives values that are no numbers', {
    kind: 'input',
  });
}

interface Tap {
  readonly vector: number;
  readonly sum: string;
  readonly products: string;
}

/** The graph with, for each vector at each place, the sum of its rows (and their number) and of their products. */
function instrumented(foreign: Foreign, keep: boolean) {
  const taps = new Taps(foreign.model);
  const found: Tap[] = [];
  const watch = (site: Site, vector: number, value: string, size: number) => {
    const part = taps.in(site.scope);
    const { sum, products } = moments(part, value, size, `${found.length}`, heldOf(part, site));
    found.push({
      vector,
      sum: taps.give(site.scope, sum, [1, size + 1]),
      products: taps.give(site.scope, products, [size, size]),
    });
  };
  // Steps after the end of a sequence are no steps of it.
  const held = new Map<Site, string | undefined>();
  const heldOf = (part: Pieces, site: Site) => {
    if (!held.has(site)) held.set(site, heldRows(part, site));
    return held.get(site);
  };
  for (const layer of foreign.layers) {
    for (const site of layer.sites) {
      const [v = 0] = layer.below;
      if (layer.source === undefined) watch(site, v, site.node.input?.[0] ?? '', layer.inputs);
      layer.h.forEach((vector, d) => watch(site, vector, hOf(taps, site, layer, d), layer.cells));
    }
  }
  const [bottom] = foreign.layers;
  const [first] = bottom?.sites ?? [];
  let raw: string | undefined;
  if (keep && first?.scope === foreign.model.root) {
    const float = taps.in(first.scope).cast(first.node.input?.[0] ?? '', DataType.FLOAT, 'raw');
    raw = taps.keep(first.scope, float);
  }
  return { bytes: taps.bytes(), taps: found, raw };
}

/** h of one direction at every step, [T, B, cells] or [T, 1, B, cells]. */
function hOf(taps: Taps, site: Site, { directions }: Layer, d: number): string {
  const y = taps.outputOf(site.node, 0);
  if (directions.length === 1) return y;
  const part = taps.in(site.scope);
  return part.node('Gather', [y, part.int64s(`${y}.of.${d}`, [d])], `${y}.direction.${d}`, [
    int('axis', 1),
  ]);
}

/** [T B, 1]: which rows are before the end of their sequence; undefined where all are as long. */
function heldRows(part: Pieces, { node, name }: Site): string | undefined {
  const given = node.input?.[4] ?? '';
  if (given === '') return undefined;
  const own = new Pieces(part.opset, `${part.prefix}held.${part.nodes.length}.`);
  const lengths = own.cast(given, DataType.INT64, 'lengths');
  const mask = maskOf(own, node.input?.[0] ?? '', lengths);
  const rows = own.node('Reshape', [mask, own.int64s('shape', [-1, 1])], `rows of ${name}`);
  part.nodes.push(...own.nodes);
  part.initializers.push(...own.initializers);
  return rows;
}

/** 1^T [x, 1] and x^T x of the rows of a value, of those that are held if that is said. */
function moments(part: Pieces, value: string, size: number, name: string, held?: string) {
  const float = part.cast(value, DataType.FLOAT, `${name}.float`);
  const every = part.node(
    'Reshape',
    [float, part.int64s(`${name}.shape`, [-1, size])],
    held === undefined ? `${name}.rows` : `${name}.every`,
  );
  const nothing = () => part.floats(`${name}.nothing`, { shape: [1], data: new Float32Array(1) });
  const rows =
    held === undefined ? every : part.node('Where', [held, every, nothing()], `${name}.rows`);
  const columns = part.node('Transpose', [rows], `${name}.columns`, [ints('perm', [1, 0])]);
  const products = part.node('MatMul', [columns, rows], `${name}.products`);
  // 1^T [rows, 1]: ones are x^0 of the first column, whatever it holds.
  const first = part.node('Gather', [rows, part.int64s(`${name}.zero`, [0])], `${name}.first`, [
    int('axis', 1),
  ]);
  const zero = part.node('Sub', [first, first], `${name}.zeros`);
  const one = part.floats(`${name}.one`, { shape: [1], data: Float32Array.of(1) });
  const ones =
    held === undefined
      ? part.node('Add', [zero, one], `${name}.ones`)
      : part.cast(held, DataType.FLOAT, `${name}.ones`);
  const wide = part.node('Concat', [rows, ones], `${name}.wide`, [int('axis', 1)]);
  const row = part.node('Transpose', [ones], `${name}.row`, [ints('perm', [1, 0])]);
  return { sum: part.node('MatMul', [row, wide], `${name}.sum`), products };
}
