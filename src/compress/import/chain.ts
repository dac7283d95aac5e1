import type { onnx as Onnx } from 'onnx-proto';
import type { NetworkCheckpoint, Tensor } from '../checkpoint.js';
import { attribute, refused, type Constant, type ForeignModel } from './model.js';
import { readLayer, type ForeignLayer } from './lstm-node.js';

/** A matrix product that reads the top layer. */
export interface Head {
  readonly node: Onnx.INodeProto;
  readonly path: readonly Onnx.INodeProto[];
  /** [outputs, cells] */
  readonly weight: Tensor;
}

export interface Chain {
  readonly model: ForeignModel;
  readonly layers: readonly ForeignLayer[];
  readonly heads: readonly Head[];
  /** The same as a dense network; without a head its outputs are the top layer's cells. */
  readonly network: NetworkCheckpoint;
}

/** The LSTM layers of a graph, bottom to top, and the matrices that read the top one. */
export async function readChain(model: ForeignModel): Promise<Chain> {
  refuseHidden(model);
  const nodes = model.nodes.filter((n) => n.opType === 'LSTM');
  if (nodes.length === 0) {
    const kinds = [...new Set(model.nodes.map((n) => n.opType ?? ''))].slice(0, 12).join(', ');
    throw refused(model.where, `there is no LSTM node in it, only ${kinds}`);
  }
  const layers = await inOrder(model, nodes);
  const heads = await findHeads(model, layers.at(-1));
  await model.load();
  return { model, layers, heads, network: asNetwork(layers, heads) };
}

function refuseHidden(model: ForeignModel): void {
  for (const node of model.nodes) {
    const inside = (node.attribute ?? []).flatMap((a) => [
      ...(a.g ? [a.g] : []),
      ...(a.graphs ?? []),
    ]);
    for (const graph of inside) {
      if ((graph.node ?? []).some((n) => n.opType === 'LSTM')) {
        throw refused(
          model.where,
          `an LSTM inside the ${node.opType ?? ''} node "${node.name ?? ''}"`,
          'LSTM nodes in the main graph',
        );
      }
    }
    if (['RNN', 'GRU'].includes(node.opType ?? '')) {
      throw refused(
        model.where,
        `"${node.name ?? ''}" is a ${node.opType ?? ''} node`,
        'LSTM nodes only',
      );
    }
  }
}

const nameOf = (node: Onnx.INodeProto) =>
  node.name || (node.output ?? []).find((o) => o !== '') || 'LSTM';

async function inOrder(
  model: ForeignModel,
  nodes: readonly Onnx.INodeProto[],
): Promise<ForeignLayer[]> {
  const below = new Map<Onnx.INodeProto, { from?: Onnx.INodeProto; path: Onnx.INodeProto[] }>();
  for (const node of nodes) below.set(node, await traceBack(model, node));
  const bottoms = nodes.filter((n) => below.get(n)?.from === undefined);
  if (bottoms.length > 1) {
    throw refused(
      model.where,
      `${bottoms.map((n) => `"${nameOf(n)}"`).join(' and ')} do not read each other through nodes that only move values`,
      'one chain of LSTM nodes',
    );
  }
  const layers: ForeignLayer[] = [];
  let node: Onnx.INodeProto | undefined = bottoms[0];
  while (node !== undefined) {
    const current: Onnx.INodeProto = node;
    layers.push({
      ...(await readLayer(model, current, nameOf(current))),
      path: below.get(current)?.path ?? [],
    });
    const above = nodes.filter((n) => below.get(n)?.from === current);
    if (above.length > 1) {
      throw refused(
        model.where,
        `"${nameOf(current)}" feeds ${above.length} LSTM nodes`,
        'one chain of LSTM nodes',
      );
    }
    node = above[0];
  }
  return layers;
}

/** From the input of an LSTM down through nodes that only move values, to another LSTM's Y, if there is one. */
async function traceBack(model: ForeignModel, node: Onnx.INodeProto) {
  const path: Onnx.INodeProto[] = [];
  let name = node.input?.[0] ?? '';
  for (let step = 0; step < 50; step++) {
    const producer = model.producers.get(name);
    if (producer === undefined) break;
    if (producer.opType === 'LSTM') {
      if (producer.output?.[0] === name) return { from: producer, path: path.reverse() };
      break;
    }
    if (
      !['Squeeze', 'Transpose', 'Reshape', 'Identity', 'Dropout', 'Cast'].includes(
        producer.opType ?? '',
      )
    )
      break;
    if (!(await keepsLastAxis(model, producer, undefined))) break;
    path.push(producer);
    name = producer.input?.[0] ?? '';
  }
  return { path: [] };
}

