import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { halfToFloat } from '../half.js';
import { loadRuntime } from './runtime.js';

const { onnx } = onnxProto;
export const DataType = onnx.TensorProto.DataType;

export interface Constant {
  readonly dims: readonly number[];
  readonly data: Float32Array;
  readonly half: boolean;
}

export function refused(where: string, what: string, expected?: string, hint?: string) {
  return new KikitoriError(what, { kind: 'input', where, expected, hint });
}

/** Somebody else's ONNX file, with the questions that its graph is asked. */
export class ForeignModel {
  readonly producers = new Map<string, Onnx.INodeProto>();
  readonly consumers = new Map<string, Onnx.INodeProto[]>();
  private readonly initializers = new Map<string, Onnx.ITensorProto>();

  private constructor(
    readonly proto: Onnx.ModelProto,
    readonly bytes: Uint8Array,
    readonly where: string,
    readonly opset: number,
  ) {
    for (const tensor of this.graph.initializer ?? [])
      this.initializers.set(tensor.name ?? '', tensor);
    for (const node of this.nodes) {
      for (const name of node.output ?? []) if (name !== '') this.producers.set(name, node);
      for (const name of new Set(node.input ?? [])) {
        this.consumers.set(name, [...(this.consumers.get(name) ?? []), node]);
      }
    }
  }

  static parse(bytes: Uint8Array, where: string): ForeignModel {
    let proto: Onnx.ModelProto;
    try {
      proto = onnx.ModelProto.decode(bytes);
    } catch (error) {
      throw refused(where, `not a whole ONNX file: ${messageOf(error)}`);
    }
    const opset = (proto.opsetImport ?? []).find((o) => (o.domain ?? '') === '');
    if (proto.graph === null || proto.graph === undefined || opset === undefined) {
      throw refused(where, 'not a whole ONNX file: no graph or no operator set in it');
    }
    const version = Number(opset.version ?? 0);
    if (version < 9) {
      throw refused(
        where,
        `operator set ${version}`,
        '9 or newer',
        'export it again with a newer opset',
      );
    }
    const model = new ForeignModel(proto, bytes, where, version);
    if ((proto.functions ?? []).length > 0) throw refused(where, 'it defines functions of its own');
    return model;
  }

  get graph(): Onnx.IGraphProto {
    return this.proto.graph ?? {};
  }

  get nodes(): readonly Onnx.INodeProto[] {
    return this.graph.node ?? [];
  }

  /** Inputs that the caller must give: older files list their weights among them. */
  get inputs(): readonly Onnx.IValueInfoProto[] {
    return (this.graph.input ?? []).filter((i) => !this.initializers.has(i.name ?? ''));
  }

  get outputs(): readonly string[] {
    return (this.graph.output ?? []).map((o) => o.name ?? '');
  }

  isInitializer(name: string): boolean {
    return this.initializers.has(name);
  }

  /** Lets ONNX Runtime load it: a file that it refuses is damaged, whatever it still holds. */
  async load(): Promise<void> {
    const runtime = await loadRuntime();
    try {
      const session = await runtime.InferenceSession.create(this.bytes, { logSeverityLevel: 4 });
      await session.release();
    } catch (error) {
      throw refused(this.where, `ONNX Runtime does not load it: ${messageOf(error)}`);
    }
  }

  /** A value that no input reaches, as floats; undefined when it depends on an input. */
  async constant(name: string): Promise<Constant | undefined> {
    const tensor = this.initializers.get(name) ?? constantNode(this.producers.get(name));
    if (tensor !== undefined) return floats(tensor, name, this.where);
    const needed = this.constantNodes(name);
    return needed === undefined ? undefined : this.evaluate(name, needed);
  }

  /** The nodes that a value needs, when it needs nothing but constants. */
  private constantNodes(name: string): Set<Onnx.INodeProto> | undefined {
    const needed = new Set<Onnx.INodeProto>();
    const left = [name];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if (next === '' || this.initializers.has(next)) continue;
      const node = this.producers.get(next);
      if (node === undefined) return undefined;
      if (needed.has(node)) continue;
      needed.add(node);
      left.push(...(node.input ?? []));
    }
    return needed;
  }

  /** Weights that the exporter left as an expression (Unsqueeze, Concat, Slice ...): run it. */
  private async evaluate(name: string, needed: ReadonlySet<Onnx.INodeProto>): Promise<Constant> {
    const graph = {
      ...this.graph,
      node: this.nodes.filter((n) => needed.has(n)),
      input: [],
      output: [{ name }],
    };
    const bytes = onnx.ModelProto.encode({ ...this.proto, graph }).finish();
    const out = await runAlone(bytes, name).catch((error: unknown) => {
      throw refused(this.where, `"${name}" cannot be computed: ${messageOf(error)}`);
    });
    if (out === undefined) throw refused(this.where, `"${name}" has no value`);
    const half = out.type === 'float16';
    const raw = out.data as ArrayLike<number | bigint>;
    const data = Float32Array.from(raw, (v) => (half ? halfToFloat(Number(v)) : Number(v)));
    return { dims: out.dims, data, half };
  }
}

async function runAlone(bytes: Uint8Array, name: string) {
  const runtime = await loadRuntime();
  const session = await runtime.InferenceSession.create(bytes, { logSeverityLevel: 4 });
  try {
    return (await session.run({}))[name];
  } finally {
    await session.release();
  }
}

function constantNode(node: Onnx.INodeProto | undefined): Onnx.ITensorProto | undefined {
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
      'one file with its weights',
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
  if (type === undefined)
    throw refused(where, `"${name}" has values of type ${tensor.dataType ?? 0}`);
  const [size, at, typed] = type;
  const half = tensor.dataType === DataType.FLOAT16;
  if (raw.length !== count * size && typed.length !== count) {
    throw refused(
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
  const types = onnx.AttributeProto.AttributeType;
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
