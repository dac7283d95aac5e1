import onnxProto from 'onnx-proto';
import type { onnx as Onnx } from 'onnx-proto';
import { tensorOf, type NetworkCheckpoint } from '../checkpoint.js';
import { Pieces } from '../import/pieces.js';
import { int, ints } from '../import/proto.js';
import { fromTensor, toTensor, transpose } from './matrix.js';

const { onnx } = onnxProto;
const { FLOAT } = onnx.TensorProto.DataType;
const types = onnx.AttributeProto.AttributeType;

/**
 * How the loss is measured at the outputs. `softmax`: the divergence of the posteriors, whose second
 * derivative is diag(y) - y y^T. Otherwise squared error of output o in units of 1 / scale_o.
 */
export type Loss = 'softmax' | { readonly scale: ArrayLike<number> };

/**
 * x [T, B, inputs] and xi [T, B, outputs] in; for each layer `squares.l` [4N] and `sums.l` [4N], the
 * squared and plain derivatives of (scaled xi) . logits with respect to the pre-activations, summed
 * over T and B; `squares.output` [outputs].
 */
export function gradientGraph(network: NetworkCheckpoint, loss: Loss): Uint8Array {
  const g = new Pieces(17, '');
  const outputs: string[] = [];
  const squares = (value: string, name: string) => {
    g.node('ReduceSumSquare', [value], name, [ints('axes', [0, 1]), int('keepdims', 0)]);
    outputs.push(name);
  };
  const states: Forward[] = [];
  let x = 'x';
  network.layers.forEach((cells, l) => {
    const state = forward(g, network, l, cells, x);
    states.push(state);
    x = state.h;
  });
  const weight = tensorOf(network, 'output.weight');
  const product = g.node(
    'MatMul',
    [x, g.floats('out.weight', toTensor(transpose(fromTensor(weight))))],
    'product',
  );
  const logits = g.node(
    'Add',
    [product, g.floats('out.bias', tensorOf(network, 'output.bias'))],
    'logits',
  );
  const drawn = drawnVector(g, logits, loss, network.outputs);
  squares(drawn, 'squares.output');
  let above = g.node('MatMul', [drawn, g.floats('out.weight.back', weight)], 'above');
  for (let l = network.layers.length - 1; l >= 0; l--) {
    const state = states[l];
    if (state === undefined) continue;
    const gates = backward(g, network, l, state, above);
    squares(gates, `squares.${l}`);
    g.node('ReduceSum', [gates, g.int64s(`axes.${l}`, [0, 1])], `sums.${l}`, [int('keepdims', 0)]);
    outputs.push(`sums.${l}`);
    const back = g.floats(`ih.back.${l}`, tensorOf(network, `lstm.${l}.weight_ih`));
    above = g.node('MatMul', [gates, back], `above.${l}`);
  }
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'gradients',
      node: g.nodes,
      initializer: g.initializers,
      input: [shaped('x', ['T', 'B', network.inputs]), shaped('xi', ['T', 'B', network.outputs])],
      output: outputs.map((name) => shaped(name)),
    },
  }).finish();
}

/** xi with the covariance of the loss's second derivative: sqrt(y) n - y (sqrt(y) . n) for a softmax. */
function drawnVector(g: Pieces, logits: string, loss: Loss, outputs: number): string {
  if (loss !== 'softmax') {
    const scale = { shape: [outputs], data: Float32Array.from(loss.scale) };
    return g.node('Mul', ['xi', g.floats('scale', scale)], 'drawn');
  }
  const y = g.node('Softmax', [logits], 'y', [int('axis', -1)]);
  const spread = g.node('Mul', [g.node('Sqrt', [y], 'root'), 'xi'], 'spread');
  const dot = g.node('ReduceSum', [spread, g.int64s('last', [-1])], 'dot', [int('keepdims', 1)]);
  return g.node('Sub', [spread, g.node('Mul', [y, dot], 'shared')], 'drawn');
}

interface Forward {
  /** Gates i, f, g, o of every step, cells before and after (squashed), outputs: [T, B, N]. */
  readonly gates: readonly string[];
  readonly cBefore: string;
  readonly cSquashed: string;
  readonly h: string;
  /** Zeros [B, N]. */
  readonly zeros: string;
}

