import { randomFrom } from '../../measure/evaluate/statistics.js';
import { messageOf } from '../../runtime/errors.js';
import type { NetworkCheckpoint, Tensor } from '../checkpoint.js';
import { uncut } from '../factorize/plan.js';
import { encodeModel, timeFirst } from './layout.js';
import { ForeignModel } from './model.js';
import { readForeign, type Foreign } from './network.js';
import { refused } from './proto.js';
import { rewriteWhole } from './rewrite.js';
import { Runner, type Feed } from './runtime.js';
import { rolled } from './unrolled.js';
import { madeSeries, seriesFeeds } from './series.js';

/** Below this relative difference of the outputs, another way to write a network is the same network. */
const same = 1e-3;

/** Reads somebody else's network as far as it can be factored, without running it. */
export async function takeForeign(bytes: Uint8Array, where: string): Promise<Foreign> {
  const model = ForeignModel.parse(bytes, where);
  if (model.opset < 9) {
    throw refused(
      where,
      `operator set ${model.opset}`,
      '9 or newer',
      'export it again with a newer opset',
    );
  }
  if ((model.proto.functions ?? []).length > 0)
    throw refused(where, 'it defines functions of its own');
  const proto = timeFirst(model.proto);
  const turned = proto === model.proto ? model : ForeignModel.of(proto, encodeModel(proto), where);
  const { model: whole, unrecognised } = await rolled(turned);
  const foreign = await readForeign(whole);
  const { left } = foreign;
  const broken = left.filter((l) => l.damaged);
  if (broken.length > 0) throw refused(where, broken.map((l) => l.why).join('; '));
  if (foreign.layers.length > 0) return foreign;
  if (left.length > 0) throw refused(where, left.map((l) => l.why).join('; '));
  const kinds = [...new Set(model.scopes.flatMap((s) => s.nodes.map((n) => n.opType ?? '')))];
  throw refused(
    where,
    `there is no LSTM, GRU or RNN node in it, only ${kinds.slice(0, 12).join(', ')}${unrecognised
      .slice(0, 3)
      .map(({ name, why }) => `; "${name}" ${why}`)
      .join('')}`,
  );
}

/**
 * Reads somebody else's network and shows, on the calls given or on made-up ones, that its parts are
 * understood: written out with nothing factored, it gives the same.
 */
export async function openForeign(
  bytes: Uint8Array,
  where: string,
  calls?: readonly Feed[],
): Promise<Foreign> {
  const foreign = await takeForeign(bytes, where);
  await checkUnderstood(foreign, calls);
  return foreign;
}

/**
 * Refuses a network that does not load, or that, written out with nothing factored, gives something
 * else on the calls given or on made-up ones.
 */
export async function checkUnderstood(foreign: Foreign, calls?: readonly Feed[]): Promise<void> {
  const { model, plan } = foreign;
  await model.load();
  const whole = rewriteWhole(foreign, uncut(plan));
  await checkSame(model, whole, calls ?? madeCalls(foreign));
}

/** Refuses a network whose outputs differ from those of its other writing. */
export async function checkSame(
  model: ForeignModel,
  written: Uint8Array,
  calls: readonly Feed[],
): Promise<void> {
  const error = await largestDifference({ model }, written, calls);
  if (error < same) return;
  throw refused(
    model.where,
    `its graph is used in a way that is not understood: rewritten, its outputs differ by ${error}`,
    'the same outputs',
  );
}

const madeCalls = (foreign: Foreign): readonly Feed[] =>
  seriesFeeds(foreign, madeSeries(foreign, randomFrom(1)), foreign.model.where);

/** Largest difference of any output, relative to the largest value of that output; Infinity if shapes differ. */
export async function largestDifference(
  { model }: Pick<Foreign, 'model'>,
  rewritten: Uint8Array,
  feeds: readonly Feed[],
): Promise<number> {
  const wanted = await Runner.open(model.origin);
  const got = await Runner.open(rewritten);
  let most = 0;
  try {
    for (const feed of feeds) {
      const right = await wanted.run(feed).catch((error: unknown) => {
        throw refused(
          model.where,
          `it does not run: ${messageOf(error)}`,
          'a network that runs on the calls given, or on made-up ones',
          'give --calibration of what it takes',
        );
      });
      const b = await got.run(feed);
      for (const [name, { dims, data }] of right) {
        const other = b.get(name);
        if (other?.dims.join() !== dims.join()) return Infinity;
        const scale = data.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-6);
        data.forEach((v, i) => {
          const difference = Math.abs(v - (other.data[i] ?? NaN)) / scale;
          most = difference <= most ? most : difference;
        });
      }
    }
  } finally {
    await wanted.close();
    await got.close();
  }
  return most;
}

/**
 * A chain of forward LSTM layers in the main graph under matrices that read the top one, as the dense
 * network that it is; undefined for any other network. Biases of the heads stay in the graph.
 */
export function chainOf({ model, layers, heads, left }: Foreign): NetworkCheckpoint | undefined {
  const top = layers.at(-1);
  const plain = layers.every(
    ({ kind, sites, directions, source }, l) =>
      kind === 'lstm' &&
      sites.length === 1 &&
      sites[0]?.scope === model.root &&
      sites[0].direction === 'forward' &&
      (sites[0].node.input?.[4] ?? '') === '' &&
      directions[0]?.peepholes === undefined &&
      source === layers[l - 1],
  );
  const distinct = new Set(heads.map((h) => h.matrices[0])).size === heads.length;
  if (!plain || left.length > 0 || !distinct || heads.length === 0 || top === undefined)
    return undefined;
  if (!heads.every((h) => h.layer === top)) return undefined;
  const tensors = new Map<string, Tensor>();
  layers.forEach(({ directions: [cell] }, l) => {
    if (cell === undefined) throw new Error('a layer has a direction');
    tensors.set(`lstm.${l}.weight_ih`, cell.weightIh);
    tensors.set(`lstm.${l}.weight_hh`, cell.weightHh);
    // ONNX keeps one bias for W and one for R; only their sum matters.
    tensors.set(`lstm.${l}.bias`, {
      shape: cell.biasIh.shape,
      data: cell.biasIh.data.map((b, i) => b + (cell.biasHh.data[i] ?? 0)),
    });
  });
  const outputs = heads.reduce((sum, h) => sum + (h.weight.shape[0] ?? 0), 0);
  const weight = new Float32Array(outputs * top.cells);
  let at = 0;
  for (const { weight: part } of heads) {
    weight.set(part.data, at);
    at += part.data.length;
  }
  tensors.set('output.weight', { shape: [outputs, top.cells], data: weight });
  tensors.set('output.bias', { shape: [outputs], data: new Float32Array(outputs) });
  return {
    kind: 'lstm',
    layers: layers.map((l) => l.cells),
    ranks: [],
    inputRank: 0,
    inputs: layers[0]?.inputs ?? 0,
    outputs,
    tensors,
    training: {},
  };
}
