import type { onnx as Onnx } from 'onnx-proto';
import type { Tensor } from '../checkpoint.js';
import type { ForeignModel } from './model.js';
import { attribute, damaged, nameOf, refused, type Constant } from './proto.js';
import type { Scope } from './scope.js';

export type Kind = 'lstm' | 'gru' | 'rnn';

/** How many gates a kind has, and where each of ours (PyTorch's order) stands in ONNX's. */
const kinds: Readonly<Record<Kind, { readonly gates: readonly number[]; readonly acts: string }>> =
  {
    // i, o, f, c -> i, f, g, o
    lstm: { gates: [0, 2, 3, 1], acts: 'sigmoid,tanh,tanh' },
    // z, r, h -> r, z, n
    gru: { gates: [1, 0, 2], acts: 'sigmoid,tanh' },
    rnn: { gates: [0], acts: 'tanh' },
  };

export const gatesOf = (kind: Kind): number => kinds[kind].gates.length;

/** The kind of a node; undefined when it is no recurrent one. */
export const kindOf = ({ opType, domain }: Onnx.INodeProto): Kind | undefined =>
  (domain ?? '') === '' && ['LSTM', 'GRU', 'RNN'].includes(opType ?? '')
    ? ((opType ?? '').toLowerCase() as Kind)
    : undefined;

/** One direction of a recurrent layer: its weights in PyTorch's order of gates. */
export interface Cell {
  readonly kind: Kind;
  readonly inputs: number;
  readonly cells: number;
  /** [gates cells, inputs], [gates cells, cells] */
  readonly weightIh: Tensor;
  readonly weightHh: Tensor;
  /** [gates cells] each. Only a GRU whose reset gate follows the product must keep them apart. */
  readonly biasIh: Tensor;
  readonly biasHh: Tensor;
  /** Of an LSTM: i, f, o, each [cells]. */
  readonly peepholes?: Tensor;
  /** Of a GRU: n = tanh(W x + r (R h + b)) rather than tanh(W x + R (r h) + b). */
  readonly linearBeforeReset: boolean;
  readonly squash: 'Tanh' | 'Relu';
}

/** One recurrent node: where it stands, and what it holds. Layout is 0, whatever the file says. */
export interface Site {
  readonly scope: Scope;
  readonly node: Onnx.INodeProto;
  readonly name: string;
  readonly kind: Kind;
  readonly direction: Direction;
  readonly inputs: number;
  readonly cells: number;
  /** Its tensors are float16. */
  readonly half: boolean;
  /** One, or two: forward, then reverse. */
  readonly directions: readonly Cell[];
}

export type Direction = 'forward' | 'reverse' | 'bidirectional';

/** What a node says of itself, whether it can be read further or not. */
export interface NodeFacts {
  readonly direction: string;
  readonly layout: number;
  readonly lengths: boolean;
}

export const factsOf = (node: Onnx.INodeProto): NodeFacts => ({
  direction: String(attribute(node, 'direction') ?? 'forward'),
  layout: Number(attribute(node, 'layout') ?? 0),
  lengths: (node.input?.[4] ?? '') !== '',
});

