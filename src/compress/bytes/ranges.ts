import { KikitoriError, messageOf } from '../../runtime/errors.js';
import type { ForeignModel } from '../import/model.js';
import type { Pieces } from '../import/pieces.js';
import { DataType, int, ints } from '../import/proto.js';
import { Runner, type Feed } from '../import/runtime.js';
import { Taps } from '../import/taps.js';
import { activationMax, activationMin } from '../quantize/grid.js';
import type { Matrix } from './matrices.js';

export type Rule = 'mse' | 'max';

/** Sizes are told apart to a sixteenth of a doubling, from 2^-30 to 2^30. */
const perDoubling = 16;
const bounds = Float32Array.from(
  { length: 60 * perDoubling },
  (_, i) => 2 ** (i / perDoubling - 30),
);
/** Scales that are tried, as shares of the largest. */
const tried = 48;

export interface RangeOptions {
  readonly rule: Rule;
  readonly progress?: (done: number, of: number) => void;
}

/**
 * A static scale of what each matrix reads, from calls on calibration data; undefined where no call
 * reached it. Twice through the data: for the largest size, then for the squared error of each scale tried.
 * Sums are made inside the graph, so that what goes on in a loop counts at every step.
 */
export async function scalesOf(
  model: ForeignModel,
  matrices: readonly Matrix[],
  feeds: readonly Feed[],
  { rule, progress }: RangeOptions,
): Promise<(number | undefined)[]> {
  const rounds = rule === 'max' ? 1 : 2;
  const tick = (round: number) => (i: number) =>
    progress?.(round * feeds.length + i, rounds * feeds.length);
  const above = await summed(model, matrices, feeds, tick(0), (part, value, _, name) => ({
    sum: sizeAbove(part, value, name),
    length: bounds.length,
  }));
  const largest = above.map((counts) => {
    const over = counts.findLastIndex((c) => c > 0);
    return over < 0 ? undefined : (bounds[over + 1] ?? Infinity);
  });
  above.forEach((counts, m) => {
    if (counts.every(Number.isFinite) && (largest[m] ?? 0) < (bounds.at(-1) ?? 0)) return;
    throw new KikitoriError(`what "${matrices[m]?.name ?? ''}" reads has no bound`, {
      kind: 'input',
      expected: 'calibration data on which the network gives numbers',
    });
  });
  if (rule === 'max') return largest.map((v) => v && Math.fround(v / activationMax));
  const errors = await summed(model, matrices, feeds, tick(1), (part, value, m, name) => ({
    sum: squaredErrors(part, value, largest[m] ?? 1, name),
    length: tried,
  }));
  return largest.map((most, m) => {
    if (most === undefined) return undefined;
    const own = errors[m] ?? new Float64Array(0);
    let best = tried - 1;
    for (let j = tried - 1; j >= 0; j--) if ((own[j] ?? Infinity) < (own[best] ?? 0)) best = j;
    return scaleTried(most, best);
  });
}

const scaleTried = (largest: number, j: number) =>
  Math.fround((largest * (j + 1)) / tried / activationMax);

type Watch = (
  part: Pieces,
  value: string,
  matrix: number,
  name: string,
) => { readonly sum: string; readonly length: number };

/** Runs the network on all calls; of each matrix the sum, over all its products, of what `watch` makes of a value. */
async function summed(
  model: ForeignModel,
  matrices: readonly Matrix[],
  feeds: readonly Feed[],
  tick: (done: number) => void,
  watch: Watch,
): Promise<Float64Array[]> {
  const taps = new Taps(model);
  const outputs: { readonly matrix: number; readonly name: string }[] = [];
  matrices.forEach(({ products }, m) => {
    for (const { scope, node } of products) {
      const value = node.input?.[0] ?? '';
      const { sum, length } = watch(taps.in(scope), value, m, `watch.${outputs.length}`);
      outputs.push({ matrix: m, name: taps.give(scope, sum, [length]) });
    }
  });
  const sums = matrices.map(() => new Float64Array(0));
  const runner = await Runner.open(taps.bytes());
  try {
    for (const [i, feed] of feeds.entries()) {
      const out = await runner
        .run(
          feed,
          outputs.map((o) => o.name),
        )
        .catch((error: unknown) => {
          throw new KikitoriError(
            `the network does not run on the calibration data: ${messageOf(error)}`,
            { kind: 'input', expected: 'data of the shape that the network takes' },
          );
        });
      for (const { matrix, name } of outputs) {
        const data = out.get(name)?.data ?? new Float32Array(0);
        const before = sums[matrix] ?? new Float64Array(0);
        sums[matrix] = Float64Array.from(data, (v, k) => (before[k] ?? 0) + v);
      }
      tick(i + 1);
    }
  } finally {
    await runner.close();
  }
  return sums;
}

/** Of each bound, 1 where the largest |x| is at or above it. */
function sizeAbove(part: Pieces, value: string, name: string): string {
  const size = part.node('Abs', [value], `${name}.size`);
  const most = part.node('ReduceMax', [size], `${name}.most`, [int('keepdims', 0)]);
  const limits = part.once('bounds', () => ({ shape: [bounds.length], data: bounds }));
  const below = part.node('Less', [most, limits], `${name}.below`);
  return part.cast(part.node('Not', [below], `${name}.not`), DataType.FLOAT, `${name}.above`);
}

/** Of each scale tried, the squared error of rounding x to its grid. */
function squaredErrors(part: Pieces, value: string, largest: number, name: string): string {
  const constant = (as: string, values: readonly number[]) =>
    part.floats(`${name}.${as}`, { shape: [values.length], data: Float32Array.from(values) });
  const flat = part.node(
    'Reshape',
    [value, part.int64s(`${name}.column`, [-1, 1])],
    `${name}.flat`,
  );
  const scales = constant(
    'scales',
    Array.from({ length: tried }, (_, j) => scaleTried(largest, j)),
  );
  const shifted = part.node(
    'Add',
    [part.node('Div', [flat, scales], `${name}.steps`), constant('half', [0.5])],
    `${name}.shifted`,
  );
  const whole = part.node('Floor', [shifted], `${name}.whole`);
  const least = part.node('Max', [whole, constant('least', [activationMin])], `${name}.least.of`);
  const held = part.node('Min', [least, constant('most', [activationMax])], `${name}.held`);
  const back = part.node('Mul', [held, scales], `${name}.back`);
  const error = part.node('Sub', [flat, back], `${name}.error`);
  const square = part.node('Mul', [error, error], `${name}.square`);
  if (part.opset < 13) {
    const attributes = [ints('axes', [0]), int('keepdims', 0)];
    return part.node('ReduceSum', [square], `${name}.sum`, attributes);
  }
  return part.node('ReduceSum', [square, part.int64s(`${name}.axes`, [0])], `${name}.sum`, [
    int('keepdims', 0),
  ]);
}
