import { open, readFile, stat } from 'node:fs/promises';
import { fileFault, KikitoriError, messageOf } from '../runtime/errors.js';
import { resample } from './resample.js';
import { convert } from './convert.js';
import { soundKind, type SoundKind } from './kind.js';
import { parseWav, UnreadCoding, type Wav } from './wav.js';

/** An hour at 16 kHz: longer files are for a cutter, not for one utterance. */
const samplesMax = 3600 * 48_000;
const fileBytesMax = 1024 * 1024 * 1024;

export interface AudioClip {
  /** Mono, amplitudes in [-1, 1). */
  readonly samples: Float32Array;
  readonly rateHz: number;
  readonly seconds: number;
  readonly truncated: boolean;
  readonly badSamples: number;
}

export interface ReadOptions {
  readonly rateHz?: number;
  /** A channel's index, or all of them mixed. */
  readonly channel?: number | 'mix';
}

/** Reads a sound file as mono. WAV is read here; other formats by ffmpeg or sox, when there is one. */
export async function readAudioFile(
  path: string,
  { rateHz = 16_000, channel = 'mix' }: ReadOptions = {},
): Promise<AudioClip> {
  const wav = await readChannels(path, rateHz);
  const mono = pickChannel(wav.channels, channel, path);
  const samples = resample(mono, wav.rateHz, rateHz);
  return {
    samples,
    rateHz,
    seconds: samples.length / rateHz,
    truncated: wav.truncated,
    badSamples: wav.badSamples,
  };
}

async function readChannels(path: string, rateHz: number): Promise<Wav> {
  const head = await firstBytes(path);
  const kind = soundKind(head);
  // What its bytes do not say its name may: for a WAV with nothing in it the answer is ours.
  if (kind?.name !== 'WAV' && !(kind === undefined && /\.wave?$/i.test(path)))
    return convert(path, rateHz, 2 * samplesMax, kind);
  try {
    return parseWav(await readFile(path), path);
  } catch (error) {
    if (!(error instanceof UnreadCoding)) throw error;
    return withHelp(path, rateHz, kind, error);
  }
}

/** By a converter; without one the coding is what is wrong. */
async function withHelp(
  path: string,
  rateHz: number,
  kind: SoundKind | undefined,
  { message }: UnreadCoding,
): Promise<Wav> {
  try {
    return await convert(path, rateHz, 2 * samplesMax, kind);
  } catch (error) {
    const hint = error instanceof KikitoriError ? error.hint : undefined;
    if (hint !== undefined) throw new KikitoriError(message, { kind: 'input', hint });
    throw new KikitoriError(`${message}; ${withoutPlace(messageOf(error), path)}`, {
      kind: 'input',
    });
  }
}

const withoutPlace = (text: string, path: string) => text.replace(`${path}: `, '');

async function firstBytes(path: string): Promise<Buffer> {
  try {
    const info = await stat(path);
    if (!info.isFile()) throw new KikitoriError('this is no file', { kind: 'input', where: path });
    if (info.size > fileBytesMax) {
      throw new KikitoriError(`the file has ${info.size} bytes`, {
        kind: 'input',
        where: path,
        expected: `at most ${fileBytesMax}`,
      });
    }
    const file = await open(path);
    try {
      const buffer = Buffer.alloc(12);
      const { bytesRead } = await file.read(buffer, 0, 12, 0);
      if (bytesRead === 0)
        throw new KikitoriError('the file is empty', { kind: 'input', where: path });
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    throw new KikitoriError(fileFault(error), { kind: 'input', where: path });
  }
}

export function pickChannel(
  channels: readonly Float32Array[],
  channel: number | 'mix',
  where: string,
): Float32Array {
  if (channel !== 'mix') {
    const one = channels[channel];
    if (one !== undefined) return one;
    throw new KikitoriError(`there is no channel ${channel}`, {
      kind: 'input',
      where,
      expected: `0 to ${channels.length - 1}`,
    });
  }
  const first = channels[0] ?? new Float32Array(0);
  if (channels.length === 1) return first;
  return first.map((_, i) => channels.reduce((sum, c) => sum + (c[i] ?? 0), 0) / channels.length);
}
