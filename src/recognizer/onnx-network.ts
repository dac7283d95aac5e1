import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Manifest } from '../bundle/index.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { inputsOf, type Network, type NetworkRun } from './network.js';
import { loadOnnxRuntime, type OnnxRuntime } from './onnx-runtime.js';

type State = Record<string, Tensor>;

/** A network in ONNX Runtime: any that kikitori writes. */
export class OnnxNetwork implements Network {
  readonly computedBy = 'onnxruntime';

  private constructor(
    private readonly runtime: OnnxRuntime,
    private readonly session: InferenceSession,
    private readonly manifest: Manifest,
  ) {}

  /** `file`: a checked network file. Throws where it does not load, or does not fit the manifest of the bundle at `where`. */
  static async open(
    file: Uint8Array,
    manifest: Manifest,
    where: string,
    threads: number,
  ): Promise<OnnxNetwork> {
    const runtime = await loadOnnxRuntime();
    let session: InferenceSession;
    try {
      session = await runtime.InferenceSession.create(file, {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
        executionMode: 'sequential',
      });
    } catch (error) {
      throw new KikitoriError(`model.onnx does not load: ${messageOf(error)}`, {
        kind: 'bundle',
        where,
        cause: error,
      });
    }
    const network = new OnnxNetwork(runtime, session, manifest);
    await network.check(where);
    return network;
  }

  async close(): Promise<void> {
    await this.session.release();
  }

  begin(): NetworkRun {
    let state = this.zeroState();
    return {
      run: async (rows) => {
        const call = await this.run(rows, state);
        state = call.state;
        return call.logits;
      },
    };
  }

  private zeroState(): State {
    return Object.fromEntries(
      this.manifest.network.state.map(({ name, shape }) => [
        name,
        new this.runtime.Tensor('float32', new Float32Array(shape.reduce((a, b) => a * b, 1)), [
          ...shape,
        ]),
      ]),
    );
  }

  private async run(
    rows: Float32Array,
    state: State,
  ): Promise<{ logits: Float32Array; state: State }> {
    const dim = inputsOf(this.manifest);
    const features = new this.runtime.Tensor('float32', rows, [rows.length / dim, 1, dim]);
    const out = await this.session.run({ features, ...state });
    const next: State = {};
    for (const { name } of this.manifest.network.state) {
      const tensor = out[`${name}_out`];
      if (tensor === undefined) throw new Error(`the network gave no ${name}_out`);
      next[name] = tensor;
    }
    const logits = out['logits'];
    if (logits === undefined) throw new Error('the network gave no logits');
    return { logits: logits.data as Float32Array, state: next };
  }

  /** One run on zeros shows whether names, shapes and units agree with the manifest. */
  private async check(where: string): Promise<void> {
    const { network, units } = this.manifest;
    const wanted = ['features', ...network.state.map((s) => s.name)].sort();
    const got = [...this.session.inputNames].sort();
    if (wanted.join() !== got.join()) {
      throw new KikitoriError(`model.onnx takes ${got.join(', ')}`, {
        kind: 'bundle',
        where,
        expected: wanted.join(', '),
      });
    }
    try {
      const logits = await this.begin().run(new Float32Array(inputsOf(this.manifest)));
      if (logits.length !== units.length)
        throw new Error(`it gives ${logits.length} values for ${units.length} units`);
    } catch (error) {
      throw new KikitoriError(`model.onnx does not fit its manifest: ${messageOf(error)}`, {
        kind: 'bundle',
        where,
        cause: error,
      });
    }
  }
}
