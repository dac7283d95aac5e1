import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readAudioFile } from '../../audio/index.js';
import type { Engine } from '../../engine.js';
import type { Heard } from '../../records.js';
import type { Recognizer } from '../../recognizer/index.js';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { machineScenes, scaled } from './machine-noise.js';
import { randomFrom } from './statistics.js';
import { hearStream } from './stream.js';

export const audioFile = /\.(wav|flac|opus|ogg|mp3|m4a)$/i;

/** Audio in which nobody gives a command, played to the listener as the daemon hears it. */
export interface OtherAudio {
  readonly name: string;
  sounds(): AsyncGenerator<Float32Array>;
}

export interface OtherResult {
  readonly name: string;
  readonly hours: number;
  /** Everything that was taken for an utterance. */
  readonly heard: readonly Heard[];
  readonly accepted: number;
}

/** Peaks of noise alone, in dB of full scale: a quiet hall to a microphone overdriven. */
export const noiseLevelsDb = [-40, -30, -20, -10, -3];

export async function filesOf(path: string): Promise<string[]> {
  try {
    if ((await stat(path)).isFile()) return [path];
    const names = await readdir(path, { recursive: true });
    const files = names.filter((name) => audioFile.test(name)).sort();
    if (files.length > 0) return files.map((name) => join(path, name));
    throw new KikitoriError('there are no recordings in it', { kind: 'input', where: path });
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    throw new KikitoriError(messageOf(error), {
      kind: 'input',
      where: path,
      expected: 'a recording, or a folder of some',
    });
  }
}

/** People talking: each file by itself. */
export function talk(path: string, rateHz: number): OtherAudio {
  return {
    name: `talk ${lastPart(path)}`,
    async *sounds() {
      for (const file of await filesOf(path)) yield (await readAudioFile(file, { rateHz })).samples;
    },
  };
}

/** Noise alone at each of the levels. */
export function noiseAlone(path: string, rateHz: number): OtherAudio {
  return {
    name: `noise ${lastPart(path)} at ${noiseLevelsDb.join(', ')} dB`,
    async *sounds() {
      for (const file of await filesOf(path)) {
        const { samples } = await readAudioFile(file, { rateHz });
        for (const db of noiseLevelsDb) yield scaled(samples, 10 ** (db / 20));
      }
    },
  };
}

/** Synthesised machines. The seed differs from the one that calibration begins with. */
export function machines(seconds: number, rateHz: number, seed = 90_001): OtherAudio {
  return {
    name: `machines, ${Math.round(seconds)} s synthesised`,
    async *sounds() {
      yield* machineScenes(seconds, rateHz, randomFrom(seed));
    },
  };
}

const lastPart = (path: string) => path.split('/').filter(Boolean).slice(-2).join('/');

export async function hearOthers(
  engine: Engine,
  recognizer: Recognizer,
  other: OtherAudio,
  progress: (line: string) => void,
  /** Recordings looked at, at most. */
  limit = Infinity,
): Promise<OtherResult> {
  const heard: Heard[] = [];
  let sounds = 0;
  let seconds = 0;
  let told = 0;
  for await (const samples of other.sounds()) {
    if (sounds++ >= limit) break;
    seconds += samples.length / engine.bundle.manifest.features.sampleRateHz;
    heard.push(...(await hearStream(engine, recognizer, samples)).map((e) => e.heard));
    if (seconds - told < 300) continue;
    told = seconds;
    progress(`${other.name}: ${Math.round(seconds / 60)} minutes`);
  }
  return {
    name: other.name,
    hours: seconds / 3600,
    heard,
    accepted: heard.filter((h) => h.accepted).length,
  };
}
