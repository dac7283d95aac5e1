import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { fromTensor, toTensor, transpose } from '../factorize/matrix.js';
import { tensorOf, type NetworkCheckpoint, type Tensor } from '../checkpoint.js';
import type { Chain } from './chain.js';
import type { ForeignLayer } from './lstm-node.js';
import { attribute, DataType } from './model.js';
import { int, Pieces, scanNode } from './scan.js';

const { onnx } = onnxProto;

/**
 * The foreign graph with its LSTM nodes replaced by the factored cells of `factored`, and the matrices
 * that read the top layer by theirs; all else is kept. What reads the cells in another way (an
 * activation, a graph output, another layer's state) still gets h itself, computed inside the cell.
 */
export function rewrite(chain: Chain, factored: NetworkCheckpoint): Uint8Array {
  const { model } = chain;
  const pieces: Pieces[] = [];
  const replaced = new Set<Onnx.INodeProto>(chain.layers.map((l) => l.node));
  let below = '';
  let final = '';
  chain.layers.forEach((layer, l) => {
    const part = new Pieces(model.opset, `kikitori.${l}.`);
    pieces.push(part);
    const rank = factored.ranks[l] ?? 0;
    const x =
      l === 0
        ? inputOf(part, layer, factored)
        : replay(
            part,
            layer.path,
            part.axes('Unsqueeze', below, 1, 'below'),
            factored.ranks[l - 1] ?? 0,
            'path',
            model.opset,
          );
    const carryH = (layer.node.output ?? [])
      .slice(0, 2)
      .some((name) => name !== '' && isRead(chain, name));
    const cell = cellOf(part, layer, factored, l, x, carryH);
    const [y = '', yh = '', yc = ''] = layer.node.output ?? [];
    const give = (value: string, axis: number, as: string) => {
      if (as === '') return;
      const float = part.axes('Unsqueeze', value, axis, `${as}.float`, layer.half ? undefined : as);
      if (layer.half) part.cast(float, DataType.FLOAT16, `${as}.half`, as);
    };
    if (carryH) {
      give(cell.hSteps, 1, y);
      give(cell.h, 0, yh);
    }
    give(cell.c, 0, yc);
    below = cell.pSteps;
    final = cell.p;
    if (rank === 0) throw new Error('a factored network has a rank for each layer');
  });
  const heads = new Pieces(model.opset, 'kikitori.head.');
  pieces.push(heads);
  replaceHeads(heads, chain, factored, below, final, replaced);
  return assemble(chain, pieces, replaced);
}

/** Whether anything but the next LSTM and the replaced heads reads a value. */
function isRead(chain: Chain, name: string): boolean {
  const { model } = chain;
  const understood = new Set<Onnx.INodeProto>();
  for (const layer of chain.layers) [...layer.path, layer.node].forEach((n) => understood.add(n));
  for (const head of chain.heads) [...head.path, head.node].forEach((n) => understood.add(n));
  const visit = (value: string): boolean =>
    model.outputs.includes(value) ||
    (model.consumers.get(value) ?? []).some((node) => {
      if (!understood.has(node)) return true;
      // An LSTM also reads states: only its first input is understood.
      if (node.opType === 'LSTM') return (node.input ?? []).indexOf(value) !== 0;
      if (chain.heads.some((h) => h.node === node)) return false;
      return visit(node.output?.[0] ?? '');
    });
  return visit(name);
}

function inputOf(part: Pieces, layer: ForeignLayer, factored: NetworkCheckpoint): string {
  let x = layer.node.input?.[0] ?? '';
  if (layer.half) x = part.cast(x, DataType.FLOAT, 'x.float');
  if (factored.inputRank === 0) return x;
  const projection = part.floats(
    'input.projection',
    transposed(tensorOf(factored, 'input.projection')),
  );
  return part.node('MatMul', [x, projection], 'x.projected');
}

const transposed = (tensor: Tensor): Tensor => toTensor(transpose(fromTensor(tensor)));

