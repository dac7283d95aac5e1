import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { loadOnnxRuntime, type OnnxRuntime } from '../../recognizer/index.js';
import { joinedFloats } from '../../runtime/joined.js';

/** A network's graph in ONNX Runtime, fed from zero state, in calls of any size. */
export class GraphSession {
  private constructor(
    private readonly runtime: OnnxRuntime,
    private readonly session: InferenceSession,
    private readonly inputs: number,
  ) {}

  /** `inputs`: values of one step. */
  static async open(graph: Uint8Array, inputs: number): Promise<GraphSession> {
    const runtime = await loadOnnxRuntime();
    const session = await runtime.InferenceSession.create(graph, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    return new GraphSession(runtime, session, inputs);
  }

  /**
   * Every output of the graph, joined over time: `logits`, taps, and the states after each call.
   * `calls` are steps per call; the last of them is repeated.
   */
  async run(
    rows: Float32Array,
    calls: readonly number[] = [64],
  ): Promise<Map<string, Float32Array>> {
    const total = rows.length / this.inputs;
    const parts = new Map<string, Float32Array[]>();
    let state = this.zeroState();
    for (let at = 0, call = 0; at < total; call++) {
      const wanted = calls[Math.min(call, calls.length - 1)] ?? total;
      const steps = Math.min(wanted, total - at);
      const data = rows.slice(at * this.inputs, (at + steps) * this.inputs);
      const features = new this.runtime.Tensor('float32', data, [steps, 1, this.inputs]);
      const out = await this.session.run({ features, ...state });
      for (const [name, tensor] of Object.entries(out)) {
        const list = parts.get(name) ?? [];
        list.push(tensor.data as Float32Array);
        parts.set(name, list);
      }
      state = Object.fromEntries(
        Object.keys(state).map((name) => [name, out[`${name}_out`] as Tensor]),
      );
      at += steps;
    }
    return new Map([...parts].map(([name, list]) => [name, joinedFloats(list)]));
  }

  async release(): Promise<void> {
    await this.session.release();
  }

  private zeroState(): Record<string, Tensor> {
    const state: Record<string, Tensor> = {};
    for (const meta of this.session.inputMetadata) {
      if (meta.name === 'features' || !meta.isTensor) continue;
      const shape = meta.shape.map(Number);
      const zeros = new Float32Array(shape.reduce((a, b) => a * b, 1));
      state[meta.name] = new this.runtime.Tensor('float32', zeros, shape);
    }
    return state;
  }
}
