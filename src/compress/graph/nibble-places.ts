import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { multiplesOf, type MatrixPlace } from '../../bundle/index.js';
import { bodiesOf } from '../import/proto.js';

const { onnx } = onnxProto;

/** Where in an ONNX file of ours matrices of bytes lie that are on the grid of 4 bits, in the file's order. */
export function nibblePlaces(file: Uint8Array): MatrixPlace[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const { graph } = onnx.ModelProto.decode(file);
  const places = (graph ? constantsOf(graph) : []).flatMap(({ dims, dataType, rawData }) => {
    if (dataType !== onnx.TensorProto.DataType.UINT8 || dims?.length !== 2 || !rawData) return [];
    const [inputs = 0, outputs = 0] = dims.map(Number);
    const place = { offset: bytes.indexOf(rawData), inputs, outputs };
    const whole = place.offset >= 0 && rawData.length > 0 && rawData.length === inputs * outputs;
    return whole && multiplesOf(bytes, place) !== undefined ? [place] : [];
  });
  places.sort((a, b) => a.offset - b.offset);
  // Two that are alike are found at the same place: the second stays in bytes.
  return places.filter((p, i) => {
    const before = places[i - 1];
    return before === undefined || p.offset >= before.offset + before.inputs * before.outputs;
  });
}

function constantsOf(graph: Onnx.IGraphProto): Onnx.ITensorProto[] {
  const bodies = (graph.node ?? []).flatMap(bodiesOf).map((body) => body.graph);
  return [...(graph.initializer ?? []), ...bodies.flatMap(constantsOf)];
}