function cellOf(
  part: Pieces,
  layer: ForeignLayer,
  factored: NetworkCheckpoint,
  l: number,
  x: string,
  carryH: boolean,
) {
  const weight = (name: string) => transposed(tensorOf(factored, `lstm.${l}.${name}`));
  const product = part.node(
    'MatMul',
    [x, part.floats('weight_ih', weight('weight_ih'))],
    'product',
  );
  const bias = part.floats('bias', tensorOf(factored, `lstm.${l}.bias`));
  const fromBelow = part.node('Add', [product, bias], 'from.below');
  const projection = part.floats('projection', weight('projection'));
  const { cells } = layer;
  const state = (given: string | undefined, name: string) => {
    if (given === undefined || given === '') return zeroState(part, x, cells, name);
    const float = layer.half ? part.cast(given, DataType.FLOAT, `${name}.float`) : given;
    return part.axes('Squeeze', float, 0, name);
  };
  const h0 = state(layer.node.input?.[5], 'h.first');
  const c0 = state(layer.node.input?.[6], 'c.first');
  const p0 = part.node('MatMul', [h0, projection], 'p.first');
  return scanNode(part, {
    cells,
    fromBelow,
    initial: carryH ? [p0, c0, h0] : [p0, c0],
    recurrent: part.floats('weight_hh', weight('weight_hh')),
    projection,
    carryH,
  });
}

/** Zeros [batch, cells], where the batch is the second axis of x. */
function zeroState(part: Pieces, x: string, cells: number, name: string): string {
  const shape = part.node('Shape', [x], `${name}.shape`);
  const batch = part.node('Gather', [shape, part.int64s(`${name}.one`, [1])], `${name}.batch`, [
    int('axis', 0),
  ]);
  const sizes = part.node(
    'Concat',
    [batch, part.int64s(`${name}.cells`, [cells])],
    `${name}.sizes`,
    [int('axis', 0)],
  );
  return part.node('ConstantOfShape', [sizes], name);
}

/** The nodes of a path again, on p instead of h; only a Reshape names the size of the last axis. */
function replay(
  part: Pieces,
  path: readonly Onnx.INodeProto[],
  from: string,
  rank: number,
  name: string,
  opset: number,
): string {
  let value = from;
  path.forEach((node, i) => {
    const output = `${part.prefix}${name}.${i}`;
    const copy: Onnx.INodeProto = {
      ...node,
      name: output,
      input: [...(node.input ?? [])],
      output: [output],
    };
    if (copy.input) copy.input[0] = value;
    if (node.opType === 'Cast') {
      // p is float32 throughout.
      copy.opType = 'Identity';
      copy.attribute = [];
    }
    if (node.opType === 'Reshape') {
      const shape = node.input?.[1] ?? '';
      copy.input = [value, reshaped(part, shape, rank, `${name}.${i}.shape`, opset)];
    }
    part.nodes.push(copy);
    value = output;
  });
  return value;
}

/** The shape input of a Reshape with its last entry replaced by the rank. */
function reshaped(part: Pieces, shape: string, rank: number, name: string, opset: number): string {
  const [start, end, axis] = ['start', 'end', 'axis'].map((n, i) =>
    part.int64s(`${name}.${n}`, [[0, -1, 0][i] ?? 0]),
  );
  const front =
    opset < 10
      ? part.node('Slice', [shape], `${name}.front`, [
          { ...int('starts', 0), type: onnx.AttributeProto.AttributeType.INTS, ints: [0] },
          { ...int('ends', 0), type: onnx.AttributeProto.AttributeType.INTS, ints: [-1] },
        ])
      : part.node('Slice', [shape, start ?? '', end ?? '', axis ?? ''], `${name}.front`);
  return part.node('Concat', [front, part.int64s(`${name}.rank`, [rank])], name, [int('axis', 0)]);
}

