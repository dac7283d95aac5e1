/**
 * Home Assistant sends a sound file that it was given as it is, header and all, and a header heard as audio is a
 * click that may pass for a phone. So one at the very beginning of a stream is taken off, and what it says of the
 * audio is believed; chunks behind the audio (a title, a comment) are not heard either.
 */
import type { AudioFormat } from './pcm.js';

/** Longer headers hold pictures. */
const headBytesMax = 64 * 1024;
/** Whoever streams writes 0 or a length near the largest. */
const unknownFrom = 0x7ff00000;
const pcm = 1;
const extensible = 0xfffe;

/** A WAV file that cannot be heard. */
export class WavError extends Error {}

export interface Unwrapped {
  readonly bytes: Buffer;
  /** Of the file, from the first audio on; absent where there was no header. */
  readonly format?: AudioFormat;
}

const none = Buffer.alloc(0);

export class WavHead {
  private state: 'begin' | 'head' | 'data' | 'raw' = 'begin';
  private kept: Buffer = none;
  private dataLeft = Infinity;
  private format: AudioFormat | undefined;

  /** What of these bytes is audio. Throws a WavError. */
  feed(bytes: Buffer): Unwrapped {
    if (this.state === 'raw') return { bytes };
    if (this.state === 'data') return this.audio(bytes);
    this.kept = Buffer.concat([this.kept, bytes]);
    if (this.state === 'begin') {
      const isWav = beginsWav(this.kept);
      if (isWav === undefined) return { bytes: none };
      this.state = isWav ? 'head' : 'raw';
      if (!isWav) return { bytes: this.take() };
    }
    return this.head();
  }

  /** The stream is over: a few bytes that might have begun a header are audio after all. */
  finish(): Buffer {
    return this.state === 'begin' ? this.take() : none;
  }

  private take(): Buffer {
    const { kept } = this;
    this.kept = none;
    return kept;
  }

  private head(): Unwrapped {
    const { kept } = this;
    for (let at = 12; at + 8 <= kept.length;) {
      const size = kept.readUInt32LE(at + 4);
      const body = at + 8;
      const tag = kept.toString('latin1', at, at + 4);
      if (tag === 'data') {
        if (this.format === undefined) throw new WavError('a WAV file whose data come first');
        this.dataLeft = size === 0 || size >= unknownFrom ? Infinity : size;
        this.state = 'data';
        return this.audio(this.take().subarray(body));
      }
      if (tag === 'fmt ' && kept.length >= body + Math.max(16, size))
        this.format = formatOf(kept.subarray(body, body + Math.max(16, size)));
      at = body + size + (size % 2);
    }
    if (kept.length > headBytesMax) throw new WavError('a WAV file without audio in it');
    return { bytes: none };
  }

  private audio(bytes: Buffer): Unwrapped {
    const piece = bytes.subarray(0, Math.min(bytes.length, this.dataLeft));
    this.dataLeft -= piece.length;
    return { bytes: piece, ...(this.format === undefined ? {} : { format: this.format }) };
  }
}

/** undefined: too little came to say. */
function beginsWav(bytes: Buffer): boolean | undefined {
  const riff = 'RIFF'.startsWith(bytes.toString('latin1', 0, Math.min(4, bytes.length)));
  if (!riff) return false;
  return bytes.length < 12 ? undefined : bytes.toString('latin1', 8, 12) === 'WAVE';
}

function formatOf(chunk: Buffer): AudioFormat {
  const said = chunk.readUInt16LE(0);
  const code = said === extensible && chunk.length >= 26 ? chunk.readUInt16LE(24) : said;
  const bits = chunk.readUInt16LE(14);
  if (code !== pcm || ![8, 16, 24, 32].includes(bits))
    throw new WavError(`a WAV file of coding ${code} with ${bits} bits: only PCM is heard here`);
  return {
    rateHz: chunk.readUInt32LE(4),
    width: bits / 8,
    channels: chunk.readUInt16LE(2),
    unsigned: bits === 8,
  };
}
