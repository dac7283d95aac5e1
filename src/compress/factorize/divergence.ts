import { logSoftmax } from '../../recognizer/index.js';
import { Runner, type Feed, type Value } from '../import/runtime.js';

/**
 * How far a network's outputs are from the dense one's. Of a softmax over `logits`: mean
 * Kullback-Leibler divergence of the posteriors, nats per step. Else: squared error as a share of the
 * variance, of each output by itself, and the mean over outputs: a state may be a thousand times a score.
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

  /** Squared distance from the mean of an output, over all calls. */
  private varianceOf(output: number): number {
    const all = this.wanted.map((values) => values[output]?.data ?? new Float32Array(0));
    const count = all.reduce((sum, d) => sum + d.length, 0);
    const mean = all.reduce((sum, d) => d.reduce((s, v) => s + v, sum), 0) / Math.max(count, 1);
    return all.reduce((sum, d) => d.reduce((s, v) => s + (v - mean) ** 2, sum), 0);
  }

  async measure(network: Uint8Array): Promise<number> {
    const runner = await Runner.open(network);
    const lost = this.outputs.map(() => 0);
    const total = this.outputs.map((_, o) => (this.softmax ? 0 : this.varianceOf(o)));
    const add = (sums: number[], o: number, by: number) => (sums[o] = (sums[o] ?? 0) + by);
    try {
      for (const [i, feed] of this.feeds.entries()) {
        const got = await valuesOf(runner, feed, this.outputs);
        got.forEach((value, o) => {
          const wanted = this.wanted[i]?.[o];
          if (wanted === undefined) return;
          const units = value.dims.at(-1) ?? 1;
          if (this.softmax) {
            add(lost, 0, klSum(wanted.data, value.data, units));
            add(total, 0, value.data.length / units);
          } else {
            add(lost, o, squaredError(wanted.data, value.data));
          }
        });
      }
    } finally {
      await runner.close();
    }
    const shares = lost.flatMap((sum, o) => {
      const whole = total[o] ?? 0;
      return whole > 0 ? [sum / whole] : sum > 0 ? [Infinity] : [];
    });
    return shares.length === 0 ? 0 : shares.reduce((a, b) => a + b, 0) / shares.length;
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
