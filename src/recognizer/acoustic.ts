import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Bundle, Manifest } from '../bundle/index.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { joinedFloats } from '../runtime/joined.js';
import { checkNetworkFile } from './network-file.js';
import { loadOnnxRuntime, type OnnxRuntime } from './onnx-runtime.js';

/** Log-probabilities of consecutive steps, row-major [steps, units], natural logarithm. */
export interface LogProbs {
  readonly data: Float32Array;
  readonly steps: number;
}

/** The network of one utterance: state carried from call to call. */
export interface AcousticStream {
  /**
   * Rows of features in; log-probabilities of every whole group of `chunkSteps` out, and `atOnce` of those
   * left over too, at the cost of a call for fewer steps.
   */
  feed(rows: Float32Array, atOnce?: boolean): Promise<LogProbs>;
  /** The rows left over, as a last shorter group. */
  finish(): Promise<LogProbs>;
}

/** Rows of a whole utterance through the network in another way than the first: as another vocal tract. */
export type Look = (rows: Float32Array) => Promise<LogProbs>;

/** What the recogniser needs of a network. */
export interface Acoustic {
  readonly units: number;
  readonly dim: number;
  begin(): AcousticStream;
}

/** And of one that can look again at an utterance that is over. */
export interface WholeAcoustic extends Acoustic {
  whole(rows: Float32Array): Promise<LogProbs>;
}

/** The network in ONNX Runtime. Shared and frozen; everything that changes lives in the streams. */
export class AcousticModel implements WholeAcoustic {
  private constructor(
    private readonly runtime: OnnxRuntime,
    private readonly session: InferenceSession,
    private readonly manifest: Manifest,
  ) {}

  static async open(bundle: Bundle, { threads = 1 } = {}): Promise<AcousticModel> {
    checkNetworkFile(bundle.file('model.onnx'), bundle.path);
    const runtime = await loadOnnxRuntime();
    let session: InferenceSession;
    try {
      session = await runtime.InferenceSession.create(bundle.file('model.onnx'), {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
        executionMode: 'sequential',
      });
    } catch (error) {
      throw new KikitoriError(`model.onnx does not load: ${messageOf(error)}`, {
        kind: 'bundle',
        where: bundle.path,
        cause: error,
      });
    }
    const model = new AcousticModel(runtime, session, bundle.manifest);
    await model.check(bundle.path);
    return model;
  }

  /** Gives the network's memory back; nothing may run in it any more. Without this every bundle that was replaced stays. */
  async close(): Promise<void> {
    await this.session.release();
  }

  get units(): number {
    return this.manifest.units.length;
  }

  get dim(): number {
    return this.manifest.features.stack * this.manifest.features.melBins;
  }

  begin(): AcousticStream {
    return new Stream(this, this.manifest.network.chunkSteps);
  }

  zeroState(): Record<string, Tensor> {
    return Object.fromEntries(
      this.manifest.network.state.map(({ name, shape }) => [
        name,
        new this.runtime.Tensor('float32', new Float32Array(shape.reduce((a, b) => a * b, 1)), [
          ...shape,
        ]),
      ]),
    );
  }

  /** Raw outputs of rows from zero state, in the calls of a live stream; for comparing bit for bit. */
  async logits(rows: Float32Array): Promise<Float32Array> {
    const out = new Float32Array((rows.length / this.dim) * this.units);
    const size = this.manifest.network.chunkSteps * this.dim;
    let state = this.zeroState();
    for (let at = 0, to = 0; at < rows.length; at += size) {
      const call = await this.run(rows.slice(at, at + size), state);
      out.set(call.logits, to);
      to += call.logits.length;
      state = call.state;
    }
    return out;
  }

  /** Log-probabilities of a whole utterance, as a stream of its own would give them. */
  async whole(rows: Float32Array): Promise<LogProbs> {
    const data = logSoftmax(await this.logits(rows), this.units);
    return { data, steps: data.length / this.units };
  }

