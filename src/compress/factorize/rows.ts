import { GraphBuilder } from '../graph/onnx.js';
import { Runner } from '../import/runtime.js';
import { zeros, type Mat } from './matrix.js';

/** Rows of values, row-major, in single precision: what a network gave at every step. */
export interface Rows {
  readonly cols: number;
  readonly data: Float32Array;
}

export const rowsIn = ({ cols, data }: Rows): number => data.length / cols;

/** Rows at a time: sums of float32 products stay exact enough, and memory small. */
const chunk = 2048;

/** Large products of rows, by ONNX Runtime: a hundred times as fast as plain loops. */
export class Products {
  private constructor(private readonly runner: Runner) {}

  static async open(): Promise<Products> {
    const g = new GraphBuilder();
    g.input('a', ['n', 'k']);
    g.input('b', ['k', 'm']);
    g.node('MatMul', ['a', 'b'], ['ab']);
    g.output('ab', ['n', 'm']);
    return new Products(await Runner.open(g.build('product')));
  }

  async close(): Promise<void> {
    await this.runner.close();
  }

  private async multiply(a: Float32Array, b: Float32Array, k: number): Promise<Float32Array> {
    const out = await this.runner.run({
      a: { dims: [a.length / k, k], data: a },
      b: { dims: [k, b.length / k], data: b },
    });
    return out.get('ab')?.data ?? new Float32Array(0);
  }

  /** Every row times W^T: [rows, W.rows]. */
  async through({ cols, data }: Rows, w: Mat): Promise<Rows> {
    const turned = new Float32Array(w.data.length);
    for (let i = 0; i < w.rows; i++)
      for (let j = 0; j < cols; j++) turned[j * w.rows + i] = w.data[i * cols + j] ?? 0;
    return { cols: w.rows, data: await this.multiply(data, turned, cols) };
  }

  /** The sum over rows of x y^T, in double precision over chunks: [x.cols, y.cols]. */
  async sum(x: Rows, y: Rows): Promise<Mat> {
    const out = zeros(x.cols, y.cols);
    const steps = rowsIn(x);
    for (let from = 0; from < steps; from += chunk) {
      const to = Math.min(steps, from + chunk);
      const turned = columns(x, from, to);
      const part = await this.multiply(
        turned,
        y.data.subarray(from * y.cols, to * y.cols),
        to - from,
      );
      for (let i = 0; i < part.length; i++) out.data[i] = (out.data[i] ?? 0) + (part[i] ?? 0);
    }
    return out;
  }
}

function columns({ cols, data }: Rows, from: number, to: number): Float32Array {
  const n = to - from;
  const out = new Float32Array(cols * n);
  for (let t = 0; t < n; t++)
    for (let j = 0; j < cols; j++) out[j * n + t] = data[(from + t) * cols + j] ?? 0;
  return out;
}

/** The same rows a step later, zeros where a piece begins: what a recurrent matrix reads. */
export function delayed({ cols, data }: Rows, starts: Uint8Array): Rows {
  const out = new Float32Array(data.length);
  out.set(data.subarray(0, Math.max(0, data.length - cols)), cols);
  starts.forEach((begins, t) => {
    if (begins === 1) out.fill(0, t * cols, (t + 1) * cols);
  });
  return { cols, data: out };
}

/** Rows side by side. */
export function beside(...parts: readonly Rows[]): Rows {
  const cols = parts.reduce((sum, p) => sum + p.cols, 0);
  const steps = Math.min(...parts.map(rowsIn));
  const data = new Float32Array(steps * cols);
  let from = 0;
  for (const part of parts) {
    for (let t = 0; t < steps; t++)
      data.set(part.data.subarray(t * part.cols, (t + 1) * part.cols), t * cols + from);
    from += part.cols;
  }
  return { cols, data };
}

export const ones = (steps: number): Rows => ({ cols: 1, data: new Float32Array(steps).fill(1) });

/** Each row times its weight. */
export const weighted = ({ cols, data }: Rows, by: ArrayLike<number>): Rows => ({
  cols,
  data: data.map((v, i) => v * (by[Math.floor(i / cols)] ?? 0)),
});
