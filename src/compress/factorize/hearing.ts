import { joinedFloats } from '../../runtime/joined.js';
import { tensorOf, type NetworkCheckpoint, type Tensor } from '../checkpoint.js';
import { floatArithmetic } from '../graph/arithmetic.js';
import { networkGraph } from '../graph/network.js';
import { GraphSession } from '../graph/session.js';
import { ones, rowsIn, type Rows } from './rows.js';

/** Calibration data as one run of rows. */
export interface Calibration {
  /** The network's input at each step. */
  readonly input: Rows;
  /** 1 where a piece begins, from zero state. */
  readonly starts: Uint8Array;
}

/** Steps of one call: what is longer is cut, its state carried. */
const callSteps = 600;

export function calibrationOf(pieces: readonly Float32Array[], inputs: number): Calibration {
  const input = joined(pieces, inputs);
  const starts = new Uint8Array(rowsIn(input));
  let at = 0;
  for (const piece of pieces) {
    if (piece.length > 0) starts[at] = 1;
    at += piece.length / inputs;
  }
  return { input, starts };
}

/** What a network gives at every step: h of each layer, and the logits. */
export async function hear(
  network: NetworkCheckpoint,
  { input, starts }: Calibration,
): Promise<{ readonly h: readonly Rows[]; readonly logits: Rows }> {
  const names = [...network.layers.map((_, l) => `tap.h.${l}`), 'logits'];
  const found = await outputsOf(network, input, starts, names);
  const [logits = ones(0)] = found.slice(-1);
  return { h: found.slice(0, -1), logits };
}

/** p of one layer, run by itself on what it hears from below. */
export async function projectedOf(
  network: NetworkCheckpoint,
  l: number,
  below: Rows,
  starts: Uint8Array,
): Promise<Rows> {
  const rank = network.ranks[l] ?? 0;
  const tensors = new Map<string, Tensor>(
    ['weight_ih', 'weight_hh', 'bias', 'projection'].map((name) => [
      `lstm.0.${name}`,
      tensorOf(network, `lstm.${l}.${name}`),
    ]),
  );
  // The outputs are p itself.
  const same = new Float32Array(rank * rank);
  for (let i = 0; i < rank; i++) same[i * rank + i] = 1;
  tensors.set('output.weight', { shape: [rank, rank], data: same });
  tensors.set('output.bias', { shape: [rank], data: new Float32Array(rank) });
  const single: NetworkCheckpoint = {
    kind: 'lstmp',
    layers: [network.layers[l] ?? 0],
    ranks: [rank],
    inputRank: 0,
    inputs: below.cols,
    outputs: rank,
    tensors,
    training: {},
  };
  const [p = ones(0)] = await outputsOf(single, below, starts, ['logits']);
  return p;
}

async function outputsOf(
  network: NetworkCheckpoint,
  input: Rows,
  starts: Uint8Array,
  names: readonly string[],
): Promise<Rows[]> {
  const graph = networkGraph(network, floatArithmetic('float32'), {
    taps: names.some((name) => name.startsWith('tap.')),
  });
  const session = await GraphSession.open(graph, network.inputs);
  const found: Float32Array[][] = names.map(() => []);
  const steps = rowsIn(input);
  try {
    for (let from = 0; from < steps;) {
      let to = from + 1;
      while (to < steps && starts[to] !== 1) to++;
      const rows = input.data.subarray(from * input.cols, to * input.cols);
      const out = await session.run(rows, [callSteps]);
      names.forEach((name, i) => found[i]?.push(out.get(name) ?? new Float32Array(0)));
      from = to;
    }
  } finally {
    await session.release();
  }
  return found.map((parts) => joined(parts, parts.reduce((sum, p) => sum + p.length, 0) / steps));
}

const joined = (parts: readonly Float32Array[], cols: number): Rows => ({
  cols,
  data: joinedFloats(parts),
});