/** Reads one recurrent node; whatever would change its meaning and is not handled is refused by name. */
export async function readSite(
  model: ForeignModel,
  scope: Scope,
  node: Onnx.INodeProto,
): Promise<Site> {
  const kind = kindOf(node);
  const name = nameOf(node);
  if (kind === undefined) throw new Error(`"${name}" is not recurrent`);
  refuseVariants(model, node, kind, name);
  const direction = factsOf(node).direction as Direction;
  const count = direction === 'bidirectional' ? 2 : 1;
  const gates = gatesOf(kind);
  const weights = (input: number, letter: string, rank: number) =>
    readWeights(model, scope, node.input?.[input] ?? '', `${letter} of "${name}"`, rank);
  const w = await weights(1, 'W', 3);
  const r = await weights(2, 'R', 3);
  const [, rows = 0, inputs = 0] = w.dims;
  const cells = rows / gates;
  if (!(inputs > 0 && cells > 0) || w.dims[0] !== count || !fits(r, [count, rows, cells])) {
    const g = gates === 1 ? '' : `${gates} `;
    throw damaged(
      model.where,
      `"${name}" has W [${w.dims.join()}] and R [${r.dims.join()}]`,
      `W [${count}, ${g}cells, inputs] and R [${count}, ${g}cells, cells]`,
    );
  }
  const hidden = attribute(node, 'hidden_size');
  if (hidden !== undefined && hidden !== cells) {
    throw damaged(
      model.where,
      `"${name}" says hidden_size ${String(hidden)} and has ${cells} cells`,
    );
  }
  const optional = async (input: number, letter: string, width: number) => {
    if ((node.input?.[input] ?? '') === '') return undefined;
    const found = await weights(input, letter, 2);
    if (fits(found, [count, width])) return found;
    throw damaged(
      model.where,
      `${letter} of "${name}" is [${found.dims.join()}]`,
      `[${count}, ${width}]`,
    );
  };
  const b = await optional(3, 'B', 2 * rows);
  const p = kind === 'lstm' ? await optional(7, 'P', 3 * cells) : undefined;
  const directions = Array.from({ length: count }, (_, d): Cell => {
    const part = (from: Constant, size: number) => from.data.subarray(d * size, (d + 1) * size);
    const bias = b === undefined ? new Float32Array(2 * rows) : part(b, 2 * rows);
    const ordered = (shape: readonly number[], data: Float32Array) =>
      reordered({ shape, data }, kinds[kind].gates);
    return {
      kind,
      inputs,
      cells,
      weightIh: ordered([rows, inputs], part(w, rows * inputs)),
      weightHh: ordered([rows, cells], part(r, rows * cells)),
      biasIh: ordered([rows], bias.subarray(0, rows)),
      biasHh: ordered([rows], bias.subarray(rows)),
      // ONNX keeps them as i, o, f.
      ...(p === undefined
        ? {}
        : {
            peepholes: reordered({ shape: [3 * cells], data: part(p, 3 * cells) }, [0, 2, 1]),
          }),
      linearBeforeReset:
        kind === 'gru' && Number(attribute(node, 'linear_before_reset') ?? 0) !== 0,
      squash: squashOf(node, d),
    };
  });
  return { scope, node, name, kind, direction, inputs, cells, half: w.half, directions };
}

const fits = ({ dims }: Constant, wanted: readonly number[]) => dims.join() === wanted.join();

/** Blocks of rows in another order. */
function reordered({ shape, data }: Tensor, order: readonly number[]): Tensor {
  const block = data.length / order.length;
  const out = new Float32Array(data.length);
  order.forEach((from, to) => out.set(data.subarray(from * block, (from + 1) * block), to * block));
  return { shape, data: out };
}

async function readWeights(
  model: ForeignModel,
  scope: Scope,
  name: string,
  what: string,
  rank: number,
): Promise<Constant> {
  const constant = name === '' ? undefined : await model.constant(name, scope);
  if (constant === undefined)
    throw refused(model.where, `${what} is no constant`, 'trained weights in the file');
  if (constant.dims.length !== rank)
    throw refused(model.where, `${what} has ${constant.dims.length} axes`, `${rank}`);
  if (!constant.data.every(Number.isFinite)) {
    throw damaged(model.where, `${what} holds values that are no numbers`, 'finite weights');
  }
  return constant;
}

const activationsOf = (node: Onnx.INodeProto): string[] => {
  const given = attribute(node, 'activations');
  return Array.isArray(given) ? given.map((a) => String(a).toLowerCase()) : [];
};

function squashOf(node: Onnx.INodeProto, direction: number): 'Tanh' | 'Relu' {
  const given = activationsOf(node);
  return kindOf(node) === 'rnn' && given[direction] === 'relu' ? 'Relu' : 'Tanh';
}

function refuseVariants(
  model: ForeignModel,
  node: Onnx.INodeProto,
  kind: Kind,
  name: string,
): void {
  const no = (what: string, expected: string) => {
    throw refused(model.where, `"${name}" ${what}`, expected);
  };
  const { direction, lengths } = factsOf(node);
  if (!['forward', 'reverse', 'bidirectional'].includes(direction))
    no(`runs ${direction}`, 'forward, reverse or bidirectional');
  if (attribute(node, 'clip') !== undefined) no('clips its cells', 'no clip');
  if (Number(attribute(node, 'input_forget') ?? 0) !== 0)
    no('couples input and forget gate', 'input_forget 0');
  const given = activationsOf(node);
  const { acts } = kinds[kind];
  const count = direction === 'bidirectional' ? 2 : 1;
  const usual = [acts, ...(kind === 'rnn' ? ['relu'] : [])];
  const each = acts.split(',').length;
  const asUsual = Array.from({ length: count }, (_, d) =>
    given.slice(d * each, (d + 1) * each).join(),
  ).every((a) => usual.includes(a));
  if (given.length > 0 && !(asUsual && given.length === count * each)) {
    const said = attribute(node, 'activations') as string[];
    no(`has activations ${said.join(', ')}`, `those of the definition: ${acts}`);
  }
  if (lengths && model.opset < 11) no('has sequence lengths', 'operator set 11 or newer for them');
}
