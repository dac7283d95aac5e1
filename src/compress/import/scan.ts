import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import type { Tensor } from '../checkpoint.js';

const { onnx } = onnxProto;
const types = onnx.AttributeProto.AttributeType;
const { FLOAT, INT64 } = onnx.TensorProto.DataType;

/** Nodes and constants that are to be added to a graph, in an order that may be run. */
export class Pieces {
  readonly nodes: Onnx.INodeProto[] = [];
  readonly initializers: Onnx.ITensorProto[] = [];

  constructor(
    readonly opset: number,
    /** Before every name, so that none meets one of the graph. */
    readonly prefix: string,
  ) {}

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

  /** Returns its first output, which is `name` with the prefix unless `as` names it. */
  node(
    opType: string,
    inputs: readonly string[],
    name: string,
    attributes: readonly Onnx.IAttributeProto[] = [],
    as?: string,
  ): string {
    const output = as ?? this.prefix + name;
    this.nodes.push({
      opType,
      name: this.prefix + name,
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

export interface ScanCell {
  readonly cells: number;
  /** [T, B, 4 cells]: input side with bias, gates i, f, g, o. */
  readonly fromBelow: string;
  /** p, c and, when `carryH`, h before the first step: [B, rank], [B, cells], [B, cells]. */
  readonly initial: readonly string[];
  /** Constants [rank, 4 cells] and [cells, rank]. */
  readonly recurrent: string;
  readonly projection: string;
  /** Also gives h of every step, and after the last. */
  readonly carryH: boolean;
}

/**
 * The factored cell over time, in float: g = x_t + Z p; c' = f c + i g; h = o tanh(c'); p' = P h.
 * Everything that does not wait for the step before is outside.
 */
export function scanNode(
  pieces: Pieces,
  cell: ScanCell,
): {
  readonly p: string;
  readonly c: string;
  readonly h: string;
  readonly pSteps: string;
  readonly hSteps: string;
} {
  const body = new Pieces(pieces.opset, `${pieces.prefix}step.`);
  const { prefix } = body;
  const [p, c, h, x] = ['p', 'c', 'h', 'x'].map((n) => prefix + n) as [
    string,
    string,
    string,
    string,
  ];
  const product = body.node('MatMul', [p, cell.recurrent], 'product');
  const gates = body.node('Add', [product, x], 'gates');
  const parts = ['i', 'f', 'g', 'o'].map((n) => `${prefix}pre.${n}`);
  const split: Onnx.INodeProto = {
    opType: 'Split',
    name: `${prefix}split`,
    input: [gates],
    output: parts,
    attribute: [int('axis', -1)],
  };
  const sizes = [0, 1, 2, 3].map(() => cell.cells);
  if (pieces.opset < 13) split.attribute?.push(ints('split', sizes));
  else split.input?.push(pieces.int64s('split', sizes));
  body.nodes.push(split);
  const [preI = '', preF = '', preG = '', preO = ''] = parts;
  const kept = body.node('Mul', [body.node('Sigmoid', [preF], 'f'), c], 'kept');
  const candidate = body.node('Tanh', [preG], 'g');
  const written = body.node('Mul', [body.node('Sigmoid', [preI], 'i'), candidate], 'written');
  const nextC = body.node('Add', [kept, written], 'c.next');
  const squashed = body.node('Tanh', [nextC], 'squashed');
  const nextH = body.node('Mul', [body.node('Sigmoid', [preO], 'o'), squashed], 'h.next');
  const nextP = body.node('MatMul', [nextH, cell.projection], 'p.next');
  const copy = (value: string, name: string) => body.node('Identity', [value], name);
  const states = cell.carryH ? [nextP, nextC, nextH] : [nextP, nextC];
  const steps = cell.carryH ? [copy(nextP, 'p.out'), copy(nextH, 'h.out')] : [copy(nextP, 'p.out')];
  const graph: Onnx.IGraphProto = {
    name: `${prefix}body`,
    node: body.nodes,
    initializer: body.initializers,
    input: [p, c, ...(cell.carryH ? [h] : []), x].map(floatValue),
    output: [...states, ...steps].map(floatValue),
  };
  const outputs = {
    p: `${pieces.prefix}p`,
    c: `${pieces.prefix}c`,
    h: `${pieces.prefix}h`,
    pSteps: `${pieces.prefix}p.steps`,
    hSteps: `${pieces.prefix}h.steps`,
  };
  const names = cell.carryH
    ? [outputs.p, outputs.c, outputs.h, outputs.pSteps, outputs.hSteps]
    : [outputs.p, outputs.c, outputs.pSteps];
  pieces.nodes.push({
    opType: 'Scan',
    name: `${pieces.prefix}scan`,
    input: [...cell.initial, cell.fromBelow],
    output: names,
    attribute: [{ name: 'body', type: types.GRAPH, g: graph }, int('num_scan_inputs', 1)],
  });
  return outputs;
}

const floatValue = (name: string): Onnx.IValueInfoProto => ({
  name,
  type: { tensorType: { elemType: FLOAT } },
});
