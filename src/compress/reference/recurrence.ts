import { sigmoid } from './lstm.js';

/** A recurrent node of ONNX as its definition has it: gates i, o, f, c of an LSTM, z, r, h of a GRU. */
export interface Recurrence {
  readonly kind: 'lstm' | 'gru' | 'rnn';
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
  readonly inputs: number;
  readonly cells: number;
  /** [directions, gates cells, inputs], [directions, gates cells, cells], [directions, 2 gates cells] */
  readonly w: ArrayLike<number>;
  readonly r: ArrayLike<number>;
  readonly b?: ArrayLike<number>;
  /** [directions, 3 cells]: i, o, f. */
  readonly p?: ArrayLike<number>;
  readonly linearBeforeReset?: boolean;
  readonly squash?: (x: number) => number;
}

/** Y [T, D, B, N], Y_h and Y_c [D, B, N]. */
export interface RecurrenceOutput {
  readonly y: Float64Array;
  readonly h: Float64Array;
  readonly c: Float64Array;
}

/** Slow and obvious: the recurrences of LSTM, GRU and RNN in plain loops and double precision. */
export function recurrence(
  node: Recurrence,
  x: ArrayLike<number>,
  [steps, batch]: readonly [number, number],
  given: {
    readonly h?: ArrayLike<number>;
    readonly c?: ArrayLike<number>;
    readonly lengths?: ArrayLike<number>;
  } = {},
): RecurrenceOutput {
  const { cells: n, inputs, direction } = node;
  const directions = direction === 'bidirectional' ? 2 : 1;
  const y = new Float64Array(steps * directions * batch * n);
  const h = Float64Array.from({ length: directions * batch * n }, (_, i) => given.h?.[i] ?? 0);
  const c = Float64Array.from({ length: directions * batch * n }, (_, i) => given.c?.[i] ?? 0);
  for (let d = 0; d < directions; d++) {
    const backwards = direction === 'reverse' || d === 1;
    for (let s = 0; s < batch; s++) {
      const length = given.lengths?.[s] ?? steps;
      const state = (d * batch + s) * n;
      for (let k = 0; k < length; k++) {
        const t = backwards ? length - 1 - k : k;
        const row = Float64Array.from(
          { length: inputs },
          (_, i) => x[(t * batch + s) * inputs + i] ?? 0,
        );
        const next = step(node, d, row, h.slice(state, state + n), c.slice(state, state + n));
        h.set(next.h, state);
        c.set(next.c, state);
        y.set(next.h, ((t * directions + d) * batch + s) * n);
      }
    }
  }
  return { y, h, c };
}

function step(
  node: Recurrence,
  d: number,
  x: Float64Array,
  h: Float64Array,
  c: Float64Array,
): { h: Float64Array; c: Float64Array } {
  const { kind, cells: n, inputs, w, r, b, p, squash = Math.tanh } = node;
  const gates = { lstm: 4, gru: 3, rnn: 1 }[kind];
  /** Of gate `g` of cell `k`: W x + Wb, and R v + Rb. */
  const below = (g: number, k: number) => {
    const row = (d * gates + g) * n + k;
    let sum = b?.[2 * d * gates * n + g * n + k] ?? 0;
    for (let i = 0; i < inputs; i++) sum += (w[row * inputs + i] ?? 0) * (x[i] ?? 0);
    return sum;
  };
  const before = (g: number, k: number, v: Float64Array) => {
    const row = (d * gates + g) * n + k;
    let sum = b?.[(2 * d + 1) * gates * n + g * n + k] ?? 0;
    for (let i = 0; i < n; i++) sum += (r[row * n + i] ?? 0) * (v[i] ?? 0);
    return sum;
  };
  const all = (of: (k: number) => number) => Float64Array.from({ length: n }, (_, k) => of(k));
  const both = (g: number, k: number) => below(g, k) + before(g, k, h);
  const peep = (gate: number, k: number, v: number) => (p?.[(3 * d + gate) * n + k] ?? 0) * v;
  if (kind === 'rnn') return { h: all((k) => squash(both(0, k))), c };
  if (kind === 'gru') {
    const z = all((k) => sigmoid(both(0, k)));
    const reset = all((k) => sigmoid(both(1, k)));
    const open = all((k) => (reset[k] ?? 0) * (h[k] ?? 0));
    const fresh = all((k) =>
      Math.tanh(
        node.linearBeforeReset === true
          ? below(2, k) + (reset[k] ?? 0) * before(2, k, h)
          : below(2, k) + before(2, k, open),
      ),
    );
    return { h: all((k) => (1 - (z[k] ?? 0)) * (fresh[k] ?? 0) + (z[k] ?? 0) * (h[k] ?? 0)), c };
  }
  const next = all((k) => {
    const i = sigmoid(both(0, k) + peep(0, k, c[k] ?? 0));
    const f = sigmoid(both(2, k) + peep(2, k, c[k] ?? 0));
    return f * (c[k] ?? 0) + i * Math.tanh(both(3, k));
  });
  const out = all((k) => {
    const o = sigmoid(both(1, k) + peep(1, k, next[k] ?? 0));
    return o * Math.tanh(next[k] ?? 0);
  });
  return { h: out, c: next };
}
