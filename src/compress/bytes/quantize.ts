import { refused } from '../import/proto.js';
import { checkSame } from '../import/foreign.js';
import { encodeModel, timeFirst } from '../import/layout.js';
import { ForeignModel } from '../import/model.js';
import { readForeign } from '../import/network.js';
import { rewriteWhole } from '../import/rewrite.js';
import type { SeriesTaker } from '../import/series.js';
import { rolled } from '../import/unrolled.js';
import type { Calls } from '../import/calls.js';
import { uncut } from '../factorize/plan.js';
import { asKernel, findMatrices, type InFloat } from './matrices.js';
import { scalesOf, type Rule } from './ranges.js';
import { withIntegerProducts, writeBytes } from './write.js';

/** A network of others, as it is and with its recurrent nodes written out as loops. */
export interface Opened {
  readonly taker: SeriesTaker;
  readonly written: ForeignModel;
  /** Recurrent nodes that could not be written out, and why. */
  readonly left: readonly string[];
}

/** Reads a network for 8 bits: what `model compress` wrote, or any other. */
export async function openForBytes(bytes: Uint8Array, where: string): Promise<Opened> {
  const parsed = ForeignModel.parse(bytes, where);
  if (parsed.opset < 10)
    throw refused(where, `operator set ${parsed.opset}`, '10 or newer for 8 bits');
  if ((parsed.proto.functions ?? []).length > 0)
    throw refused(where, 'it defines functions of its own');
  const proto = timeFirst(parsed.proto);
  const model = proto === parsed.proto ? parsed : ForeignModel.of(proto, encodeModel(proto), where);
  await model.load();
  const foreign = await readForeign((await rolled(model)).model);
  const broken = foreign.left.filter((l) => l.damaged);
  if (broken.length > 0) throw refused(where, broken.map((l) => l.why).join('; '));
  const { layers } = foreign;
  const written =
    layers.length === 0
      ? foreign.model
      : ForeignModel.parse(rewriteWhole(foreign, uncut(foreign.plan)), where);
  return { taker: foreign, written, left: foreign.left.map((l) => l.why) };
}

export interface InBytes {
  readonly onnx: Uint8Array;
  /** Products in 8 bits: each matrix with its size and the largest value that its input may have. */
  readonly matrices: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly upTo: number;
  }[];
  /** Stored in bytes, multiplied in float. */
  readonly kernels: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly inFloat: readonly InFloat[];
}

export interface BytesOptions {
  readonly rule: Rule;
  /** Names of nodes that stay in float. */
  readonly keep: ReadonlySet<string>;
  readonly progress?: (done: number, of: number) => void;
}

/** In 8 bits, with scales from calls on calibration data. */
export async function inBytes(
  { taker, written }: Opened,
  { feeds }: Calls,
  options: BytesOptions,
): Promise<InBytes> {
  if (written !== taker.model) await checkSame(taker.model, written.bytes, feeds.slice(0, 50));
  const model = withIntegerProducts(written);
  const found = await findMatrices(model, options.keep);
  const unknown = found.inFloat.filter((f) => Number.isNaN(f.weights)).map((f) => `"${f.name}"`);
  if (unknown.length > 0) throw refused(model.where, `no node is called ${unknown.join(', ')}`);
  if (found.matrices.length === 0) {
    const why = found.inFloat.map(({ name, why: reason }) => `"${name}": ${reason}`);
    throw refused(
      model.where,
      `no product with a constant matrix in float is in it${why.length === 0 ? '' : ` (${why.join('; ')})`}`,
      'what "kikitori model compress" wrote, or another float network',
    );
  }
  const scales = await scalesOf(model, found.matrices, feeds, options);
  const unseen = found.matrices.filter((_, m) => scales[m] === undefined);
  const stored = await Promise.all(unseen.map((matrix) => asKernel(model, matrix)));
  const kernels = [...found.kernels, ...stored.filter((k) => k !== undefined)];
  return {
    onnx: writeBytes(model, found.matrices, scales, kernels),
    matrices: found.matrices.flatMap(({ name, weight }, m) => {
      const scale = scales[m];
      return scale === undefined ? [] : [{ name, shape: weight.shape, upTo: scale * 127 }];
    }),
    kernels: kernels.map(({ name, dims }) => ({ name, shape: dims })),
    inFloat: [
      ...found.inFloat,
      ...unseen.map(({ name, weight }, i) => ({
        name,
        why: `the calibration data does not reach it${stored[i] === undefined ? '' : '; stored in bytes'}`,
        weights: weight.data.length,
      })),
    ],
  };
}
