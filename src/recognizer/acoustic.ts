import type { Bundle, Manifest } from '../bundle/index.js';
import { joinedFloats } from '../runtime/joined.js';
import { KernelNetwork } from './kernel/kernel-network.js';
import { checkNetworkFile } from './network-file.js';
import { inputsOf, type ComputedBy, type Network, type NetworkRun } from './network.js';
import { OnnxNetwork } from './onnx-network.js';

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

/** The network of a bundle. Shared and frozen; everything that changes lives in the streams. */
export class AcousticModel implements WholeAcoustic {
  private constructor(
    private readonly network: Network,
    private readonly manifest: Manifest,
  ) {}

  /** `kernel`: false computes in ONNX Runtime what the kernel could, for comparison. */
  static async open(bundle: Bundle, { threads = 1, kernel = true } = {}): Promise<AcousticModel> {
    const { manifest, path } = bundle;
    const file = bundle.file('model.onnx');
    checkNetworkFile(file, path);
    const network =
      (kernel ? KernelNetwork.of(file, manifest) : null) ??
      (await OnnxNetwork.open(file, manifest, path, threads));
    return new AcousticModel(network, manifest);
  }

  /** Without this every bundle that was replaced stays in memory. */
  async close(): Promise<void> {
    await this.network.close();
  }

  get computedBy(): ComputedBy {
    return this.network.computedBy;
  }

  get units(): number {
    return this.manifest.units.length;
  }

  get dim(): number {
    return inputsOf(this.manifest);
  }

  begin(): AcousticStream {
    return new Stream(this, this.beginRun(), this.manifest.network.chunkSteps);
  }

  /** Raw outputs of rows from zero state, in the calls of a live stream; for comparing bit for bit. */
  async logits(rows: Float32Array): Promise<Float32Array> {
    const out = new Float32Array((rows.length / this.dim) * this.units);
    const size = this.manifest.network.chunkSteps * this.dim;
    const run = this.beginRun();
    for (let at = 0, to = 0; at < rows.length; at += size) {
      const logits = await run.run(rows.slice(at, at + size));
      out.set(logits, to);
      to += logits.length;
    }
    return out;
  }

  /** Log-probabilities of a whole utterance, as a stream of its own would give them. */
  async whole(rows: Float32Array): Promise<LogProbs> {
    const data = logSoftmax(await this.logits(rows), this.units);
    return { data, steps: data.length / this.units };
  }

  private beginRun(): NetworkRun {
    const run = this.network.begin();
    return {
      run: async (rows) => {
        const logits = await run.run(rows);
        // They would stay in the state: every later answer would be none.
        if (!logits.every(Number.isFinite))
          throw new Error('the network gives values that are no numbers');
        return logits;
      },
    };
  }
}

class Stream implements AcousticStream {
  private pending: Float32Array;
  private pendingRows = 0;

  constructor(
    private readonly model: AcousticModel,
    private readonly network: NetworkRun,
    private readonly chunkSteps: number,
  ) {
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
    const logits = await this.network.run(rows);
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
