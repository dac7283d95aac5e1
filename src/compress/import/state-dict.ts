import type { onnx as Onnx } from 'onnx-proto';
import { fromTensor, multiply, toTensor, transpose } from '../factorize/matrix.js';
import type { Cut } from '../factorize/plan.js';
import type { Safetensors, Tensor } from '../safetensors.js';
import { encodeModel } from './layout.js';
import type { Foreign } from './network.js';
import { Pieces } from './pieces.js';
import { damaged, DataType, int, ints, refused } from './proto.js';

/** One direction of one layer of PyTorch's `nn.LSTM` or `nn.GRU`: gates i, f, g, o or r, z, n. */
interface TorchCell {
  readonly suffix: string;
  readonly ih: Tensor;
  readonly hh: Tensor;
  readonly biasIh: Tensor;
  readonly biasHh: Tensor;
  /** `proj_size`: p = weight_hr h is what everything reads. */
  readonly hr?: Tensor;
}

/** A `state_dict` with one stack of recurrent layers, and the matrix over it where there is just one. */
export interface StateDict {
  readonly kind: 'lstm' | 'gru';
  readonly prefix: string;
  readonly cells: number;
  readonly inputs: number;
  /** Layers, each of one or two directions. */
  readonly layers: readonly (readonly TorchCell[])[];
  readonly head?: { readonly name: string; readonly weight: Tensor; readonly bias?: Tensor };
  readonly file: Safetensors;
}

const pattern = /^(.*)weight_ih_l(\d+)(_reverse)?$/;

/** Whether a file has tensors named as PyTorch names those of a recurrent layer. */
export const isStateDict = ({ tensors, metadata }: Safetensors): boolean =>
  metadata['kikitori'] === undefined && [...tensors.keys()].some((name) => pattern.test(name));

