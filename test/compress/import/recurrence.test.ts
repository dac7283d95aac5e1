import t from 'tap';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { analyseByRecurrent, cutAt, uncut } from '../../../src/compress/factorize/plan.js';
import { rewrite, rewriteWhole, Runner, takeForeign } from '../../../src/compress/import/index.js';
import { recurrence, type Recurrence } from '../../../src/compress/reference/recurrence.js';
import {
  DataType,
  encode,
  info,
  randomRecurrence,
  recurrentNode,
} from '../../sim/recurrent-graph.js';

const [steps, batch] = [6, 3];

/** A graph of one node with everything it may be given, and what the definition says it gives. */
function caseOf(
  r: Recurrence,
  { states, lengths, layout }: { states: boolean; lengths: boolean; layout: number },
) {
  const directions = r.direction === 'bidirectional' ? 2 : 1;
  const { node, initializer } = recurrentNode(r, 'layer', {
    ...(states ? { h: 'h0', c: 'c0' } : {}),
    ...(lengths ? { lengths: 'lengths' } : {}),
    layout,
  });
  const random = randomFrom(7);
  const made = (length: number) => Float32Array.from({ length }, () => 2 * random() - 1);
  const x = made(steps * batch * r.inputs);
  const state = () => made(directions * batch * r.cells);
  const [h, c] = [state(), state()];
  const given = {
    ...(states ? { h, c } : {}),
    ...(lengths ? { lengths: [6, 2, 4] } : {}),
  };
  const wanted = recurrence(r, x, [steps, batch], given);
  const front = layout === 1;
  const bytes = encode({
    node: [node],
    initializer,
    input: [
      info('x', front ? [batch, 'T', r.inputs] : ['T', batch, r.inputs]),
      ...(lengths ? [info('lengths', [batch], DataType.INT32)] : []),
      ...(states
        ? [info('h0', front ? [batch, directions, r.cells] : [directions, batch, r.cells])]
        : []),
      ...(states && r.kind === 'lstm'
        ? [info('c0', front ? [batch, directions, r.cells] : [directions, batch, r.cells])]
        : []),
    ],
    output: (node.output ?? [])
      .map((name) => info(name, []))
      .map(({ name }) => ({
        name,
        type: { tensorType: { elemType: DataType.FLOAT } },
      })),
  });
  /** Rows of [outer, middle, ..] with the first two axes changed. */
  const turned = (data: Float32Array, a: number, b: number) => {
    if (!front) return data;
    const row = data.length / (a * b);
    const out = new Float32Array(data.length);
    for (let i = 0; i < a; i++)
      for (let j = 0; j < b; j++)
        out.set(data.subarray((i * b + j) * row, (i * b + j + 1) * row), (j * a + i) * row);
    return out;
  };
  const stateDims = front ? [batch, directions, r.cells] : [directions, batch, r.cells];
  const feed = {
    x: {
      dims: front ? [batch, steps, r.inputs] : [steps, batch, r.inputs],
      data: turned(x, steps, batch),
    },
    ...(lengths ? { lengths: { dims: [batch], data: Float32Array.of(6, 2, 4) } } : {}),
    ...(states ? { h0: { dims: stateDims, data: turned(h, directions, batch) } } : {}),
    ...(states && r.kind === 'lstm'
      ? { c0: { dims: stateDims, data: turned(c, directions, batch) } }
      : {}),
  };
  // Y [T, D, B, N] -> [B, T, D, N]
  const y = front
    ? Float64Array.from({ length: wanted.y.length }, (_, at) => {
        const n = r.cells;
        const [k, d, rest] = [
          at % n,
          Math.floor(at / n) % directions,
          Math.floor(at / n / directions),
        ];
        const [step, s] = [rest % steps, Math.floor(rest / steps)];
        return wanted.y[((step * directions + d) * batch + s) * n + k] ?? NaN;
      })
    : wanted.y;
  const final = (v: Float64Array) => turned(Float32Array.from(v), directions, batch);
  return { bytes, feed, wanted: { y, h: final(wanted.h), c: final(wanted.c) } };
}

async function furthest(
  bytes: Uint8Array,
  { feed, wanted }: ReturnType<typeof caseOf>,
): Promise<number> {
  const runner = await Runner.open(bytes);
  const out = await runner.run(feed);
  await runner.close();
  let most = 0;
  for (const [name, { data }] of out) {
    const right = wanted[name as 'y' | 'h' | 'c'];
    if (right.length !== data.length) return Infinity;
    data.forEach((v, i) => (most = Math.max(most, Math.abs(v - (right[i] ?? NaN)))));
  }
  return most;
}

const kinds: readonly (readonly [string, Partial<Recurrence>, object])[] = [
  ['LSTM', { kind: 'lstm' }, {}],
  ['LSTM with peepholes, without biases', { kind: 'lstm' }, { biases: false, peepholes: true }],
  ['GRU, reset first', { kind: 'gru' }, {}],
  ['GRU, product first', { kind: 'gru', linearBeforeReset: true }, {}],
  ['RNN', { kind: 'rnn' }, {}],
];

for (const [name, about, more] of kinds) {
  void t.test(
    `${name}: factored at full rank it is the recurrence of the definition`,
    async (t) => {
      for (const direction of ['forward', 'reverse', 'bidirectional'] as const) {
        for (const [states, lengths, layout] of [
          [false, false, 0],
          [true, false, 1],
          [true, true, 0],
          [false, true, 1],
        ] as const) {
          const r = randomRecurrence(
            { kind: 'lstm', ...about, direction, inputs: 4, cells: 5 },
            3,
            more,
          );
          const one = caseOf(r, { states, lengths, layout });
          const foreign = await takeForeign(one.bytes, name);
          t.same(foreign.left, []);
          const full = cutAt(
            analyseByRecurrent(foreign.plan),
            foreign.plan.vectors.map((v) => v.size),
          );
          const said = `${direction}${states ? ', states' : ''}${lengths ? ', lengths' : ''}, layout ${layout}`;
          for (const [how, bytes] of [
            ['as it is', rewriteWhole(foreign, uncut(foreign.plan))],
            ['factored', rewrite(foreign, full)],
          ] as const) {
            const error = await furthest(bytes, one);
            t.ok(error < 1e-5, `${said}, ${how}: ${error}`);
          }
          // ONNX Runtime itself agrees with the definition, where it runs the node (it refuses layout 1).
          if (layout === 0) t.ok((await furthest(one.bytes, one)) < 1e-5, said);
        }
      }
    },
  );
}
