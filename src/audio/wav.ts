import { KikitoriError } from '../runtime/errors.js';
import { aLaw, muLaw } from './g711.js';
import { findChunks, type Chunks } from './wav-chunks.js';

export interface Wav {
  readonly rateHz: number;
  /** One array a channel, amplitudes in [-1, 1). */
  readonly channels: readonly Float32Array[];
  /** The header promised more samples than the file holds. */
  readonly truncated: boolean;
  /** Values that are no amplitude, and became 0. */
  readonly badSamples: number;
}

interface Format {
  readonly code: number;
  readonly channels: number;
  readonly rateHz: number;
  readonly bits: number;
  /** Bytes of one sample of one channel. */
  readonly width: number;
}

const PCM = 1;
const FLOAT = 3;
const A_LAW = 6;
const MU_LAW = 7;
const EXTENSIBLE = 0xfffe;
/** Floats may go far beyond 1. Beyond this a sum of some of them is no number in 32 bits. */
const amplitudeMax = 2 ** 100;

/** A WAV file in a coding that is not read here; a converter may. */
export class UnreadCoding extends KikitoriError {}

/**
 * Reads RIFF WAVE, RIFX (its big-endian kind) and RF64 (beyond 4 GB): PCM of 8 to 32 bits, float of 32 or 64,
 * A-law and mu-law, any rate and channel count. A data chunk that claims more than there is (a recorder that
 * was cut off) gives what is there, and so does one whose length was never written (a recorder that streamed).
 */
export function parseWav(bytes: Uint8Array, where: string): Wav {
  const chunks = findChunks(bytes, (what) => wrong(where, what));
  const format = readFormat(chunks, where);
  const wav = decode(chunks, format);
  if ((wav.channels[0]?.length ?? 0) === 0) throw wrong(where, 'there is no audio in it');
  return wav;
}

function wrong(where: string, what: string): KikitoriError {
  return new KikitoriError(what, {
    kind: 'input',
    where,
    expected: 'a WAV file with audio in it',
    hint: 'another kind is made one with: sox INPUT -b 16 OUTPUT.wav',
  });
}

/** Codings that people meet; others are said by their number. */
const codings: Readonly<Record<number, string>> = {
  2: 'Microsoft ADPCM',
  0x11: 'IMA ADPCM',
  0x14: 'G.723 ADPCM',
  0x31: 'GSM 6.10',
  0x40: 'G.721 ADPCM',
  0x50: 'MPEG',
  0x55: 'MP3',
  0x161: 'Windows Media Audio',
};

function readFormat({ view, format: { at, size }, littleEndian }: Chunks, where: string): Format {
  const short = (offset: number) => view.getUint16(at + offset, littleEndian);
  let code = short(0);
  if (code === EXTENSIBLE && size >= 40) code = short(24);
  const [channels, bits, blockBytes] = [short(2), short(14), short(12)];
  const rateHz = view.getUint32(at + 4, littleEndian);
  if (channels < 1 || channels > 64 || rateHz < 1000 || rateHz > 768_000)
    throw wrong(where, `${channels} channels at ${rateHz} Hz make no sense`);
  const width = Math.ceil(bits / 8);
  const known =
    (code === PCM && width >= 1 && width <= 4) ||
    (code === FLOAT && [32, 64].includes(bits)) ||
    ([A_LAW, MU_LAW].includes(code) && bits === 8);
  // Some writers leave the size of a block 0.
  if (!known || (blockBytes !== 0 && blockBytes !== width * channels))
    throw new UnreadCoding(
      `the coding ${codings[code] ?? code}${bits > 0 ? ` with ${bits} bits` : ''} is not read here`,
      {
        kind: 'input',
        where,
        expected: 'PCM of 8 to 32 bits, float, A-law or mu-law',
      },
    );
  return { code, channels, rateHz, bits, width };
}

function decode({ view, data, littleEndian }: Chunks, f: Format): Wav {
  const frames = Math.floor(data.size / (f.width * f.channels));
  const channels = Array.from({ length: f.channels }, () => new Float32Array(frames));
  const read = reader(view, f, littleEndian);
  let badSamples = 0;
  for (let i = 0; i < frames; i++) {
    for (let c = 0; c < f.channels; c++) {
      const value = read(data.at + (i * f.channels + c) * f.width);
      const into = channels[c];
      if (into === undefined) continue;
      if (Math.abs(value) <= amplitudeMax) into[i] = value;
      else badSamples++;
    }
  }
  return { rateHz: f.rateHz, channels, truncated: data.truncated, badSamples };
}

/** One sample. PCM of a width that is no whole number of bytes fills its bytes from the top. */
function reader(view: DataView, { code, width }: Format, little: boolean): (at: number) => number {
  if (code === A_LAW) return (at) => aLaw[view.getUint8(at)] ?? 0;
  if (code === MU_LAW) return (at) => muLaw[view.getUint8(at)] ?? 0;
  if (code === FLOAT)
    return width === 4 ? (at) => view.getFloat32(at, little) : (at) => view.getFloat64(at, little);
  switch (width) {
    case 1:
      return (at) => (view.getUint8(at) - 128) / 128;
    case 2:
      return (at) => view.getInt16(at, little) / 32768;
    case 3:
      return little
        ? (at) => (view.getUint16(at, true) | (view.getInt8(at + 2) << 16)) / 8388608
        : (at) => ((view.getInt8(at) << 16) | view.getUint16(at + 1, false)) / 8388608;
    default:
      return (at) => view.getInt32(at, little) / 2147483648;
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
