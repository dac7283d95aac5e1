import FFT from 'fft.js';
import type { FeatureOptions } from '../bundle/index.js';
import type { Steps } from '../records.js';
import { triangles, windowOf, type Triangle } from './mel.js';

/**
 * Streaming log-mel: samples in, stacked normalised steps out. Pure and bit-identical however the
 * audio is cut, because each frame is computed once, from its own samples only.
 *
 * Frame i covers samples [hop i, hop i + window); there is no padding. Step t is frames
 * [stride t, stride t + stack), oldest first.
 */
export class Frontend {
  /** Samples that were not finite and counted as 0. */
  badSamples = 0;
  private readonly windowSize: number;
  private readonly hop: number;
  private readonly window: Float64Array;
  private readonly bank: readonly Triangle[];
  private readonly fft: FFT;
  /** Typed: of an array with holes each value that is read would be an object of its own, 1.5 MB a second. */
  private readonly spectrum: Float64Array;
  private readonly padded: Float64Array;
  /** Samples not yet consumed by every frame that needs them. */
  private pending: Float64Array;
  private pendingCount = 0;
  /** The last frames, fewer than the `stack` that the next step needs. */
  private readonly frames: Float32Array;
  private frameCount = 0;
  private nextStep = 0;

  constructor(
    private readonly options: FeatureOptions,
    /** A vocal tract shorter than usual has its formants higher: a warp above 1 brings them down again. */
    { warp = 1 }: { readonly warp?: number } = {},
  ) {
    this.windowSize = Math.round((options.sampleRateHz * options.windowMs) / 1000);
    this.hop = Math.round((options.sampleRateHz * options.hopMs) / 1000);
    this.window = windowOf(options.window, this.windowSize);
    this.bank = triangles(options, warp);
    this.fft = new FFT(options.fftSize);
    this.spectrum = new Float64Array(2 * options.fftSize);
    this.padded = new Float64Array(options.fftSize);
    this.pending = new Float64Array(this.windowSize * 4);
    this.frames = new Float32Array(options.stack * options.melBins);
  }

  /** Values in one step. */
  get dim(): number {
    return this.options.stack * this.options.melBins;
  }

  /** Samples between the starts of two steps. */
  get samplesPerStep(): number {
    return this.hop * this.options.stride;
  }

  /** Samples that one step looks at. */
  get samplesOfStep(): number {
    return this.windowSize + (this.options.stack - 1) * this.hop;
  }

  reset(): void {
    this.pendingCount = 0;
    this.frameCount = 0;
    this.nextStep = 0;
  }

  /** Amplitudes in [-1, 1) in; every step that they complete out. */
  feed(samples: Float32Array): Steps {
    this.append(samples);
    const { stack, stride, melBins } = this.options;
    const whole = Math.max(0, Math.floor((this.pendingCount - this.windowSize) / this.hop) + 1);
    const steps = Math.max(0, Math.floor((this.frameCount + whole - stack) / stride) + 1);
    const data = new Float32Array(steps * this.dim);
    let start = 0;
    for (let at = 0; start + this.windowSize <= this.pendingCount; start += this.hop) {
      this.frame(start, this.frames.subarray(this.frameCount * melBins));
      if (++this.frameCount < stack) continue;
      data.set(this.frames, at);
      at += this.dim;
      this.frames.copyWithin(0, stride * melBins);
      this.frameCount -= stride;
    }
    this.pending.copyWithin(0, start, this.pendingCount);
    this.pendingCount -= start;
    const firstStep = this.nextStep;
    this.nextStep += steps;
    return { data, steps, dim: this.dim, firstStep };
  }

  private append(samples: Float32Array): void {
    const needed = this.pendingCount + samples.length;
    if (needed > this.pending.length) {
      const larger = new Float64Array(needed * 2);
      larger.set(this.pending.subarray(0, this.pendingCount));
      this.pending = larger;
    }
    for (let i = 0; i < samples.length; i++) {
      let value = samples[i] ?? 0;
      if (!Number.isFinite(value)) {
        value = 0;
        this.badSamples++;
      }
      this.pending[this.pendingCount + i] = value;
    }
    this.pendingCount = needed;
  }

  /** Normalised log-mel energies of the window that begins at `start` of the pending samples, into `frame`. */
  private frame(start: number, frame: Float32Array): void {
    const { options: o, padded, windowSize } = this;
    const x = this.pending.subarray(start, start + windowSize);
    let mean = 0;
    if (o.removeDc) {
      for (let n = 0; n < windowSize; n++) mean += x[n] ?? 0;
      mean /= windowSize;
    }
    let previous = (x[0] ?? 0) - mean;
    for (let n = 0; n < windowSize; n++) {
      const centred = (x[n] ?? 0) - mean;
      padded[n] = (centred - o.preemphasis * previous) * (this.window[n] ?? 0);
      previous = centred;
    }
    this.fft.realTransform(this.spectrum, padded);
    for (let b = 0; b < o.melBins; b++) {
      const triangle = this.bank[b];
      if (triangle === undefined) continue;
      let energy = 0;
      for (let k = 0; k < triangle.weights.length; k++) {
        const bin = 2 * (triangle.first + k);
        const re = this.spectrum[bin] ?? 0;
        const im = this.spectrum[bin + 1] ?? 0;
        energy += (triangle.weights[k] ?? 0) * (re * re + im * im);
      }
      frame[b] = (Math.log(energy + o.logFloor) - (o.mean[b] ?? 0)) / (o.std[b] ?? 1);
    }
  }
}
