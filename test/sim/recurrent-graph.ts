import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import type { Recurrence } from '../../src/compress/reference/recurrence.js';

const { onnx } = onnxProto;
const { AttributeType } = onnx.AttributeProto;
export const { DataType } = onnx.TensorProto;

export const floats = (
  name: string,
  dims: readonly number[],
  data: ArrayLike<number>,
): Onnx.ITensorProto => ({
  name,
  dims: [...dims],
  dataType: DataType.FLOAT,
  rawData: new Uint8Array(Float32Array.from(data).buffer),
});

export const int64s = (name: string, values: readonly number[]): Onnx.ITensorProto => ({
  name,
  dims: [values.length],
  dataType: DataType.INT64,
  rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

export const info = (
  name: string,
  dims: readonly (number | string)[],
  elemType: number = DataType.FLOAT,
): Onnx.IValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType,
      shape: { dim: dims.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d })) },
    },
  },
});

export const attributes = {
  int: (name: string, i: number): Onnx.IAttributeProto => ({ name, type: AttributeType.INT, i }),
  ints: (name: string, values: readonly number[]): Onnx.IAttributeProto => ({
    name,
    type: AttributeType.INTS,
    ints: [...values],
  }),
  text: (name: string, s: string): Onnx.IAttributeProto => ({
    name,
    type: AttributeType.STRING,
    s: Buffer.from(s),
  }),
  float: (name: string, f: number): Onnx.IAttributeProto => ({
    name,
    type: AttributeType.FLOAT,
    f,
  }),
  texts: (name: string, values: readonly string[]): Onnx.IAttributeProto => ({
    name,
    type: AttributeType.STRINGS,
    strings: values.map((s) => Buffer.from(s)),
  }),
  graph: (name: string, g: Onnx.IGraphProto): Onnx.IAttributeProto => ({
    name,
    type: AttributeType.GRAPH,
    g,
  }),
};

export const node = (
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attribute: readonly Onnx.IAttributeProto[] = [],
): Onnx.INodeProto => ({
  opType,
  name: `${opType} ${output.find((o) => o !== '') ?? ''}`,
  input: [...input],
  output: [...output],
  attribute: [...attribute],
});

export const encode = (graph: Onnx.IGraphProto, opset = 17): Uint8Array =>
  onnx.ModelProto.encode({
    irVersion: 8,
    producerName: 'test',
    opsetImport: [{ domain: '', version: opset }],
    graph: { name: 'test', ...graph },
  }).finish();

/** Weights of a recurrent node, the same for the same seed. */
export function randomRecurrence(
  about: Pick<Recurrence, 'kind' | 'direction' | 'inputs' | 'cells'> &
    Partial<Pick<Recurrence, 'linearBeforeReset'>>,
  seed: number,
  { biases = true, peepholes = false } = {},
): Recurrence {
  const random = randomFrom(seed);
  const values = (length: number) => Float32Array.from({ length }, () => (2 * random() - 1) * 0.8);
  const directions = about.direction === 'bidirectional' ? 2 : 1;
  const rows = directions * { lstm: 4, gru: 3, rnn: 1 }[about.kind] * about.cells;
  return {
    ...about,
    w: values(rows * about.inputs),
    r: values(rows * about.cells),
    ...(biases ? { b: values(2 * rows) } : {}),
    ...(peepholes ? { p: values(directions * 3 * about.cells) } : {}),
  };
}

/** The node of a recurrence and the constants that it reads, named after it. */
export function recurrentNode(
  r: Recurrence,
  name: string,
  { x = 'x', lengths = '', h = '', c = '', layout = 0, outputs = ['y', 'h', 'c'] } = {},
): { node: Onnx.INodeProto; initializer: Onnx.ITensorProto[] } {
  const directions = r.direction === 'bidirectional' ? 2 : 1;
  const rows = { lstm: 4, gru: 3, rnn: 1 }[r.kind] * r.cells;
  const of = (letter: string) => `${name}.${letter}`;
  const named = outputs.slice(0, r.kind === 'lstm' ? 3 : 2);
  return {
    node: {
      opType: r.kind.toUpperCase(),
      name,
      input: [
        x,
        of('W'),
        of('R'),
        r.b === undefined ? '' : of('B'),
        lengths,
        h,
        ...(r.kind === 'lstm' ? [c] : []),
        ...(r.p === undefined ? [] : [of('P')]),
      ],
      output: named,
      attribute: [
        attributes.int('hidden_size', r.cells),
        attributes.text('direction', r.direction),
        ...(layout === 0 ? [] : [attributes.int('layout', layout)]),
        ...(r.kind === 'gru' && r.linearBeforeReset === true
          ? [attributes.int('linear_before_reset', 1)]
          : []),
      ],
    },
    initializer: [
      floats(of('W'), [directions, rows, r.inputs], r.w),
      floats(of('R'), [directions, rows, r.cells], r.r),
      ...(r.b === undefined ? [] : [floats(of('B'), [directions, 2 * rows], r.b)]),
      ...(r.p === undefined ? [] : [floats(of('P'), [directions, 3 * r.cells], r.p)]),
    ],
  };
}
