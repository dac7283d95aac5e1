/** Audio of any rate, width and channels, as the protocol allows it, to mono samples at the rate of the model. */
import { Resampler } from '../../audio/index.js';

export interface AudioFormat {
  readonly rateHz: number;
  /** Bytes of a sample: 1 to 4, little-endian, signed. */
  readonly width: number;
  readonly channels: number;
  /** One byte as a WAV file has it. */
  readonly unsigned?: boolean;
}

const rateHzMin = 4000;
const rateHzMax = 192_000;
const channelsMax = 32;

/** Why audio of this kind is not heard; undefined when it is. */
export function formatFault({ rateHz, width, channels }: AudioFormat): string | undefined {
  if (!Number.isInteger(rateHz) || rateHz < rateHzMin || rateHz > rateHzMax)
    return `rate is to be a whole number of Hz from ${rateHzMin} to ${rateHzMax}`;
  if (![1, 2, 3, 4].includes(width)) return 'width is to be 1, 2, 3 or 4 bytes';
  if (!Number.isInteger(channels) || channels < 1 || channels > channelsMax)
    return `channels is to be a whole number from 1 to ${channelsMax}`;
  return undefined;
}

export class PcmStream {
  private left = Buffer.alloc(0);
  private readonly resampler: Resampler | null;

  constructor(
    readonly format: AudioFormat,
    toHz: number,
  ) {
    this.resampler = format.rateHz === toHz ? null : new Resampler(format.rateHz, toHz);
  }

  /** Bytes of so much audio, whole samples of all channels. */
  bytesOf(ms: number): number {
    const { rateHz, width, channels } = this.format;
    return Math.max(1, Math.round((rateHz * ms) / 1000)) * width * channels;
  }

  /** Bytes that are no whole sample wait for the rest of it. */
  feed(bytes: Buffer): Float32Array {
    const { width, channels } = this.format;
    const all = this.left.length === 0 ? bytes : Buffer.concat([this.left, bytes]);
    const frames = Math.floor(all.length / (width * channels));
    this.left = Buffer.from(all.subarray(frames * width * channels));
    const mono = new Float32Array(frames);
    const scale = 1 / (2 ** (8 * width - 1) * channels);
    for (let i = 0; i < frames; i++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += this.sample(all, (i * channels + c) * width);
      mono[i] = sum * scale;
    }
    return this.resampler === null ? mono : this.resampler.feed(mono);
  }

  private sample(bytes: Buffer, at: number): number {
    const { width, unsigned } = this.format;
    return width === 1 && unsigned === true
      ? bytes.readUInt8(at) - 128
      : bytes.readIntLE(at, width);
  }

  /** What the resampler still holds, as if silence followed. */
  finish(): Float32Array {
    return this.resampler === null ? new Float32Array(0) : this.resampler.finish();
  }
}
