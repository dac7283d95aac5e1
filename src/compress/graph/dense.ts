import { tensorOf, type NetworkCheckpoint } from '../checkpoint.js';
import { GraphBuilder, type Precision } from './onnx.js';

/** Rows of gates i, f, g, o (PyTorch) -> i, o, f, c (ONNX). */
function reorderGates(data: Float32Array, cells: number): Float32Array {
  const block = data.length / 4;
  const out = new Float32Array(data.length);
  const order = [0, 3, 1, 2];
  order.forEach((from, to) => out.set(data.subarray(from * block, (from + 1) * block), to * block));
  if (block % cells !== 0) throw new Error('gate block is no multiple of the cells');
  return out;
}

/**
 * The dense network as one ONNX graph of any length: `features` [T, 1, dim] and the state h, c of
 * each layer in; `logits` [T, 1, units] and the state after the last step out.
 */
export function denseGraph(checkpoint: NetworkCheckpoint, precision: Precision): Uint8Array {
  const g = new GraphBuilder();
  const { layers, inputs, outputs } = checkpoint;
  if (checkpoint.kind !== 'lstm') throw new Error('a dense graph needs a dense network');
  let x = g.input('features', ['T', 1, inputs]);
  const sequenceAxis = g.int64s('axis', [1]);
  layers.forEach((cells, l) => {
    const weightIh = tensorOf(checkpoint, `lstm.${l}.weight_ih`);
    const weightHh = tensorOf(checkpoint, `lstm.${l}.weight_hh`);
    const bias = tensorOf(checkpoint, `lstm.${l}.bias`);
    const below = weightIh.shape[1] ?? 0;
    const w = g.constant(
      `w${l}`,
      [1, 4 * cells, below],
      reorderGates(weightIh.data, cells),
      precision,
    );
    const r = g.constant(
      `r${l}`,
      [1, 4 * cells, cells],
      reorderGates(weightHh.data, cells),
      precision,
    );
    const both = new Float32Array(8 * cells);
    both.set(reorderGates(bias.data, cells));
    const b = g.constant(`b${l}`, [1, 8 * cells], both, 'float32');
    const h = g.input(`h${l}`, [1, 1, cells]);
    const c = g.input(`c${l}`, [1, 1, cells]);
    g.node('LSTM', [x, w, r, b, '', h, c], [`y${l}`, `h${l}_out`, `c${l}_out`], {
      hidden_size: cells,
    });
    g.node('Squeeze', [`y${l}`, sequenceAxis], [`x${l}`]);
    x = `x${l}`;
  });
  const last = layers.at(-1) ?? 0;
  const weight = tensorOf(checkpoint, 'output.weight');
  const transposed = new Float32Array(weight.data.length);
  for (let u = 0; u < outputs; u++) {
    for (let k = 0; k < last; k++) transposed[k * outputs + u] = weight.data[u * last + k] ?? 0;
  }
  g.constant('output.w', [last, outputs], transposed, precision);
  g.constant('output.b', [outputs], tensorOf(checkpoint, 'output.bias').data, 'float32');
  g.node('MatMul', [x, 'output.w'], ['scores']);
  g.node('Add', ['scores', 'output.b'], ['logits']);
  g.output('logits', ['T', 1, outputs]);
  layers.forEach((cells, l) => {
    g.output(`h${l}_out`, [1, 1, cells]);
    g.output(`c${l}_out`, [1, 1, cells]);
  });
  return g.build('kikitori-dense');
}
