/** What a board above a conveyor hears in a day: orders, talk, machines, quiet, digital silence; from a seed. */
import { readFile } from 'node:fs/promises';
import { mixAtSnr, parseWav, readAudioFile, soundFilesOf } from '../../src/audio/index.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { demoAudio } from './demo.js';

export const rateHz = 16_000;
const samplesOf = (ms: number) => Math.round((ms * rateHz) / 1000);
/** Of 1: a quiet room. */
const roomPeak = 6 / 32768;
const beforeMs = 300;
/** The answer comes within it. */
const afterMs = 1500;
const noiseClipsMax = 60;
const noiseClipMs = 20_000;
const machineMs = 15_000;
const roomMs = 30_000;

export interface Piece {
  readonly kind: 'order' | 'talk' | 'noise' | 'room' | 'zeros';
  readonly bytes: Buffer;
}

function bytesOf(samples: Float32Array): Buffer {
  const bytes = Buffer.alloc(2 * samples.length);
  samples.forEach((v, i) =>
    bytes.writeInt16LE(Math.round(32767 * Math.max(-1, Math.min(1, v))), 2 * i),
  );
  return bytes;
}

export class SoakAudio {
  private constructor(
    private readonly random: () => number,
    private readonly orders: readonly Buffer[],
    private readonly talk: readonly Buffer[],
    private readonly noises: readonly Buffer[],
    private readonly room: Buffer,
  ) {}

  /** Noise is made where no folder with recordings of it is named. */
  static async open(root: string, seed: number, noiseFolder?: string): Promise<SoakAudio> {
    const random = randomFrom(seed);
    const room = Float32Array.from(
      { length: samplesOf(roomMs) },
      () => roomPeak * (2 * random() - 1),
    );
    const inRoom = (samples: Float32Array) => {
      const all = room.slice(0, samplesOf(beforeMs) + samples.length + samplesOf(afterMs));
      samples.forEach((v, i) => (all[samplesOf(beforeMs) + i] = v + (room[i] ?? 0)));
      return all;
    };
    const noises = noiseFolder === undefined ? machines(random) : await recordedNoises(noiseFolder);
    const said: Float32Array[] = [];
    for (const path of await demoAudio(root, 11))
      said.push(parseWav(await readFile(path), path).channels[0] ?? new Float32Array(0));
    const noiseFor = (i: number) => noises[i % noises.length] ?? room;
    const orders = said.flatMap((samples, i) => [
      inRoom(samples),
      inRoom(samples.map((v) => 0.3 * v)),
      mixAtSnr(inRoom(samples), noiseFor(i), 18),
      mixAtSnr(inRoom(samples), noiseFor(i + 7), 12),
    ]);
    // Backwards it has the sound of speech, and no words.
    const talk = said.map((samples) => inRoom(samples.slice().reverse()));
    return new SoakAudio(
      random,
      ...([orders, talk, noises].map((all) => all.map(bytesOf)) as [Buffer[], Buffer[], Buffer[]]),
      bytesOf(room),
    );
  }

  /** A working day: some 70 orders an hour, machines for a sixth of the time. */
  next(): Piece {
    const chance = this.random();
    if (chance < 0.2) return { kind: 'order', bytes: this.one(this.orders) };
    if (chance < 0.23) return { kind: 'talk', bytes: this.one(this.talk) };
    if (chance < 0.33) return { kind: 'noise', bytes: this.one(this.noises) };
    if (chance < 0.34) return { kind: 'zeros', bytes: Buffer.alloc(2 * samplesOf(5000)) };
    return { kind: 'room', bytes: this.quiet(500 + 20_000 * this.random()) };
  }

  quiet(ms: number): Buffer {
    const length = Math.min(this.room.length, 2 * samplesOf(ms));
    const from = 2 * Math.floor(this.random() * ((this.room.length - length) / 2 + 1));
    return this.room.subarray(from, from + length);
  }

  private one(all: readonly Buffer[]): Buffer {
    return all[Math.floor(all.length * this.random())] ?? Buffer.alloc(0);
  }
}

/** A fan, a hum, hammering, a hiss that swells. */
function machines(random: () => number): Float32Array[] {
  const length = samplesOf(machineMs);
  const made = (at: (i: number) => number) => Float32Array.from({ length }, (_, i) => at(i));
  const seconds = (i: number) => i / rateHz;
  const white = () => 2 * random() - 1;
  let low = 0;
  return [
    made(() => (low += 0.05 * (white() - low))),
    made((i) => 0.1 * Math.sin(2 * Math.PI * 50 * seconds(i)) + 0.03 * white()),
    made((i) => 0.5 * white() * Math.exp(-30 * (seconds(i) % 0.7))),
    made((i) => 0.05 * white() * (1 + Math.sin(2 * Math.PI * 0.2 * seconds(i)))),
    made((i) => 0.2 * Math.sin(2 * Math.PI * (400 + 300 * Math.sin(2 * seconds(i))) * seconds(i))),
  ];
}

async function recordedNoises(folder: string): Promise<Float32Array[]> {
  const files = await soundFilesOf(folder);
  const every = Math.max(1, Math.floor(files.length / noiseClipsMax));
  const clips: Float32Array[] = [];
  for (const path of files.filter((_, i) => i % every === 0)) {
    const { samples } = await readAudioFile(path, { rateHz, channel: 'mix' });
    clips.push(samples.slice(0, samplesOf(noiseClipMs)));
  }
  return clips;
}
