import type { onnx as Onnx } from 'onnx-proto';
import type { Tensor } from '../checkpoint.js';
import { DataType, int, ints } from './proto.js';

const { FLOAT, INT64, UINT8 } = DataType;

/** Nodes and constants that are to be added to a graph, in an order that may be run. */
export class Pieces {
  readonly nodes: Onnx.INodeProto[] = [];
  readonly initializers: Onnx.ITensorProto[] = [];

  constructor(
    readonly opset: number,
    /** Before every name, so that none meets one of the graph. */
    readonly prefix: string,
  ) {}

  /** A constant that several nodes may ask for: made the first time. */
  once(name: string, make: () => Tensor): string {
    const known = this.initializers.some((i) => i.name === this.prefix + name);
    return known ? this.prefix + name : this.floats(name, make());
  }

  floats(name: string, { shape, data }: Tensor): string {
    const raw = new Uint8Array(
      data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength),
    );
    this.initializers.push({
      name: this.prefix + name,
      dims: [...shape],
      dataType: FLOAT,
      rawData: raw,
    });
    return this.prefix + name;
  }

  bytes(name: string, shape: readonly number[], data: Uint8Array): string {
    this.initializers.push({
      name: this.prefix + name,
      dims: [...shape],
      dataType: UINT8,
      rawData: data.slice(),
    });
    return this.prefix + name;
  }

  int64s(name: string, values: readonly number[]): string {
    const raw = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.initializers.push({
      name: this.prefix + name,
      dims: [values.length],
      dataType: INT64,
      rawData: raw,
    });
    return this.prefix + name;
  }

  /** An integer without axes. */
  scalar(name: string, value: number): string {
    const raw = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
    this.initializers.push({ name: this.prefix + name, dims: [], dataType: INT64, rawData: raw });
    return this.prefix + name;
  }

  /** Returns its first output, which is `name` with the prefix unless `as` names it. */
  node(
    opType: string,
    inputs: readonly string[],
    name: string,
    attributes: readonly Onnx.IAttributeProto[] = [],
    as?: string,
    domain = '',
  ): string {
    const output = as ?? this.prefix + name;
    // No name of its own: in a small network names would weigh more than weights.
    this.nodes.push({
      opType,
      ...(domain === '' ? {} : { domain }),
      input: [...inputs],
      output: [output],
      attribute: [...attributes],
    });
    return output;
  }

  /** Squeeze or Unsqueeze: the axes became an input with operator set 13. */
  axes(
    opType: 'Squeeze' | 'Unsqueeze',
    x: string,
    axis: number,
    name: string,
    as?: string,
  ): string {
    if (this.opset < 13) return this.node(opType, [x], name, [ints('axes', [axis])], as);
    return this.node(opType, [x, this.int64s(`${name}.axes`, [axis])], name, [], as);
  }

  cast(x: string, to: number, name: string, as?: string): string {
    return this.node('Cast', [x], name, [int('to', to)], as);
  }
}