function forward(
  g: Pieces,
  network: NetworkCheckpoint,
  l: number,
  cells: number,
  x: string,
): Forward {
  const weight = (name: string) =>
    toTensor(transpose(fromTensor(tensorOf(network, `lstm.${l}.${name}`))));
  const product = g.node(
    'MatMul',
    [x, g.floats(`ih.${l}`, weight('weight_ih'))],
    `ih.product.${l}`,
  );
  const fromBelow = g.node(
    'Add',
    [product, g.floats(`bias.${l}`, tensorOf(network, `lstm.${l}.bias`))],
    `below.${l}`,
  );
  const recurrent = g.floats(`hh.${l}`, weight('weight_hh'));
  const sizes = g.int64s(`split.${l}`, [cells, cells, cells, cells]);
  const batch = g.node(
    'Slice',
    [g.node('Shape', [x], `shape.${l}`), g.int64s(`one.${l}`, [1]), g.int64s(`two.${l}`, [2])],
    `batch.${l}`,
  );
  const shape = g.node('Concat', [batch, g.int64s(`cells.${l}`, [cells])], `zero.shape.${l}`, [
    int('axis', 0),
  ]);
  const zeros = g.node('ConstantOfShape', [shape], `zeros.${l}`);
  const body = new Pieces(17, `forward.${l}.`);
  const [h, c, below] = ['h', 'c', 'x'].map((n) => body.prefix + n) as [string, string, string];
  const pre = body.node('Add', [body.node('MatMul', [h, recurrent], 'product'), below], 'pre');
  const parts = split(body, pre, sizes);
  const gates = parts.map((part, k) =>
    body.node(k === 2 ? 'Tanh' : 'Sigmoid', [part], `gate.${k}`),
  );
  const [i = '', f = '', candidate = '', o = ''] = gates;
  const next = body.node(
    'Add',
    [body.node('Mul', [f, c], 'kept'), body.node('Mul', [i, candidate], 'written')],
    'c.next',
  );
  const squashed = body.node('Tanh', [next], 'squashed');
  const out = body.node('Mul', [o, squashed], 'h.next');
  const copy = (v: string, n: string) => body.node('Identity', [v], n);
  const steps = [
    ...gates.map((gate, k) => copy(gate, `out.${k}`)),
    copy(c, 'out.before'),
    copy(squashed, 'out.squashed'),
    copy(out, 'out.h'),
  ];
  const names = ['i', 'f', 'g', 'o', 'before', 'squashed', 'h'].map((n) => `steps.${l}.${n}`);
  scan(
    g,
    `forward.${l}`,
    body,
    [h, c, below],
    [out, next, ...steps],
    [zeros, zeros, fromBelow],
    [`last.h.${l}`, `last.c.${l}`, ...names],
    1,
  );
  const [a = '', b = '', d = '', e = '', cBefore = '', cSquashed = '', hSteps = ''] = names;
  return { gates: [a, b, d, e], cBefore, cSquashed, h: hSteps, zeros };
}

/** Derivatives of the pre-activations, last step first: the chain rule of the cell, written out. */
function backward(
  g: Pieces,
  network: NetworkCheckpoint,
  l: number,
  state: Forward,
  above: string,
): string {
  const body = new Pieces(17, `backward.${l}.`);
  const one = g.floats(`back.one.${l}`, { shape: [1], data: Float32Array.of(1) });
  const weight = g.floats(`hh.back.${l}`, tensorOf(network, `lstm.${l}.weight_hh`));
  const name = (n: string) => body.prefix + n;
  const mul = (a: string, b: string, n: string) => body.node('Mul', [a, b], n);
  const slope = (v: string, n: string) => mul(v, body.node('Sub', [one, v], `${n}.rest`), n);
  const slopeTanh = (v: string, n: string) => body.node('Sub', [one, mul(v, v, `${n}.square`)], n);
  const [i, f, c, o] = ['i', 'f', 'g', 'o'].map(name) as [string, string, string, string];
  const dh = body.node('Add', [name('above'), name('dh')], 'dh.all');
  const dO = mul(mul(dh, name('squashed'), 'do.0'), slope(o, 'slope.o'), 'do');
  const through = mul(mul(dh, o, 'dc.0'), slopeTanh(name('squashed'), 'slope.c'), 'dc.1');
  const dc = body.node('Add', [name('dc'), through], 'dc.all');
  const dI = mul(mul(dc, c, 'di.0'), slope(i, 'slope.i'), 'di');
  const dF = mul(mul(dc, name('before'), 'df.0'), slope(f, 'slope.f'), 'df');
  const dG = mul(mul(dc, i, 'dg.0'), slopeTanh(c, 'slope.g'), 'dg');
  const gates = body.node('Concat', [dI, dF, dG, dO], 'gates', [int('axis', -1)]);
  const nextDh = body.node('MatMul', [gates, weight], 'dh.next');
  const nextDc = mul(dc, f, 'dc.next');
  const inputs = ['dh', 'dc', 'i', 'f', 'g', 'o', 'before', 'squashed', 'above'].map(name);
  const given = [state.zeros, state.zeros, ...state.gates, state.cBefore, state.cSquashed, above];
  scan(
    g,
    `backward.${l}`,
    body,
    inputs,
    [nextDh, nextDc, body.node('Identity', [gates], 'out')],
    given,
    [`first.dh.${l}`, `first.dc.${l}`, `gates.${l}`],
    7,
    true,
  );
  return `gates.${l}`;
}

function split(body: Pieces, value: string, sizes: string): string[] {
  const parts = [0, 1, 2, 3].map((k) => `${body.prefix}part.${k}`);
  body.nodes.push({
    opType: 'Split',
    input: [value, sizes],
    output: parts,
    attribute: [int('axis', -1)],
  });
  return parts;
}

function scan(
  g: Pieces,
  name: string,
  body: Pieces,
  bodyInputs: readonly string[],
  bodyOutputs: readonly string[],
  inputs: readonly string[],
  outputs: readonly string[],
  scanInputs: number,
  reverse = false,
): void {
  const graph: Onnx.IGraphProto = {
    name: `${name}.body`,
    node: body.nodes,
    initializer: body.initializers,
    input: bodyInputs.map((n) => shaped(n)),
    output: bodyOutputs.map((n) => shaped(n)),
  };
  const attribute = [
    { name: 'body', type: types.GRAPH, g: graph },
    int('num_scan_inputs', scanInputs),
  ];
  if (reverse) {
    const ones = (count: number) => Array.from({ length: count }, () => 1);
    attribute.push(ints('scan_input_directions', ones(scanInputs)));
    attribute.push(ints('scan_output_directions', ones(outputs.length - 2)));
  }
  g.nodes.push({ opType: 'Scan', name, input: [...inputs], output: [...outputs], attribute });
}

function shaped(name: string, dims?: readonly (string | number)[]): Onnx.IValueInfoProto {
  const shape =
    dims === undefined
      ? undefined
      : { dim: dims.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d })) };
  return { name, type: { tensorType: { elemType: FLOAT, ...(shape ? { shape } : {}) } } };
}
