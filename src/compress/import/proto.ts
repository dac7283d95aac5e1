import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { KikitoriError } from '../../runtime/errors.js';
import { halfToFloat } from '../half.js';

const { onnx } = onnxProto;
export const DataType = onnx.TensorProto.DataType;
const types = onnx.AttributeProto.AttributeType;

export interface Constant {
  readonly dims: readonly number[];
  readonly data: Float32Array;
  readonly half: boolean;
}

export function refused(where: string, what: string, expected?: string, hint?: string) {
  return new KikitoriError(what, { kind: 'input', where, expected, hint });
}

const exportAgain = 'export it again';

/** What no exporter means to write, unlike what is only not taken. */
export const damaged = (where: string, what: string, expected?: string) =>
  refused(where, what, expected, exportAgain);

export const isDamage = (error: KikitoriError): boolean => error.hint === exportAgain;

/** What a node is called in a message: its name, else what it gives. */
export const nameOf = (node: Onnx.INodeProto): string =>
  node.name || (node.output ?? []).find((o) => o !== '') || (node.opType ?? 'node');

/** The graphs inside a node: branches and loop bodies, each with the attribute that holds it. */
export const bodiesOf = (node: Onnx.INodeProto): { name: string; graph: Onnx.IGraphProto }[] =>
  (node.attribute ?? []).flatMap((a) =>
    [...(a.g ? [a.g] : []), ...(a.graphs ?? [])].map((graph) => ({ name: a.name ?? '', graph })),
  );

/** Inputs of a node and whatever its bodies take from around it. */
export function readsOf(node: Onnx.INodeProto): string[] {
  const inner = bodiesOf(node).flatMap(({ graph }) => {
    const own = new Set<string>([
      ...(graph.node ?? []).flatMap((n) => n.output ?? []),
      ...(graph.initializer ?? []).map((i) => i.name ?? ''),
      ...(graph.input ?? []).map((i) => i.name ?? ''),
    ]);
    const read = [
      ...(graph.node ?? []).flatMap(readsOf),
      ...(graph.output ?? []).map((o) => o.name ?? ''),
    ];
    return read.filter((name) => !own.has(name));
  });
  return [...(node.input ?? []), ...inner].filter((name) => name !== '');
}

/** The tensor of a node that is a constant. */
export function constantNode(node: Onnx.INodeProto | undefined): Onnx.ITensorProto | undefined {
  if (node?.opType !== 'Constant') return undefined;
  const attribute = (node.attribute ?? [])[0];
  if (attribute === undefined) return undefined;
  if (attribute.t !== null && attribute.t !== undefined && attribute.name === 'value')
    return attribute.t;
  if (attribute.name === 'value_ints') {
    return {
      dims: [(attribute.ints ?? []).length],
      dataType: DataType.INT64,
      int64Data: attribute.ints ?? [],
    };
  }
  if (attribute.name === 'value_int') {
    return { dims: [], dataType: DataType.INT64, int64Data: [attribute.i ?? 0] };
  }
  if (attribute.name === 'value_floats') {
    return {
      dims: [(attribute.floats ?? []).length],
      dataType: DataType.FLOAT,
      floatData: attribute.floats ?? [],
    };
  }
  return undefined;
}

/** The values of a tensor proto; floats of 2, 4 or 8 bytes and integers of 4 or 8. */
export function floats(tensor: Onnx.ITensorProto, name: string, where: string): Constant {
  const dims = (tensor.dims ?? []).map(Number);
  const count = dims.reduce((a, b) => a * b, 1);
  if ((tensor.externalData ?? []).length > 0) {
    throw refused(
      where,
      `the weights of "${name}" are in another file`,
      'that file beside this one',
    );
  }
  const raw = tensor.rawData ?? new Uint8Array(0);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const read: Record<number, [number, (at: number) => number, ArrayLike<unknown>]> = {
    [DataType.FLOAT]: [4, (at) => view.getFloat32(at, true), tensor.floatData ?? []],
    [DataType.FLOAT16]: [2, (at) => halfToFloat(view.getUint16(at, true)), tensor.int32Data ?? []],
    [DataType.DOUBLE]: [8, (at) => view.getFloat64(at, true), tensor.doubleData ?? []],
    [DataType.INT64]: [8, (at) => Number(view.getBigInt64(at, true)), tensor.int64Data ?? []],
    [DataType.INT32]: [4, (at) => view.getInt32(at, true), tensor.int32Data ?? []],
  };
  const type = read[tensor.dataType ?? 0];
  if (type === undefined) {
    const called = DataType[tensor.dataType ?? 0] ?? `number ${tensor.dataType ?? 0}`;
    throw refused(where, `"${name}" has values of type ${called}`, 'floats');
  }
  const [size, at, typed] = type;
  const half = tensor.dataType === DataType.FLOAT16;
  const whole = raw.length > 0 ? raw.length === count * size : typed.length === count;
  if (!whole) {
    throw damaged(
      where,
      `"${name}" has ${raw.length} bytes for ${count} values`,
      'a whole ONNX file',
    );
  }
  const data = Float32Array.from({ length: count }, (_, i) => {
    if (raw.length > 0) return at(i * size);
    return half ? halfToFloat(Number(typed[i])) : Number(typed[i]);
  });
  return { dims, data, half };
}

/** An attribute's value as a plain number, list or text. */
export function attribute(
  node: Onnx.INodeProto,
  name: string,
): number | number[] | string | string[] | undefined {
  const found = (node.attribute ?? []).find((a) => a.name === name);
  if (found === undefined) return undefined;
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
  const read: Record<number, () => number | number[] | string | string[]> = {
    [types.FLOAT]: () => found.f ?? 0,
    [types.INT]: () => Number(found.i ?? 0),
    [types.STRING]: () => text(found.s ?? new Uint8Array(0)),
    [types.INTS]: () => (found.ints ?? []).map(Number),
    [types.FLOATS]: () => (found.floats ?? []).map(Number),
    [types.STRINGS]: () => (found.strings ?? []).map(text),
  };
  return read[found.type ?? 0]?.();
}

export const int = (name: string, i: number): Onnx.IAttributeProto => ({
  name,
  type: types.INT,
  i,
});

export const ints = (name: string, values: readonly number[]): Onnx.IAttributeProto => ({
  name,
  type: types.INTS,
  ints: [...values],
});
