import { readAudioFile, soundFilesOf, type ReadOptions } from '../../audio/index.js';
import type { Engine } from '../../engine/engine.js';
import type { Heard } from '../../records.js';
import type { Recognizer } from '../../recognizer/index.js';
import { machineScenes, scaled } from './machine-noise.js';
import { randomFrom } from './statistics.js';
import { hearStream } from './stream.js';

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

/** People talking: each file by itself. */
export function talk(path: string, read: ReadOptions): OtherAudio {
  return {
    name: `talk ${lastPart(path)}`,
    async *sounds() {
      for (const file of await soundFilesOf(path)) yield (await readAudioFile(file, read)).samples;
    },
  };
}

/** Noise alone at each of the levels. */
export function noiseAlone(path: string, read: ReadOptions): OtherAudio {
  return {
    name: `noise ${lastPart(path)} at ${noiseLevelsDb.join(', ')} dB`,
    async *sounds() {
      for (const file of await soundFilesOf(path)) {
        const { samples } = await readAudioFile(file, read);
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