function replaceHeads(
  part: Pieces,
  chain: Chain,
  factored: NetworkCheckpoint,
  steps: string,
  final: string,
  replaced: Set<Onnx.INodeProto>,
): void {
  const top = chain.layers.at(-1);
  const weight = tensorOf(factored, 'output.weight');
  const bias = tensorOf(factored, 'output.bias').data;
  const rank = weight.shape[1] ?? 0;
  const yh = top?.node.output?.[1] ?? '';
  let row = 0;
  chain.heads.forEach((head, i) => {
    const outputs = head.weight.shape[0] ?? 0;
    const rows = {
      shape: [outputs, rank],
      data: weight.data.slice(row * rank, (row + outputs) * rank),
    };
    const first = head.path[0] ?? head.node;
    const fromState = yh !== '' && first.input?.[0] === yh;
    const start = fromState
      ? part.axes('Unsqueeze', final, 0, `${i}.h`)
      : part.axes('Unsqueeze', steps, 1, `${i}.y`);
    const x = replay(part, head.path, start, rank, `${i}`, part.opset);
    const product = part.node(
      'MatMul',
      [x, part.floats(`${i}.weight`, transposed(rows))],
      `${i}.product`,
    );
    const correction = part.floats(`${i}.bias`, {
      shape: [outputs],
      data: bias.slice(row, row + outputs),
    });
    const as = head.node.output?.[0] ?? '';
    const c = head.node.opType === 'Gemm' ? (head.node.input?.[2] ?? '') : '';
    const corrected = (last: boolean) =>
      part.node('Add', [product, correction], `${i}.corrected`, [], last ? as : undefined);
    if (c === '' && top?.half !== true) corrected(true);
    else {
      let sum = corrected(false);
      if (top?.half === true)
        sum = part.cast(sum, DataType.FLOAT16, `${i}.half`, c === '' ? as : undefined);
      if (c !== '') part.node('Add', [sum, scaled(part, head.node, c, i)], `${i}.sum`, [], as);
    }
    replaced.add(head.node);
    row += outputs;
  });
}

/** beta C of a Gemm; C itself when beta is 1. */
function scaled(part: Pieces, node: Onnx.INodeProto, c: string, i: number): string {
  const beta = Number(attribute(node, 'beta') ?? 1);
  if (beta === 1) return c;
  const factor = part.floats(`${i}.beta`, { shape: [1], data: Float32Array.of(beta) });
  return part.node('Mul', [c, factor], `${i}.scaled`);
}

/** New nodes and kept ones, sorted so that each follows what it reads, without what nothing reads. */
function assemble(
  chain: Chain,
  pieces: readonly Pieces[],
  replaced: ReadonlySet<Onnx.INodeProto>,
): Uint8Array {
  const { model } = chain;
  const all = [...model.nodes.filter((n) => !replaced.has(n)), ...pieces.flatMap((p) => p.nodes)];
  const producers = new Map<string, Onnx.INodeProto>();
  for (const node of all) for (const name of node.output ?? []) producers.set(name, node);
  const read = new Set<string>(model.outputs);
  const sorted = inOrder(model.outputs, producers, read);
  const initializer = [
    ...(model.graph.initializer ?? []),
    ...pieces.flatMap((p) => p.initializers),
  ];
  return onnx.ModelProto.encode({
    ...model.proto,
    graph: {
      ...model.graph,
      node: sorted,
      initializer: initializer.filter((t) => read.has(t.name ?? '')),
      input: (model.graph.input ?? []).filter(
        (i) => !model.isInitializer(i.name ?? '') || read.has(i.name ?? ''),
      ),
      valueInfo: [],
    },
  }).finish();
}

/**
 * Producers of the values named and of all that they read, each after what it reads; every value met
 * goes into `read`. A stack of its own: graphs may be deeper than the call stack.
 */
function inOrder(
  names: readonly string[],
  producers: ReadonlyMap<string, Onnx.INodeProto>,
  read: Set<string>,
): Onnx.INodeProto[] {
  const sorted: Onnx.INodeProto[] = [];
  const seen = new Set<Onnx.INodeProto>();
  const stack: { node?: Onnx.INodeProto; left: string[] }[] = [{ left: [...names].reverse() }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const name = top.left.pop();
    if (name === undefined) {
      if (top.node !== undefined) sorted.push(top.node);
      stack.pop();
      continue;
    }
    read.add(name);
    const node = producers.get(name);
    if (node === undefined || seen.has(node)) continue;
    seen.add(node);
    stack.push({ node, left: readsOf(node).reverse() });
  }
  return sorted;
}

/** Inputs of a node and whatever its inner graphs take from outside. */
function readsOf(node: Onnx.INodeProto): string[] {
  const inner = (node.attribute ?? []).flatMap((a) => [...(a.g ? [a.g] : []), ...(a.graphs ?? [])]);
  const outer = inner.flatMap((g) => (g.node ?? []).flatMap(readsOf));
  return [...(node.input ?? []), ...outer].filter((n) => n !== '');
}