  /** Runs `steps` rows; returns the raw outputs and the state after them. */
  async run(
    rows: Float32Array,
    state: Record<string, Tensor>,
  ): Promise<{ logits: Float32Array; state: Record<string, Tensor> }> {
    const steps = rows.length / this.dim;
    const features = new this.runtime.Tensor('float32', rows, [steps, 1, this.dim]);
    const out = await this.session.run({ features, ...state });
    const next: Record<string, Tensor> = {};
    for (const { name } of this.manifest.network.state) {
      const tensor = out[`${name}_out`];
      if (tensor === undefined) throw new Error(`the network gave no ${name}_out`);
      next[name] = tensor;
    }
    const logits = out['logits'];
    if (logits === undefined) throw new Error('the network gave no logits');
    const values = logits.data as Float32Array;
    // They would stay in the state: every later answer would be none.
    if (!values.every(Number.isFinite))
      throw new Error('the network gives values that are no numbers');
    return { logits: values, state: next };
  }

  /** One run on zeros shows whether names, shapes and units agree with the manifest. */
  private async check(where: string): Promise<void> {
    const wanted = ['features', ...this.manifest.network.state.map((s) => s.name)].sort();
    const got = [...this.session.inputNames].sort();
    if (wanted.join() !== got.join()) {
      throw new KikitoriError(`model.onnx takes ${got.join(', ')}`, {
        kind: 'bundle',
        where,
        expected: wanted.join(', '),
      });
    }
    try {
      const { logits } = await this.run(new Float32Array(this.dim), this.zeroState());
      if (logits.length !== this.units)
        throw new Error(`it gives ${logits.length} values for ${this.units} units`);
    } catch (error) {
      throw new KikitoriError(`model.onnx does not fit its manifest: ${messageOf(error)}`, {
        kind: 'bundle',
        where,
        cause: error,
      });
    }
  }
}

class Stream implements AcousticStream {
  private state: Record<string, Tensor>;
  private pending: Float32Array;
  private pendingRows = 0;

  constructor(
    private readonly model: AcousticModel,
    private readonly chunkSteps: number,
  ) {
    this.state = model.zeroState();
    this.pending = new Float32Array(chunkSteps * model.dim);
  }

  async feed(rows: Float32Array, atOnce = false): Promise<LogProbs> {
    const { dim } = this.model;
    const parts: Float32Array[] = [];
    for (let at = 0; at < rows.length; at += dim) {
      this.pending.set(rows.subarray(at, at + dim), this.pendingRows * dim);
      this.pendingRows++;
      if (this.pendingRows === this.chunkSteps) parts.push(await this.runPending());
    }
    if (atOnce && this.pendingRows > 0) parts.push(await this.runPending());
    return joined(parts, this.model.units);
  }

  async finish(): Promise<LogProbs> {
    return joined(this.pendingRows === 0 ? [] : [await this.runPending()], this.model.units);
  }

  private async runPending(): Promise<Float32Array> {
    const rows = this.pending.slice(0, this.pendingRows * this.model.dim);
    const { logits, state } = await this.model.run(rows, this.state);
    this.state = state;
    this.pendingRows = 0;
    return logSoftmax(logits, this.model.units);
  }
}

function joined(parts: readonly Float32Array[], units: number): LogProbs {
  const data = joinedFloats(parts);
  return { data, steps: data.length / units };
}

/** Natural log-softmax of each row. */
export function logSoftmax(logits: Float32Array, units: number): Float32Array {
  const out = new Float32Array(logits.length);
  for (let row = 0; row < logits.length; row += units) {
    let max = -Infinity;
    for (let u = 0; u < units; u++) max = Math.max(max, logits[row + u] ?? 0);
    let sum = 0;
    for (let u = 0; u < units; u++) sum += Math.exp((logits[row + u] ?? 0) - max);
    const log = max + Math.log(sum);
    for (let u = 0; u < units; u++) out[row + u] = (logits[row + u] ?? 0) - log;
  }
  return out;
}
