import { tensorOf, type NetworkCheckpoint, type Tensor } from '../checkpoint.js';
import type { Arithmetic } from './arithmetic.js';
import { GraphBuilder } from './onnx.js';

/**
 * A network, dense or factored, as one ONNX graph of any length: `features` [T, 1, inputs] and the
 * state of each layer in, `logits` [T, 1, outputs] and the state after the last step out.
 *
 * The products with what comes from below do not depend on the past: they are one matrix product
 * for all T steps, outside the loop. A `Scan` for each layer holds what does: Z_h p, gates, cell, P h.
 * At calls of 4 steps this is 10 to 15 % faster than one loop around all layers (bench/notes/2026-11-24-network-step.md).
 */
export function networkGraph(
  network: NetworkCheckpoint,
  arithmetic: Arithmetic,
  { taps = false } = {},
): Uint8Array {
  const g = new GraphBuilder();
  const features = g.input('features', ['T', 1, network.inputs]);
  const axis = g.int64s('axis', [1]);
  let x = arithmetic.enter(g, g.value('Squeeze', [features, axis]), 'input');
  let from = 'input';
  if (network.inputRank > 0) {
    const name = 'input.projection';
    x = arithmetic.project(g, x, from, name, tensorOf(network, name), name);
    from = name;
    if (taps) tap(g, arithmetic, x, from, network.inputRank);
  }
  network.layers.forEach((cells, l) => {
    const layer = new Layer(g, network, arithmetic, l, taps);
    const gates = gateRows(tensorOf(network, `lstm.${l}.weight_ih`), cells);
    const product = arithmetic.product(g, x, from, `lstm.${l}.weight_ih`, gates);
    const bias = gateRows(tensorOf(network, `lstm.${l}.bias`), cells);
    g.constant(`lstm.${l}.bias`, bias.shape, bias.data);
    x = layer.loop(g.value('Add', [product, `lstm.${l}.bias`]));
    from = layer.carried;
    if (taps && network.kind === 'lstmp') tap(g, arithmetic, x, from, layer.width);
  });
  const scores = arithmetic.product(
    g,
    x,
    from,
    'output.weight',
    tensorOf(network, 'output.weight'),
  );
  g.constant('output.bias', [network.outputs], tensorOf(network, 'output.bias').data);
  g.node('Unsqueeze', [g.value('Add', [scores, 'output.bias']), axis], ['logits']);
  g.output('logits', ['T', 1, network.outputs]);
  for (const { name, shape } of stateOf(network)) g.output(`${name}_out`, shape);
  return g.build('kikitori');
}

/** Names and shapes of what is carried from call to call; zeros at the start of an utterance. */
export function stateOf(network: NetworkCheckpoint): { name: string; shape: number[] }[] {
  return network.layers.flatMap((cells, l) => [
    { name: `${carriedLetter(network)}${l}`, shape: [network.ranks[l] ?? cells] },
    { name: `c${l}`, shape: [cells] },
  ]);
}

const carriedLetter = (network: NetworkCheckpoint) => (network.kind === 'lstmp' ? 'p' : 'h');

/** An activation as a graph output, for calibration. */
function tap(g: GraphBuilder, a: Arithmetic, x: string, activation: string, width: number): void {
  a.leave(g, x, activation, `tap.${activation}`);
  g.output(`tap.${activation}`, ['T', width]);
}

/** Rows of gates i, f, g, o -> i, f, o, g: the three that take a sigmoid lie side by side. */
function gateRows({ shape, data }: Tensor, cells: number): Tensor {
  const out = new Float32Array(data.length);
  const block = (cells * data.length) / (shape[0] ?? 1);
  [0, 1, 3, 2].forEach((from, to) =>
    out.set(data.subarray(from * block, (from + 1) * block), to * block),
  );
  return { shape, data: out };
}

class Layer {
  private readonly cells: number;
  private readonly projected: boolean;
  /** Values of what is carried, and the activation that names them. */
  readonly width: number;
  readonly carried: string;

  constructor(
    private readonly g: GraphBuilder,
    private readonly network: NetworkCheckpoint,
    private readonly arithmetic: Arithmetic,
    private readonly l: number,
    private readonly taps: boolean,
  ) {
    this.cells = network.layers[l] ?? 0;
    this.projected = network.kind === 'lstmp';
    this.width = network.ranks[l] ?? this.cells;
    this.carried = `${carriedLetter(network)}.${l}`;
  }

  /** The recurrence over T rows of gate sums [T, 4N] from below; what the layer above takes, [T, width]. */
  loop(gates: string): string {
    const { g, arithmetic, width, cells, l } = this;
    const letter = carriedLetter(this.network);
    const before = arithmetic.enter(g, g.input(`${letter}${l}`, [width]), this.carried);
    const cell = g.input(`c${l}`, [cells]);
    const loops = this.taps ? 4 : 3;
    const body = this.body();
    const [last = '', lastCell = '', all = '', hidden = ''] = g.values(
      loops,
      'Scan',
      [before, cell, gates],
      { body, num_scan_inputs: 1 },
    );
    arithmetic.leave(g, last, this.carried, `${letter}${l}_out`);
    g.node('Identity', [lastCell], [`c${l}_out`]);
    if (this.taps) {
      g.node('Identity', [hidden], [`tap.h.${l}`]);
      g.output(`tap.h.${l}`, ['T', cells]);
    }
    return all;
  }

  /** One step: what was carried, the cell and one row of gate sums in; the same after it out. */
  private body() {
    const { arithmetic, width, cells, l, projected } = this;
    const b = new GraphBuilder(this.g);
    const before = b.input(`before.${l}`, [width], arithmetic.type);
    const cell = b.input(`cell.${l}`, [cells]);
    const fromBelow = b.input(`gates.${l}`, [4 * cells]);
    const hh = `lstm.${l}.weight_hh`;
    const recurrent = gateRows(tensorOf(this.network, hh), cells);
    const product = arithmetic.product(b, before, this.carried, hh, recurrent);
    const { h, c } = this.cell(b, b.value('Add', [product, fromBelow]), cell);
    const hidden = arithmetic.enter(b, h, `h.${l}`);
    let p = hidden;
    if (projected) {
      const name = `lstm.${l}.projection`;
      p = arithmetic.project(b, hidden, `h.${l}`, name, tensorOf(this.network, name), this.carried);
    }
    b.output(p, [width], arithmetic.type);
    b.output(c, [cells]);
    b.output(b.value('Identity', [p]), [width], arithmetic.type);
    if (this.taps) b.output(b.value('Identity', [h]), [cells]);
    return b.asBody(`step.${l}`);
  }

  /** i, f, o = sigmoid, g = tanh; c' = f c + i g; h = o tanh(c'). */
  private cell(b: GraphBuilder, gates: string, cell: string): { h: string; c: string } {
    const { cells, l } = this;
    b.int64s(`open.${l}`, [3 * cells, cells]);
    b.int64s(`each.${l}`, [cells, cells, cells]);
    const [open = '', fresh = ''] = b.values(2, 'Split', [gates, `open.${l}`], { axis: 0 });
    const [i = '', f = '', o = ''] = b.values(
      3,
      'Split',
      [b.value('Sigmoid', [open]), `each.${l}`],
      { axis: 0 },
    );
    const kept = b.value('Mul', [f, cell]);
    const added = b.value('Mul', [i, b.value('Tanh', [fresh])]);
    const c = b.value('Add', [kept, added]);
    return { h: b.value('Mul', [o, b.value('Tanh', [c])]), c };
  }
}
