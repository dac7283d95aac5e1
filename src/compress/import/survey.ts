import type { onnx as Onnx } from 'onnx-proto';
import { timeFirst, encodeModel } from './layout.js';
import { ForeignModel } from './model.js';
import { parametersOf, readForeign, type Foreign, type Layer } from './network.js';
import { nameOf } from './proto.js';
import { factsOf, kindOf } from './recurrent.js';
import type { Scope } from './scope.js';
import { rolled } from './unrolled.js';

/** A recurrent node of a file, wherever it stands. */
export interface SurveyedNode {
  readonly name: string;
  readonly type: string;
  /** Empty: the main graph. */
  readonly place: string;
  readonly direction: string;
  readonly layout: 'time first' | 'batch first';
  readonly sequenceLengths: boolean;
  readonly inputs?: number;
  readonly cells?: number;
  /** Of the weights, which several nodes may have in common. */
  readonly parameters?: number;
  /** The first node with the same weights, if that is another. */
  readonly sameWeightsAs?: string;
  /** What its h goes into that can be factored with it, in words. */
  readonly readBy: readonly string[];
  readonly compressible: boolean;
  /** Why not. */
  readonly why?: string;
}

export interface Survey {
  readonly recurrent: readonly SurveyedNode[];
  /** LSTMs that stand in the file as plain operators, and how many steps each has. */
  readonly rolled: readonly { readonly name: string; readonly steps: number }[];
  /** Of all recurrent weights, each counted once. */
  readonly recurrentParameters: number;
  /** What keeps the whole file from being compressed. */
  readonly obstacles: readonly string[];
}

/** What is recurrent in a model, what of it can be compressed, and why the rest cannot. */
export async function survey(model: ForeignModel): Promise<Survey> {
  const obstacles = [
    ...(model.opset < 9 ? [`operator set ${model.opset}; expected 9 or newer`] : []),
    ...((model.proto.functions ?? []).length > 0 ? ['it defines functions of its own'] : []),
  ];
  const layouts = new Map(
    recurrentNodes(model).map(({ scope, node }) => [place(scope, node), factsOf(node).layout]),
  );
  const proto = timeFirst(model.proto);
  const turned =
    proto === model.proto ? model : ForeignModel.of(proto, encodeModel(proto), model.where);
  const { model: whole, made, unrecognised } = await rolled(turned);
  const foreign = await readForeign(whole);
  const nodes = recurrentNodes(whole).map(({ scope, node }) =>
    surveyed(foreign, scope, node, layouts.get(place(scope, node)) ?? 0),
  );
  if (nodes.length === 0) obstacles.push('there is no LSTM, GRU or RNN node in it');
  for (const { name, why } of unrecognised) obstacles.push(`"${name}" ${why}`);
  return {
    recurrent: nodes,
    rolled: made,
    recurrentParameters: foreign.layers.reduce((sum, layer) => sum + parametersOf(layer), 0),
    obstacles,
  };
}

const place = (scope: Scope, node: Onnx.INodeProto) => `${scope.place}/${nameOf(node)}`;

const recurrentNodes = (model: ForeignModel) =>
  model.scopes.flatMap((scope) =>
    scope.nodes.filter((n) => kindOf(n) !== undefined).map((node) => ({ scope, node })),
  );

function surveyed(
  foreign: Foreign,
  scope: Scope,
  node: Onnx.INodeProto,
  layout: number,
): SurveyedNode {
  const { direction, lengths } = factsOf(node);
  const site = [...foreign.layerOf.keys()].find((s) => s.node === node);
  const layer = site && foreign.layerOf.get(site);
  const about = {
    name: nameOf(node),
    type: node.opType ?? '',
    place: scope.place,
    direction,
    layout: layout === 1 ? 'batch first' : 'time first',
    sequenceLengths: lengths,
  } as const;
  if (site === undefined || layer === undefined) {
    const why = foreign.left.find((l) => l.node === node)?.why ?? 'it was not understood';
    return { ...about, readBy: [], compressible: false, why };
  }
  const [first] = layer.sites;
  return {
    ...about,
    inputs: site.inputs,
    cells: site.cells,
    parameters: parametersOf(layer),
    ...(first === undefined || first === site ? {} : { sameWeightsAs: first.name }),
    readBy: readersOf(foreign, layer),
    compressible: true,
  };
}

function readersOf({ layers, heads }: Foreign, layer: Layer): string[] {
  const above = layers.filter((l) => l.source === layer).map((l) => l.name);
  const own = heads.filter((h) => h.layer === layer).map((h) => nameOf(h.node));
  return [...new Set([...above, ...own])];
}