/** Whether a node leaves the last axis, the cells, where and as it is. */
async function keepsLastAxis(
  model: ForeignModel,
  node: Onnx.INodeProto,
  cells: number | undefined,
): Promise<boolean> {
  const values = async (index: number, name: string): Promise<number[] | undefined> => {
    const inline = attribute(node, name);
    if (Array.isArray(inline)) return inline.map(Number);
    const input = node.input?.[index];
    const constant: Constant | undefined = input ? await model.constant(input) : undefined;
    return constant === undefined ? undefined : [...constant.data];
  };
  switch (node.opType) {
    case 'Identity':
    case 'Dropout':
    case 'Cast':
      return true;
    case 'Squeeze': {
      const axes = await values(1, 'axes');
      return axes !== undefined && axes.every((a) => a >= 0 && a < 3);
    }
    case 'Transpose': {
      const perm = (attribute(node, 'perm') ?? []) as number[];
      return perm.length > 0 && perm.at(-1) === perm.length - 1;
    }
    case 'Reshape': {
      const shape = await values(1, 'shape');
      const last = shape?.at(-1);
      return (
        shape !== undefined && (cells === undefined ? last !== 0 : last === cells || last === -1)
      );
    }
    case 'Gather':
      return [0, 1].includes(Number(attribute(node, 'axis') ?? 0));
    case 'Slice': {
      const axes = await values(3, 'axes');
      return axes !== undefined && axes.every((a) => a === 0 || a === 1);
    }
    default:
      return false;
  }
}

/** Matrix products that the top layer's Y or Y_h reaches through nodes that only move values. */
async function findHeads(model: ForeignModel, top: ForeignLayer | undefined): Promise<Head[]> {
  if (top === undefined) return [];
  const heads: Head[] = [];
  const walk = async (name: string, path: readonly Onnx.INodeProto[]): Promise<void> => {
    for (const node of model.consumers.get(name) ?? []) {
      const weight = await headWeight(model, node, name, top.cells);
      if (weight !== undefined) heads.push({ node, path, weight });
      else if (
        node.input?.[0] === name &&
        path.length < 20 &&
        (await keepsLastAxis(model, node, top.cells))
      )
        await walk(node.output?.[0] ?? '', [...path, node]);
    }
  };
  const [y = '', yh = ''] = top.node.output ?? [];
  for (const name of [y, yh]) if (name !== '') await walk(name, []);
  return heads;
}

async function headWeight(
  model: ForeignModel,
  node: Onnx.INodeProto,
  from: string,
  cells: number,
): Promise<Tensor | undefined> {
  if ((node.opType !== 'MatMul' && node.opType !== 'Gemm') || node.input?.[0] !== from)
    return undefined;
  if (node.opType === 'Gemm' && Number(attribute(node, 'transA') ?? 0) !== 0) return undefined;
  if (node.opType === 'Gemm' && Number(attribute(node, 'alpha') ?? 1) !== 1) return undefined;
  const b = await model.constant(node.input?.[1] ?? '');
  if (b?.dims.length !== 2) return undefined;
  const transposed = node.opType === 'Gemm' && Number(attribute(node, 'transB') ?? 0) === 1;
  const [rows = 0, columns = 0] = b.dims;
  if ((transposed ? columns : rows) !== cells) return undefined;
  if (transposed) return { shape: [rows, columns], data: b.data };
  const data = new Float32Array(b.data.length);
  for (let k = 0; k < rows; k++) {
    for (let o = 0; o < columns; o++) data[o * rows + k] = b.data[k * columns + o] ?? 0;
  }
  return { shape: [columns, rows], data };
}

function asNetwork(layers: readonly ForeignLayer[], heads: readonly Head[]): NetworkCheckpoint {
  const tensors = new Map<string, Tensor>();
  layers.forEach((layer, l) => {
    tensors.set(`lstm.${l}.weight_ih`, layer.weightIh);
    tensors.set(`lstm.${l}.weight_hh`, layer.weightHh);
    tensors.set(`lstm.${l}.bias`, layer.bias);
  });
  const cells = layers.at(-1)?.cells ?? 0;
  const outputs =
    heads.length === 0 ? cells : heads.reduce((sum, h) => sum + (h.weight.shape[0] ?? 0), 0);
  const weight = new Float32Array(outputs * cells);
  if (heads.length === 0) for (let k = 0; k < cells; k++) weight[k * cells + k] = 1;
  let at = 0;
  for (const head of heads) {
    weight.set(head.weight.data, at);
    at += head.weight.data.length;
  }
  tensors.set('output.weight', { shape: [outputs, cells], data: weight });
  // Biases of the heads stay in the graph.
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
