import { logSoftmax } from '../../recognizer/index.js';
import { Runner, type Feed, type Value } from '../import/runtime.js';

/**
 * How far a network's outputs are from the dense one's. Of a softmax over `logits`: mean
 * Kullback-Leibler divergence of the posteriors, nats per step. Else: squared error over all outputs,
 * as a share of their variance.
 */
export class Divergence {
  private constructor(
    private readonly feeds: readonly Feed[],
    private readonly wanted: readonly (readonly Value[])[],
    private readonly outputs: readonly string[],
    private readonly softmax: boolean,
  ) {}

  static async of(
    dense: Uint8Array,
    feeds: readonly Feed[],
    outputs: readonly string[],
    softmax: boolean,
  ): Promise<Divergence> {
    const runner = await Runner.open(dense);
    const wanted: Value[][] = [];
    try {
      for (const feed of feeds) wanted.push(await valuesOf(runner, feed, outputs));
    } finally {
      await runner.close();
    }
    return new Divergence(feeds, wanted, outputs, softmax);
  }

  async measure(network: Uint8Array): Promise<number> {
    const runner = await Runner.open(network);
    let lost = 0;
    let total = 0;
    try {
      for (const [i, feed] of this.feeds.entries()) {
        const got = await valuesOf(runner, feed, this.outputs);
        got.forEach((value, o) => {
          const wanted = this.wanted[i]?.[o];
          if (wanted === undefined) return;
          const units = value.dims.at(-1) ?? 1;
          if (this.softmax) {
            lost += klSum(wanted.data, value.data, units);
            total += value.data.length / units;
          } else {
            lost += squaredError(wanted.data, value.data);
            total += variance(wanted.data);
          }
        });
      }
    } finally {
      await runner.close();
    }
    return lost / total;
  }
}

async function valuesOf(runner: Runner, feed: Feed, outputs: readonly string[]): Promise<Value[]> {
  const out = await runner.run(feed, outputs);
  return outputs.map((name) => out.get(name) ?? { dims: [], data: new Float32Array(0) });
}

function klSum(wanted: Float32Array, got: Float32Array, units: number): number {
  const p = logSoftmax(wanted, units);
  const q = logSoftmax(got, units);
  let sum = 0;
  for (let i = 0; i < p.length; i++) sum += Math.exp(p[i] ?? 0) * ((p[i] ?? 0) - (q[i] ?? 0));
  return sum;
}

function squaredError(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, v, i) => sum + (v - (b[i] ?? NaN)) ** 2, 0);
}

function variance(a: Float32Array): number {
  const mean = a.reduce((s, v) => s + v, 0) / Math.max(a.length, 1);
  return a.reduce((s, v) => s + (v - mean) ** 2, 0);
}