/** Reads the recurrent layers of a `state_dict`; all faults at once. */
export function readStateDict(file: Safetensors, where: string): StateDict {
  const prefixes = [
    ...new Set(
      [...file.tensors.keys()].flatMap((n) => {
        const match = pattern.exec(n);
        return match === null ? [] : [match[1] ?? ''];
      }),
    ),
  ];
  const [prefix = ''] = prefixes;
  if (prefixes.length === 0) throw refused(where, 'there is no weight_ih_l0 in it', 'a state_dict');
  if (prefixes.length > 1) {
    throw refused(
      where,
      `it has several stacks of layers: ${prefixes.map((p) => `"${p}"`).join(', ')}`,
      'one; write the others to files of their own',
    );
  }
  const faults: string[] = [];
  const need = (name: string, shape: readonly number[]): Tensor => {
    const tensor = file.tensors.get(prefix + name);
    if (tensor === undefined) faults.push(`${prefix}${name} is missing`);
    else if (tensor.shape.join() !== shape.join())
      faults.push(`${prefix}${name} is [${tensor.shape.join()}], expected [${shape.join()}]`);
    return tensor ?? { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
  };
  const first = file.tensors.get(`${prefix}weight_ih_l0`);
  const hr = file.tensors.get(`${prefix}weight_hr_l0`);
  const [rows = 0, inputs = 0] = first?.shape ?? [];
  const carried = file.tensors.get(`${prefix}weight_hh_l0`)?.shape[1] ?? 0;
  const cells = hr?.shape[1] ?? carried;
  const gates = rows / cells;
  if (gates !== 4 && gates !== 3) {
    throw damaged(
      where,
      `${prefix}weight_ih_l0 has ${rows} rows for ${cells} cells`,
      '4 a cell (nn.LSTM) or 3 (nn.GRU)',
    );
  }
  const two = file.tensors.has(`${prefix}weight_ih_l0_reverse`);
  const suffixes = two ? ['', '_reverse'] : [''];
  const layers: TorchCell[][] = [];
  for (let l = 0; file.tensors.has(`${prefix}weight_ih_l${l}`); l++) {
    const below = l === 0 ? inputs : carried * suffixes.length;
    layers.push(
      suffixes.map((direction) => {
        const suffix = `l${l}${direction}`;
        const bias = (name: string): Tensor =>
          file.tensors.has(`${prefix}${name}_${suffix}`)
            ? need(`${name}_${suffix}`, [rows])
            : { shape: [rows], data: new Float32Array(rows) };
        return {
          suffix,
          ih: need(`weight_ih_${suffix}`, [rows, below]),
          hh: need(`weight_hh_${suffix}`, [rows, carried]),
          biasIh: bias('bias_ih'),
          biasHh: bias('bias_hh'),
          ...(hr === undefined ? {} : { hr: need(`weight_hr_${suffix}`, [carried, cells]) }),
        };
      }),
    );
  }
  if (faults.length > 0) throw damaged(where, faults.join('; '));
  const head = headOf(file, prefix, carried * suffixes.length);
  return {
    kind: gates === 4 ? 'lstm' : 'gru',
    prefix,
    cells,
    inputs,
    layers,
    ...(head === undefined ? {} : { head }),
    file,
  };
}

/** The only matrix beside the layers that can read the top one. */
function headOf({ tensors }: Safetensors, prefix: string, width: number): StateDict['head'] {
  const readers = [...tensors].filter(
    ([name, { shape }]) =>
      name.endsWith('weight') &&
      shape.length === 2 &&
      shape[1] === width &&
      !(name.startsWith(prefix) && /weight_[ih][hr]_l\d/.test(name)),
  );
  const [only] = readers;
  if (only === undefined || readers.length > 1) return undefined;
  const [name, weight] = only;
  const bias = tensors.get(name.replace(/weight$/, 'bias'));
  const fits = bias?.shape.join() === `${weight.shape[0] ?? 0}`;
  return { name, weight, ...(bias !== undefined && fits ? { bias } : {}) };
}

/** Blocks of rows in ONNX's order of gates. */
function gatesForOnnx(kind: 'lstm' | 'gru', { shape, data }: Tensor): Tensor {
  const order = kind === 'lstm' ? [0, 3, 1, 2] : [1, 0, 2];
  const block = data.length / order.length;
  const out = new Float32Array(data.length);
  order.forEach((from, to) => out.set(data.subarray(from * block, (from + 1) * block), to * block));
  return { shape, data: out };
}

/** W of what reads p of some directions, as it reads h: W blockdiag(weight_hr). */
function ofCells(weight: Tensor, below: readonly TorchCell[], cells: number): Tensor {
  if (below.every((c) => c.hr === undefined)) return weight;
  const [rows = 0, columns = 0] = weight.shape;
  const each = columns / below.length;
  const out = new Float32Array(rows * cells * below.length);
  below.forEach(({ hr }, d) => {
    if (hr === undefined) return;
    const part = new Float32Array(rows * each);
    for (let r = 0; r < rows; r++)
      part.set(
        weight.data.subarray(r * columns + d * each, r * columns + (d + 1) * each),
        r * each,
      );
    const product = multiply(fromTensor({ shape: [rows, each], data: part }), fromTensor(hr));
    for (let r = 0; r < rows; r++)
      out.set(product.data.subarray(r * cells, (r + 1) * cells), (r * below.length + d) * cells);
  });
  return { shape: [rows, cells * below.length], data: out };
}

const joined = (parts: readonly Tensor[]): Tensor => {
  const data = new Float32Array(parts.reduce((sum, p) => sum + p.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { shape: [parts.length, ...(parts[0]?.shape ?? [])], data };
};

/** The matrix over the top layer; without one, what gives that layer's output itself. */
function headMatrix({ head, layers, cells }: StateDict): Tensor {
  const top = layers.at(-1) ?? [];
  if (head !== undefined) return ofCells(head.weight, top, cells);
  const width = (top[0]?.hr?.shape[0] ?? cells) * top.length;
  const data = new Float32Array(width * width);
  for (let k = 0; k < width; k++) data[k * width + k] = 1;
  return ofCells({ shape: [width, width], data }, top, cells);
}

/**
 * The layers as an ONNX file: `x` [T, B, inputs] in, `output` [T, B, ..] out. A projection that is there
 * is multiplied out, so that its network is one of dense layers whose matrices have a low rank.
 */
export function stateDictOnnx(dict: StateDict): Uint8Array {
  const { kind, layers, cells, inputs } = dict;
  const graph = new Pieces(17, '');
  let x = 'x';
  layers.forEach((directions, l) => {
    const below = layers[l - 1];
    const part = (of: (cell: TorchCell) => Tensor) => joined(directions.map(of));
    const ordered = (tensor: Tensor) => gatesForOnnx(kind, tensor);
    const w = part((c) => ordered(below === undefined ? c.ih : ofCells(c.ih, below, cells)));
    const r = part((c) => ordered(ofCells(c.hh, [c], cells)));
    const b = part((c) => {
      const { data } = joined([ordered(c.biasIh), ordered(c.biasHh)]);
      return { shape: [data.length], data };
    });
    graph.nodes.push({
      opType: kind.toUpperCase(),
      name: `layer ${l}`,
      input: [x, graph.floats(`W.${l}`, w), graph.floats(`R.${l}`, r), graph.floats(`B.${l}`, b)],
      output: [`y.${l}`],
      attribute: [
        int('hidden_size', cells),
        ...(directions.length === 2
          ? [{ name: 'direction', type: 3, s: Buffer.from('bidirectional') }]
          : []),
        ...(kind === 'gru' ? [int('linear_before_reset', 1)] : []),
      ],
    });
    if (directions.length === 1) x = graph.axes('Squeeze', `y.${l}`, 1, `x.${l}`);
    else {
      const turned = graph.node('Transpose', [`y.${l}`], `t.${l}`, [ints('perm', [0, 2, 1, 3])]);
      x = graph.node('Reshape', [turned, graph.int64s(`s.${l}`, [0, 0, -1])], `x.${l}`);
    }
  });
  const weight = toTensor(transpose(fromTensor(headMatrix(dict))));
  graph.node('MatMul', [x, graph.floats('head', weight)], 'output');
  const info = (name: string, dims: readonly (number | string)[]): Onnx.IValueInfoProto => ({
    name,
    type: {
      tensorType: {
        elemType: DataType.FLOAT,
        shape: {
          dim: dims.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d })),
        },
      },
    },
  });
  return encodeModel({
    irVersion: 8,
    producerName: 'kikitori',
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'state_dict',
      node: graph.nodes,
      initializer: graph.initializers,
      input: [info('x', ['T', 'B', inputs])],
      output: [info('output', ['T', 'B', weight.shape[1] ?? 0])],
    },
  });
}

