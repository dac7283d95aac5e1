import { tensorOf, type NetworkCheckpoint, type Tensor } from '../../src/compress/checkpoint.js';
import { transposed } from '../../src/compress/graph/arithmetic.js';
import { GraphBuilder, microsoft } from '../../src/compress/graph/onnx.js';

/**
 * A dense network through `DynamicQuantizeLSTM`, the runtime's own 8-bit operator: the yardstick that
 * needs no factoring. Its scales follow each chunk, so its answers depend on how audio is cut; its
 * weights are unsigned here, per channel.
 */
export function denseDynamicGraph(network: NetworkCheckpoint): Uint8Array {
  const g = new GraphBuilder();
  let x = g.input('features', ['T', 1, network.inputs]);
  const axis = g.int64s('axis', [1]);
  network.layers.forEach((cells, l) => {
    const h = g.input(`h${l}`, [1, 1, cells]);
    const c = g.input(`c${l}`, [1, 1, cells]);
    const [w, ws, wz] = matrix(g, `w${l}`, tensorOf(network, `lstm.${l}.weight_ih`), cells);
    const [r, rs, rz] = matrix(g, `r${l}`, tensorOf(network, `lstm.${l}.weight_hh`), cells);
    const bias = new Float32Array(8 * cells);
    bias.set(onnxGates(tensorOf(network, `lstm.${l}.bias`).data, cells, 1));
    const b = g.constant(`b${l}`, [1, 8 * cells], bias);
    const inputs = [x, w, r, b, '', h, c, '', ws, wz, rs, rz];
    const outputs = [`y${l}`, `h${l}_out`, `c${l}_out`];
    g.node('DynamicQuantizeLSTM', inputs, outputs, { hidden_size: cells }, microsoft);
    x = g.value('Squeeze', [`y${l}`, axis]);
  });
  const head = tensorOf(network, 'output.weight');
  const [units = 0, last = 0] = head.shape;
  const turned = transposed(head.shape, head.data, new Float32Array(head.data.length));
  const scores = g.value('MatMul', [x, g.constant('output.w', [last, units], turned)]);
  g.constant('output.b', [units], tensorOf(network, 'output.bias').data);
  g.node('Add', [scores, 'output.b'], ['logits']);
  g.output('logits', ['T', 1, units]);
  network.layers.forEach((cells, l) => {
    g.output(`h${l}_out`, [1, 1, cells]);
    g.output(`c${l}_out`, [1, 1, cells]);
  });
  return g.build('dense-dynamic');
}

/** Gates i, f, g, o -> i, o, f, c. */
function onnxGates(data: Float32Array, cells: number, width: number): Float32Array {
  const out = new Float32Array(data.length);
  const block = cells * width;
  [0, 3, 1, 2].forEach((from, to) =>
    out.set(data.subarray(from * block, (from + 1) * block), to * block),
  );
  return out;
}

/** Unsigned bytes around 128, one scale a gate row: names of weight [1, K, 4N], scale and zero point. */
function matrix(g: GraphBuilder, name: string, { shape, data }: Tensor, cells: number) {
  const [rows = 0, columns = 0] = shape;
  const ordered = onnxGates(data, cells, columns);
  const q = new Uint8Array(ordered.length);
  const scales = new Float32Array(rows);
  for (let o = 0; o < rows; o++) {
    const row = ordered.subarray(o * columns, (o + 1) * columns);
    const scale = row.reduce((m, v) => Math.max(m, Math.abs(v)), 0) / 127 || 1;
    scales[o] = scale;
    row.forEach((v, k) => (q[o * columns + k] = 128 + Math.round(v / scale)));
  }
  return [
    g.bytes(name, [1, columns, rows], transposed(shape, q, new Uint8Array(q.length))),
    g.constant(`${name}.scale`, [1, rows], scales),
    g.bytes(`${name}.zero`, [1, rows], new Uint8Array(rows).fill(128)),
  ] as const;
}
