import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { floatToHalf } from '../checkpoint.js';

/** The few pieces of ONNX that our graphs are made of. Opset 17, no dynamic shapes but time. */
const { onnx } = onnxProto;
const { AttributeType } = onnx.AttributeProto;
const { DataType } = onnx.TensorProto;

export type Precision = 'float32' | 'float16';

export type ElementType = 'float32' | 'uint8';
const elementTypes = { float32: DataType.FLOAT, uint8: DataType.UINT8 };

/** Operators that ONNX Runtime adds to the standard's. */
export const microsoft = 'com.microsoft';

type Attribute = number | readonly number[] | Subgraph;

/** What a loop repeats: a graph as an attribute. */
class Subgraph {
  constructor(readonly graph: Onnx.IGraphProto) {}
}

export class GraphBuilder {
  private readonly nodes: Onnx.INodeProto[] = [];
  private readonly initializers: Onnx.ITensorProto[] = [];
  private readonly inputs: Onnx.IValueInfoProto[] = [];
  private readonly outputs: Onnx.IValueInfoProto[] = [];
  private readonly names: { next: number };

  /** A body sees the values of the graph around it; their names must not clash. */
  constructor(private readonly around?: GraphBuilder) {
    this.names = around?.names ?? { next: 0 };
  }

  /** A graph input; text dimensions are free. */
  input(name: string, shape: readonly (number | string)[], type: ElementType = 'float32'): string {
    this.inputs.push(valueInfo(name, shape, type));
    return name;
  }

  output(name: string, shape: readonly (number | string)[], type: ElementType = 'float32'): void {
    this.outputs.push(valueInfo(name, shape, type));
  }

  /** A constant. In half precision it is stored in 2 bytes and widened when the model is loaded. */
  constant(
    name: string,
    shape: readonly number[],
    data: Float32Array,
    precision: Precision = 'float32',
  ): string {
    if (precision === 'float32') return this.initializer(name, shape, DataType.FLOAT, data);
    const halves = Uint16Array.from(data, floatToHalf);
    this.initializer(`${name}.half`, shape, DataType.FLOAT16, halves);
    this.node('Cast', [`${name}.half`], [name], { to: DataType.FLOAT });
    return name;
  }

  bytes(name: string, shape: readonly number[], data: Uint8Array): string {
    return this.initializer(name, shape, DataType.UINT8, data);
  }

  int64s(name: string, values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.initializer(name, [values.length], DataType.INT64, data);
  }

  /** True for what a loop repeats. */
  get isBody(): boolean {
    return this.around !== undefined;
  }

  /** True when this graph, or one around it, has a constant of that name. */
  has(name: string): boolean {
    return this.initializers.some((i) => i.name === name) || (this.around?.has(name) ?? false);
  }

  node(
    opType: string,
    input: readonly string[],
    output: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): void {
    this.nodes.push({
      opType,
      domain,
      name: `${opType}.${this.names.next++}`,
      input: [...input],
      output: [...output],
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
  }

  /** A node with one output, whose name is made up and returned. */
  value(
    opType: string,
    input: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): string {
    const [name = ''] = this.values(1, opType, input, attributes, domain);
    return name;
  }

  values(
    count: number,
    opType: string,
    input: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): string[] {
    const output = Array.from({ length: count }, () => `v${this.names.next++}`);
    this.node(opType, input, output, attributes, domain);
    return output;
  }

  /** This graph as the body of a loop. */
  asBody(name: string): Subgraph {
    return new Subgraph(this.graph(name));
  }

  build(name: string): Uint8Array {
    const opsetImport = [{ domain: '', version: 17 }];
    const model = onnx.ModelProto.create({
      irVersion: 8,
      producerName: 'kikitori',
      opsetImport: [...opsetImport, { domain: microsoft, version: 1 }],
      graph: this.graph(name),
    });
    return onnx.ModelProto.encode(model).finish();
  }

  private graph(name: string): Onnx.IGraphProto {
    return {
      name,
      node: this.nodes,
      initializer: this.initializers,
      input: this.inputs,
      output: this.outputs,
    };
  }

  private initializer(
    name: string,
    dims: readonly number[],
    dataType: number,
    data: ArrayBufferView,
  ): string {
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
    this.initializers.push({ name, dims: [...dims], dataType, rawData });
    return name;
  }
}

function attribute(name: string, value: Attribute): Onnx.IAttributeProto {
  if (value instanceof Subgraph) return { name, type: AttributeType.GRAPH, g: value.graph };
  if (typeof value === 'number') return { name, type: AttributeType.INT, i: value };
  return { name, type: AttributeType.INTS, ints: [...value] };
}

function valueInfo(
  name: string,
  shape: readonly (number | string)[],
  type: ElementType,
): Onnx.IValueInfoProto {
  const dim = shape.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d }));
  return { name, type: { tensorType: { elemType: elementTypes[type], shape: { dim } } } };
}
