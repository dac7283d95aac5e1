import { spawn } from 'node:child_process';
import { open, readFile, stat } from 'node:fs/promises';
import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';
import { resample } from './resample.js';
import { parseWav } from './wav.js';

/** An hour at 16 kHz: longer files are for a cutter, not for one utterance. */
const samplesMax = 3600 * 48_000;
const fileBytesMax = 1024 * 1024 * 1024;
const converterTimeoutMs = 120_000;

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
  const head = await firstBytes(path);
  if (head.toString('latin1', 0, 4) === 'RIFF' || /\.wav$/i.test(path)) {
    const wav = parseWav(await readFile(path), path);
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
  const samples = await convert(path, rateHz);
  return { samples, rateHz, seconds: samples.length / rateHz, truncated: false, badSamples: 0 };
}

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
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    throw new KikitoriError(
      codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error),
      { kind: 'input', where: path },
    );
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

async function convert(path: string, rateHz: number): Promise<Float32Array> {
  const file = path.startsWith('-') ? `./${path}` : path;
  const ways: [string, string[]][] = [
    [
      'ffmpeg',
      [
        '-v',
        'error',
        '-nostdin',
        '-i',
        file,
        '-f',
        's16le',
        '-ac',
        '1',
        '-ar',
        String(rateHz),
        '-',
      ],
    ],
    [
      'sox',
      ['-V1', file, '-t', 'raw', '-e', 'signed', '-b', '16', '-c', '1', '-r', String(rateHz), '-'],
    ],
  ];
  for (const [program, args] of ways) {
    const result = await runConverter(program, args);
    if (result === 'missing') continue;
    if (result.status !== 0 || result.output.length < 2) {
      throw new KikitoriError(
        `${program} cannot read it: ${result.errors.trim().split('\n').at(-1) ?? ''}`,
        { kind: 'input', where: path, expected: 'a sound file' },
      );
    }
    return Float32Array.from(
      { length: result.output.length >> 1 },
      (_, i) => result.output.readInt16LE(2 * i) / 32768,
    );
  }
  throw new KikitoriError('only WAV is read without help', {
    kind: 'input',
    where: path,
    hint: 'install a converter: sudo apt-get install ffmpeg',
  });
}

function runConverter(
  program: string,
  args: string[],
): Promise<'missing' | { status: number | null; output: Buffer; errors: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Not `timeout`: for a program that is missing its timer would hold this process open.
      signal: AbortSignal.timeout(converterTimeoutMs),
      killSignal: 'SIGKILL',
    });
    const parts: Buffer[] = [];
    let size = 0;
    let errors = '';
    child.on('error', (error) => {
      if (error.name !== 'AbortError') resolve('missing');
      else
        resolve({
          status: null,
          output: Buffer.alloc(0),
          errors: `not done within ${converterTimeoutMs} ms`,
        });
    });
    child.stdout.on('data', (part: Buffer) => {
      size += part.length;
      if (size > 2 * samplesMax) child.kill('SIGKILL');
      else parts.push(part);
    });
    child.stderr.on('data', (part: Buffer) => {
      errors = (errors + part.toString()).slice(-4096);
    });
    child.on('close', (status) => resolve({ status, output: Buffer.concat(parts), errors }));
  });
}