/**
 * The factored layers as a `state_dict` of `nn.LSTM(proj_size=r)`; of a GRU, for which PyTorch has no
 * projection, under the same names. The matrix over the top layer reads p; where there was none,
 * `output.weight` and `output.bias` turn p back into what the layers gave. All else is kept.
 */
export function writeStateDict(dict: StateDict, foreign: Foreign, cut: Cut): Safetensors {
  const { prefix, layers, head, file } = dict;
  const tensors = new Map(file.tensors);
  const reader = (indices: readonly number[]): Tensor => sideBySide(cut, indices);
  const shifted = (bias: Tensor, indices: readonly number[]): Tensor => ({
    shape: bias.shape,
    data: bias.data.map((b, i) => indices.reduce((sum, m) => sum + (cut.shifts[m]?.[i] ?? 0), b)),
  });
  layers.forEach((directions, l) => {
    const layer = foreign.layers[l];
    if (layer === undefined) throw new Error('no such layer');
    directions.forEach(({ suffix, biasIh, biasHh }, d) => {
      const [ih, hh] = [layer.ih[d] ?? [], [layer.hh[d] ?? 0]];
      const p = cut.projections[layer.h[d] ?? 0];
      if (p === undefined) throw new Error('every direction is projected');
      tensors.set(`${prefix}weight_ih_${suffix}`, reader(ih));
      tensors.set(`${prefix}weight_hh_${suffix}`, reader(hh));
      tensors.set(`${prefix}weight_hr_${suffix}`, toTensor(p));
      tensors.set(`${prefix}bias_ih_${suffix}`, shifted(biasIh, ih));
      tensors.set(`${prefix}bias_hh_${suffix}`, shifted(biasHh, hh));
    });
  });
  const [over] = foreign.heads;
  if (over === undefined) throw new Error('a state_dict has a matrix over its layers');
  const rows = over.weight.shape[0] ?? 0;
  const name = head?.name ?? 'output.weight';
  const bias = head?.bias ?? { shape: [rows], data: new Float32Array(rows) };
  tensors.set(name, reader(over.matrices));
  tensors.set(name.replace(/weight$/, 'bias'), shifted(bias, over.matrices));
  return { tensors, metadata: { ...file.metadata, format: 'pt' } };
}

/** Readers of several vectors as one matrix [rows, all their columns]. */
function sideBySide(cut: Cut, indices: readonly number[]): Tensor {
  const parts = indices.map((m) => cut.readers[m]).filter((m) => m !== undefined);
  const rows = parts[0]?.rows ?? 0;
  const columns = parts.reduce((sum, p) => sum + p.cols, 0);
  const data = new Float32Array(rows * columns);
  let at = 0;
  for (const { cols, data: from } of parts) {
    for (let r = 0; r < rows; r++)
      data.set(from.subarray(r * cols, (r + 1) * cols), r * columns + at);
    at += cols;
  }
  return { shape: [rows, columns], data };
}
