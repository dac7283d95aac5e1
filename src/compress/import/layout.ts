import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { attribute, bodiesOf, int, ints, nameOf } from './proto.js';
import { kindOf } from './recurrent.js';

const { onnx } = onnxProto;

const batchFirst = (node: Onnx.INodeProto) =>
  kindOf(node) !== undefined && Number(attribute(node, 'layout') ?? 0) === 1;

const anywhere = (graph: Onnx.IGraphProto): boolean =>
  (graph.node ?? []).some((n) => batchFirst(n) || bodiesOf(n).some((b) => anywhere(b.graph)));

/**
 * The same model with every recurrent node in layout 0 (time first), transpositions around those that
 * had layout 1 (batch first): ONNX Runtime runs only the former, and everything here reads only that.
 */
export function timeFirst(model: Onnx.IModelProto): Onnx.IModelProto {
  if (model.graph === null || model.graph === undefined || !anywhere(model.graph)) return model;
  return { ...model, graph: graphTimeFirst(model.graph) };
}

function graphTimeFirst(graph: Onnx.IGraphProto): Onnx.IGraphProto {
  return {
    ...graph,
    node: (graph.node ?? []).flatMap((node) => (batchFirst(node) ? turned(node) : [within(node)])),
  };
}

function within(node: Onnx.INodeProto): Onnx.INodeProto {
  if (bodiesOf(node).length === 0) return node;
  const attributes = (node.attribute ?? []).map((a) => ({
    ...a,
    ...(a.g ? { g: graphTimeFirst(a.g) } : {}),
    ...(a.graphs && a.graphs.length > 0 ? { graphs: a.graphs.map(graphTimeFirst) } : {}),
  }));
  return { ...node, attribute: attributes };
}

/** X and Y change batch and time; states lie [batch, directions, cells] in layout 1. */
function turned(node: Onnx.INodeProto): Onnx.INodeProto[] {
  const name = nameOf(node);
  const before: Onnx.INodeProto[] = [];
  const after: Onnx.INodeProto[] = [];
  const transpose = (
    list: Onnx.INodeProto[],
    from: string,
    to: string,
    perm: readonly number[],
  ): void => {
    list.push({
      opType: 'Transpose',
      name: `${to}.turned`,
      input: [from],
      output: [to],
      attribute: [ints('perm', perm)],
    });
  };
  const input = (node.input ?? []).map((value, i) => {
    if (value === '' || ![0, 5, 6].includes(i)) return value;
    const to = `${name}.time-first.${i}`;
    transpose(before, value, to, [1, 0, 2]);
    return to;
  });
  const output = (node.output ?? []).map((value, i) => {
    if (value === '') return value;
    const from = `${name}.time-first.out.${i}`;
    // Y [T, D, B, N] -> [B, T, D, N]
    transpose(after, from, value, i === 0 ? [2, 0, 1, 3] : [1, 0, 2]);
    return from;
  });
  const kept = (node.attribute ?? []).filter((a) => a.name !== 'layout');
  return [...before, { ...node, input, output, attribute: [...kept, int('layout', 0)] }, ...after];
}

export const encodeModel = (proto: Onnx.IModelProto): Uint8Array =>
  onnx.ModelProto.encode(proto).finish();
