import { Resampler } from '../audio/index.js';

/** Louder or quieter by `gainDb`, held within full scale. */
export function amplified(samples: Float32Array, gainDb: number): Float32Array {
  if (gainDb === 0) return samples;
  const gain = 10 ** (gainDb / 20);
  return samples.map((v) => Math.max(-1, Math.min(1, v * gain)));
}

/** Raw S16LE of some rate and channels -> mono at the wanted rate. Odd bytes wait for their other half. */
export class PcmReader {
  private left = Buffer.alloc(0);
  private readonly resampler: Resampler | null;
  private readonly gain: number;
  /** Samples that the gain drove beyond full scale. */
  clipped = 0;

  constructor(
    private readonly channels: number,
    /** -1 mixes all. */
    private readonly channel: number,
    gainDb: number,
    fromHz: number,
    toHz: number,
  ) {
    this.gain = 10 ** (gainDb / 20);
    this.resampler = fromHz === toHz ? null : new Resampler(fromHz, toHz);
  }

  feed(bytes: Buffer): Float32Array {
    const all = this.left.length === 0 ? bytes : Buffer.concat([this.left, bytes]);
    const width = 2 * this.channels;
    const frames = Math.floor(all.length / width);
    this.left = Buffer.from(all.subarray(frames * width));
    const mono = new Float32Array(frames);
    for (let i = 0; i < frames; i++) {
      let value = 0;
      if (this.channel >= 0)
        value = all.readInt16LE(i * width + 2 * Math.min(this.channel, this.channels - 1));
      else {
        for (let c = 0; c < this.channels; c++) value += all.readInt16LE(i * width + 2 * c);
        value /= this.channels;
      }
      mono[i] = this.amplified(value / 32768);
    }
    return this.resampler === null ? mono : this.resampler.feed(mono);
  }

  private amplified(value: number): number {
    const louder = value * this.gain;
    if (louder >= -1 && louder <= 1) return louder;
    this.clipped++;
    return Math.max(-1, Math.min(1, louder));
  }
}
