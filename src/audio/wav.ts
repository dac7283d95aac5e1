import { KikitoriError } from '../runtime/errors.js';

export interface Wav {
  readonly rateHz: number;
  /** One array a channel, amplitudes in [-1, 1). */
  readonly channels: readonly Float32Array[];
  /** The header promised more samples than the file holds. */
  readonly truncated: boolean;
  /** Values that were not finite and became 0. */
  readonly badSamples: number;
}

interface Format {
  readonly code: number;
  readonly channels: number;
  readonly rateHz: number;
  readonly bits: number;
}

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;

/**
 * Reads RIFF WAVE: PCM of 8, 16, 24 or 32 bits and float of 32 or 64, any rate and channel count. A
 * data chunk that claims more than there is (a recorder that was cut off, a 4 GB header) gives what is there.
 */
export function parseWav(bytes: Uint8Array, where: string): Wav {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || !['RIFF', 'RIFX', 'RF64'].includes(tag(0)) || tag(8) !== 'WAVE') {
    throw wrong(
      where,
      bytes.length === 0 ? 'the file is empty' : 'this is no WAV file, whatever its name says',
    );
  }
  if (tag(0) !== 'RIFF') throw wrong(where, `${tag(0)} files are not read`);
  let format: Format | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = view.getUint32(at + 4, true);
    const body = at + 8;
    if (tag(at) === 'fmt ') {
      if (size < 16 || body + size > bytes.length)
        throw wrong(where, 'the format chunk is cut off');
      format = readFormat(view, body, size, where);
    } else if (tag(at) === 'data') {
      if (format === undefined) throw wrong(where, 'the data come before the format');
      const there = Math.min(size, bytes.length - body);
      return decode(view, body, there, there < size, format);
    }
    at = body + size + (size % 2);
  }
  throw wrong(where, 'the header is cut off: there are no data in it');
}

function wrong(where: string, what: string): KikitoriError {
  return new KikitoriError(what, {
    kind: 'input',
    where,
    expected: 'a WAV file, PCM of 8 to 32 bits or float',
    hint: 'convert it with: sox INPUT -b 16 OUTPUT.wav',
  });
}

function readFormat(view: DataView, at: number, size: number, where: string): Format {
  let code = view.getUint16(at, true);
  if (code === EXTENSIBLE && size >= 40) code = view.getUint16(at + 24, true);
  const format = {
    code,
    channels: view.getUint16(at + 2, true),
    rateHz: view.getUint32(at + 4, true),
    bits: view.getUint16(at + 14, true),
  };
  const known =
    (code === PCM && [8, 16, 24, 32].includes(format.bits)) ||
    (code === FLOAT && [32, 64].includes(format.bits));
  if (!known) throw wrong(where, `coding ${code} with ${format.bits} bits is not read`);
  if (
    format.channels < 1 ||
    format.channels > 64 ||
    format.rateHz < 1000 ||
    format.rateHz > 768_000
  ) {
    throw wrong(where, `${format.channels} channels at ${format.rateHz} Hz make no sense`);
  }
  return format;
}

function decode(view: DataView, begin: number, length: number, cut: boolean, f: Format): Wav {
  const width = f.bits / 8;
  const frames = Math.floor(length / (width * f.channels));
  const channels = Array.from({ length: f.channels }, () => new Float32Array(frames));
  const read = reader(view, f);
  let badSamples = 0;
  for (let i = 0; i < frames; i++) {
    for (let c = 0; c < f.channels; c++) {
      const value = read(begin + (i * f.channels + c) * width);
      const into = channels[c];
      if (into === undefined) continue;
      if (Number.isFinite(value)) into[i] = value;
      else badSamples++;
    }
  }
  return { rateHz: f.rateHz, channels, truncated: cut, badSamples };
}

function reader(view: DataView, { code, bits }: Format): (at: number) => number {
  if (code === FLOAT)
    return bits === 32 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true);
  switch (bits) {
    case 8:
      return (at) => (view.getUint8(at) - 128) / 128;
    case 16:
      return (at) => view.getInt16(at, true) / 32768;
    case 24:
      return (at) => (view.getUint16(at, true) | (view.getInt8(at + 2) << 16)) / 8388608;
    default:
      return (at) => view.getInt32(at, true) / 2147483648;
  }
}

/** Mono samples as a 16-bit WAV file. */
export function encodeWav(samples: Float32Array, rateHz: number): Uint8Array {
  const bytes = new Uint8Array(44 + 2 * samples.length);
  const view = new DataView(bytes.buffer);
  const text = (at: number, value: string) => bytes.set(Buffer.from(value), at);
  text(0, 'RIFF');
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, PCM, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rateHz, true);
  view.setUint32(28, 2 * rateHz, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((v, i) =>
    view.setInt16(44 + 2 * i, Math.max(-32768, Math.min(32767, Math.round(v * 32768))), true),
  );
  return bytes;
}
