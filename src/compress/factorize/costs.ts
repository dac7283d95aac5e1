import type { NetworkCheckpoint } from '../checkpoint.js';
import { Runner, type Value } from '../import/runtime.js';
import type { Costs } from './factorize.js';
import { gradientGraph, type Loss } from './gradient-graph.js';

export type { Loss } from './gradient-graph.js';

/** Steps of one truncated piece: 1.5 s of speech, longer than what an error of a moment is felt. */
const span = 50;
const lanes = 16;

/**
 * The cost of an error in each pre-activation, to second order: the diagonal of the Fisher information. In nats per step, or
 * in relative squared error.
 *
 * Estimated by sampling. A random vector xi is sent back through time; its covariance is the second derivative of the loss at
 * the outputs. The expected squared gradients are the diagonal. One draw a step is enough: steps are averaged.
 *
 * `inputs`: [steps, batch, inputs] as the first layer sees them.
 */
export async function measureCosts(
  network: NetworkCheckpoint,
  inputs: readonly Value[],
  loss: Loss,
  random: () => number,
): Promise<Costs> {
  const runner = await Runner.open(gradientGraph(network, loss));
  const pieces = cut(inputs, network.inputs);
  const layers = network.layers.map((cells) => new Float64Array(4 * cells));
  const output = new Float64Array(network.outputs);
  let count = 0;
  try {
    for (let at = 0; at < pieces.length; at += lanes) {
      const batch = pieces.slice(at, at + lanes);
      const feed = {
        x: sideBySide(batch, network.inputs),
        xi: noise(batch.length, network, random),
      };
      const out = await runner.run(feed);
      const add = (to: Float64Array, name: string) =>
        out.get(name)?.data.forEach((v, i) => (to[i] = (to[i] ?? 0) + v));
      layers.forEach((layer, l) => add(layer, `squares.${l}`));
      add(output, 'squares.output');
      count += batch.length * span;
    }
  } finally {
    await runner.close();
  }
  // Half, since a small error costs 1/2 e^T F e.
  const mean = (sums: Float64Array) => sums.map((v) => v / (2 * Math.max(count, 1)));
  return { layers: layers.map(mean), output: mean(output) };
}

/** Whole pieces of `span` steps, each [span, inputs] of one lane. */
function cut(inputs: readonly Value[], dim: number): Float32Array[] {
  const pieces: Float32Array[] = [];
  for (const { dims, data } of inputs) {
    const [steps = 0, batch = 0] = dims;
    for (let b = 0; b < batch; b++) {
      for (let from = 0; from + span <= steps; from += span) {
        const piece = new Float32Array(span * dim);
        for (let t = 0; t < span; t++) {
          const row = ((from + t) * batch + b) * dim;
          piece.set(data.subarray(row, row + dim), t * dim);
        }
        pieces.push(piece);
      }
    }
  }
  return pieces.length > 0 ? pieces : padded(inputs, dim);
}

/** Series shorter than a piece: each one, its last step held. */
function padded(inputs: readonly Value[], dim: number): Float32Array[] {
  return inputs.flatMap(({ dims, data }) => {
    const [steps = 0, batch = 0] = dims;
    return Array.from({ length: batch }, (_, b) => {
      const piece = new Float32Array(span * dim);
      for (let t = 0; t < span; t++) {
        const row = (Math.min(t, steps - 1) * batch + b) * dim;
        piece.set(data.subarray(row, row + dim), t * dim);
      }
      return piece;
    });
  });
}

function sideBySide(batch: readonly Float32Array[], dim: number): Value {
  const data = new Float32Array(span * batch.length * dim);
  batch.forEach((piece, b) => {
    for (let t = 0; t < span; t++)
      data.set(piece.subarray(t * dim, (t + 1) * dim), (t * batch.length + b) * dim);
  });
  return { dims: [span, batch.length, dim], data };
}

/** Standard normal values (Box and Muller, 1958). */
function noise(batch: number, { outputs }: NetworkCheckpoint, random: () => number): Value {
  const data = Float32Array.from({ length: span * batch * outputs }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return radius * Math.cos(2 * Math.PI * random());
  });
  return { dims: [span, batch, outputs], data };
}
