/** A network's graph in ONNX Runtime, cut into calls of any size. */
import type { InferenceSession, Tensor } from 'onnxruntime-node';

type Runtime = typeof import('onnxruntime-node');

const loaded = (await import('onnxruntime-node')) as Runtime & { default?: Runtime };
const runtime: Runtime = loaded.default ?? loaded;

export class RunningGraph {
  private constructor(
    private readonly session: InferenceSession,
    private readonly inputs: number,
  ) {}

  static async open(graph: Uint8Array, inputs: number): Promise<RunningGraph> {
    const session = await runtime.InferenceSession.create(graph, {
      intraOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    return new RunningGraph(session, inputs);
  }

  /** From zero state; `calls` are steps per call, the last one for the rest. Outputs joined over time. */
  async run(rows: Float32Array, calls: readonly number[]): Promise<Map<string, Float32Array>> {
    let state: Record<string, Tensor> = Object.fromEntries(
      this.session.inputMetadata
        .filter(({ name }) => name !== 'features')
        .map((meta) => {
          const shape = meta.isTensor ? meta.shape.map(Number) : [];
          const zeros = new Float32Array(shape.reduce((a, b) => a * b, 1));
          return [meta.name, new runtime.Tensor('float32', zeros, shape)];
        }),
    );
    const parts = new Map<string, Float32Array[]>();
    const total = rows.length / this.inputs;
    for (let at = 0, call = 0; at < total; call++) {
      const steps = Math.min(calls[Math.min(call, calls.length - 1)] ?? total, total - at);
      const data = rows.slice(at * this.inputs, (at + steps) * this.inputs);
      const features = new runtime.Tensor('float32', data, [steps, 1, this.inputs]);
      const out = await this.session.run({ features, ...state });
      for (const [name, tensor] of Object.entries(out)) {
        const list = parts.get(name) ?? [];
        list.push(Float32Array.from(tensor.data as Float32Array));
        parts.set(name, list);
      }
      state = Object.fromEntries(
        Object.keys(state).map((name) => [name, out[`${name}_out`] as Tensor]),
      );
      at += steps;
    }
    return new Map([...parts].map(([name, list]) => [name, joined(list)]));
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < a.length; i++)
    largest = Math.max(largest, Math.abs((a[i] ?? NaN) - (b[i] ?? NaN)));
  return largest;
}
