import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { floatToHalf } from '../checkpoint.js';

/** The few pieces of ONNX that our graphs are made of. Opset 17, no dynamic shapes but time. */
const { onnx } = onnxProto;
const { AttributeType } = onnx.AttributeProto;
const FLOAT = onnx.TensorProto.DataType.FLOAT;
const FLOAT16 = onnx.TensorProto.DataType.FLOAT16;

export type Precision = 'float32' | 'float16';

export class GraphBuilder {
  private readonly nodes: Onnx.INodeProto[] = [];
  private readonly initializers: Onnx.ITensorProto[] = [];
  private readonly inputs: Onnx.IValueInfoProto[] = [];
  private readonly outputs: Onnx.IValueInfoProto[] = [];

  /** A float32 graph input; text dimensions are free. */
  input(name: string, shape: readonly (number | string)[]): string {
    this.inputs.push(valueInfo(name, shape));
    return name;
  }

  output(name: string, shape: readonly (number | string)[]): void {
    this.outputs.push(valueInfo(name, shape));
  }

  /** A constant. In half precision it is stored in 2 bytes and widened when the model is loaded. */
  constant(
    name: string,
    shape: readonly number[],
    data: Float32Array,
    precision: Precision,
  ): string {
    if (precision === 'float32') {
      const raw = new Uint8Array(
        data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength),
      );
      this.initializers.push({ name, dims: [...shape], dataType: FLOAT, rawData: raw });
      return name;
    }
    const halves = Uint16Array.from(data, floatToHalf);
    this.initializers.push({
      name: `${name}.half`,
      dims: [...shape],
      dataType: FLOAT16,
      rawData: new Uint8Array(halves.buffer),
    });
    this.node('Cast', [`${name}.half`], [name], { to: FLOAT });
    return name;
  }

  int64s(name: string, values: readonly number[]): string {
    const raw = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.initializers.push({
      name,
      dims: [values.length],
      dataType: onnx.TensorProto.DataType.INT64,
      rawData: raw,
    });
    return name;
  }

  node(
    opType: string,
    input: readonly string[],
    output: readonly string[],
    attributes: Readonly<Record<string, number | readonly number[]>> = {},
  ): void {
    this.nodes.push({
      opType,
      name: `${opType}.${this.nodes.length}`,
      input: [...input],
      output: [...output],
      attribute: Object.entries(attributes).map(([name, value]) =>
        typeof value === 'number'
          ? { name, type: AttributeType.INT, i: value }
          : { name, type: AttributeType.INTS, ints: [...value] },
      ),
    });
  }

  build(name: string): Uint8Array {
    const model = onnx.ModelProto.create({
      irVersion: 8,
      producerName: 'kikitori',
      opsetImport: [{ domain: '', version: 17 }],
      graph: {
        name,
        node: this.nodes,
        initializer: this.initializers,
        input: this.inputs,
        output: this.outputs,
      },
    });
    return onnx.ModelProto.encode(model).finish();
  }
}

function valueInfo(name: string, shape: readonly (number | string)[]): Onnx.IValueInfoProto {
  return {
    name,
    type: {
      tensorType: {
        elemType: FLOAT,
        shape: {
          dim: shape.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d })),
        },
      },
    },
  };
}
