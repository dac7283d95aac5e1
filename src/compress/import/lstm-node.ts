import type { onnx as Onnx } from 'onnx-proto';
import type { Tensor } from '../checkpoint.js';
import { attribute, refused, type Constant, type ForeignModel } from './model.js';

/** One LSTM node of a foreign graph, with weights in the order of this package: gates i, f, g, o. */
export interface ForeignLayer {
  readonly node: Onnx.INodeProto;
  readonly name: string;
  readonly inputs: number;
  readonly cells: number;
  readonly weightIh: Tensor;
  readonly weightHh: Tensor;
  readonly bias: Tensor;
  /** Its tensors are float16. */
  readonly half: boolean;
  /** Nodes between the output of the layer below and the input of this one; they only move values. */
  readonly path: readonly Onnx.INodeProto[];
}

/** Gates of ONNX are i, o, f, c; here they are i, f, g (c), o. */
const gateOrder = [0, 2, 3, 1];

/** Reads one LSTM node; everything that would change its meaning and is not handled is refused by name. */
export async function readLayer(
  model: ForeignModel,
  node: Onnx.INodeProto,
  name: string,
): Promise<Omit<ForeignLayer, 'path'>> {
  refuseVariants(model, node, name);
  const [, wName = '', rName = '', bName = ''] = node.input ?? [];
  const w = await weights(model, wName, `W of "${name}"`, 3);
  const r = await weights(model, rName, `R of "${name}"`, 3);
  const [, gates = 0, inputs = 0] = w.dims;
  const cells = gates / 4;
  if (!Number.isInteger(cells) || r.dims.join() !== `1,${gates},${cells}` || w.dims[0] !== 1) {
    throw refused(
      model.where,
      `"${name}" has W [${w.dims.join()}] and R [${r.dims.join()}]`,
      'W [1, 4 cells, inputs] and R [1, 4 cells, cells]',
    );
  }
  const hidden = attribute(node, 'hidden_size');
  if (hidden !== undefined && hidden !== cells) {
    throw refused(
      model.where,
      `"${name}" says hidden_size ${String(hidden)} and has ${cells} cells`,
    );
  }
  const b = bName === '' ? undefined : await weights(model, bName, `B of "${name}"`, 2);
  if (b !== undefined && b.data.length !== 8 * cells) {
    throw refused(model.where, `B of "${name}" is [${b.dims.join()}]`, `[1, ${8 * cells}]`);
  }
  const bias = new Float32Array(4 * cells);
  // ONNX keeps one bias for W and one for R; only their sum matters.
  bias.forEach((_, i) => (bias[i] = (b?.data[i] ?? 0) + (b?.data[4 * cells + i] ?? 0)));
  return {
    node,
    name,
    inputs,
    cells,
    weightIh: reordered({ shape: [4 * cells, inputs], data: w.data }),
    weightHh: reordered({ shape: [4 * cells, cells], data: r.data }),
    bias: reordered({ shape: [4 * cells], data: bias }),
    half: w.half,
  };
}

function reordered({ shape, data }: Tensor): Tensor {
  const block = data.length / 4;
  const out = new Float32Array(data.length);
  gateOrder.forEach((from, to) =>
    out.set(data.subarray(from * block, (from + 1) * block), to * block),
  );
  return { shape, data: out };
}

async function weights(
  model: ForeignModel,
  name: string,
  what: string,
  rank: number,
): Promise<Constant> {
  const constant = name === '' ? undefined : await model.constant(name);
  if (constant === undefined)
    throw refused(model.where, `${what} is no constant`, 'trained weights in the file');
  if (constant.dims.length !== rank)
    throw refused(model.where, `${what} has ${constant.dims.length} axes`, `${rank}`);
  if (!constant.data.every(Number.isFinite)) {
    throw refused(model.where, `${what} holds values that are no numbers`, 'finite weights');
  }
  return constant;
}

function refuseVariants(model: ForeignModel, node: Onnx.INodeProto, name: string): void {
  const no = (what: string, expected: string) => {
    throw refused(model.where, `"${name}" ${what}`, expected);
  };
  const direction = attribute(node, 'direction') ?? 'forward';
  if (direction !== 'forward') no(`runs ${String(direction)}`, 'direction "forward"');
  if (Number(attribute(node, 'layout') ?? 0) !== 0) no('has layout 1 (batch first)', 'layout 0');
  if (attribute(node, 'clip') !== undefined) no('clips its cells', 'no clip');
  if (Number(attribute(node, 'input_forget') ?? 0) !== 0)
    no('couples input and forget gate', 'input_forget 0');
  const activations = attribute(node, 'activations');
  if (
    Array.isArray(activations) &&
    activations.map((a) => String(a).toLowerCase()).join() !== 'sigmoid,tanh,tanh'
  ) {
    no(`has activations ${activations.join(', ')}`, 'Sigmoid, Tanh, Tanh');
  }
  const input = node.input ?? [];
  if ((input[4] ?? '') !== '') no('has sequence lengths', 'sequences of one length in a call');
  if ((input[7] ?? '') !== '') no('has peepholes', 'an LSTM without peepholes');
}
