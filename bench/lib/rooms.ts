/** Speech in noise with a label for each frame, made of recordings: for detectors of speech. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mixAtSnr, readAudioFile } from '../../src/audio/index.js';

export interface Labelled {
  readonly file: string;
  /** 16 kHz. */
  readonly samples: Float32Array;
  /** Speech without noise, for the labels. */
  readonly clean: Float32Array;
}

const rateHz = 16000;
/** Kinds of noise in which nobody is heard. */
const voiceless = /^(machine|engine|vehicle|kitchen|electric|home|alarm|impact|nature)$/;
/** Sets of single words: too short to hold a pause. */
const shortSets = /^(digits|words|precise|talk|wake-.*)$/;

async function table(path: string): Promise<Record<string, string>[]> {
  const [header = '', ...rows] = (await readFile(path, 'utf8')).trim().split('\n');
  const names = header.split('\t');
  return rows.map((row) => Object.fromEntries(row.split('\t').map((v, i) => [names[i] ?? '', v])));
}

function spread<T>(all: readonly T[], count: number): T[] {
  const every = Math.max(1, all.length / count);
  return all
    .filter((_, i) => Math.floor(i / every) !== Math.floor((i - 1) / every))
    .slice(0, count);
}

/**
 * `count` recordings of the part (train or dev): a clip of speech with 1.5 s before and after, in a noise at 0 to 20
 * dB; every fifth is noise alone. Evenly spread over all clips; the noises in turn.
 */
export async function labelled(
  folder: string,
  part: 'train' | 'dev',
  count: number,
  random: () => number,
): Promise<Labelled[]> {
  const clips = (await table(join(folder, 'clips.tsv'))).filter(
    ({ file = '', set = '', seconds = '' }) =>
      file.startsWith(`${part}/`) && !shortSets.test(set) && Number(seconds) < 12,
  );
  const noises = (await table(join(folder, 'noise/noises.tsv'))).filter(
    ({ file = '', kind = '' }) => file.startsWith(`noise/${part}/`) && voiceless.test(kind),
  );
  const read = async (file: string) =>
    (await readAudioFile(join(folder, file), { rateHz })).samples;
  const made: Labelled[] = [];
  for (const [i, { file = '' }] of spread(clips, count).entries()) {
    const noise = await read(noises[Math.floor(random() * noises.length)]?.['file'] ?? '');
    if (i % 5 === 4) {
      const samples = Float32Array.from(
        { length: 6 * rateHz },
        (_, k) => noise[k % noise.length] ?? 0,
      );
      made.push({ file: `${file} (noise)`, samples, clean: new Float32Array(samples.length) });
      continue;
    }
    const speech = await read(file);
    const around = Math.round(1.5 * rateHz);
    const clean = new Float32Array(speech.length + 2 * around);
    clean.set(speech, around);
    const snrDb = [20, 15, 10, 5, 0][i % 5] ?? 10;
    const offset = Math.floor(random() * noise.length);
    made.push({ file, clean, samples: mixAtSnr(clean, noise, snrDb, offset) });
  }
  return made;
}

/**
 * Of each frame 1 (speech), 0 (noise) or -1 (nobody says): speech is within 25 dB of the loud frames of the clean clip,
 * noise is below 40 dB and 200 ms away from any speech.
 */
export function frameLabels(clean: Float32Array, frame: number): Int8Array {
  const levels: number[] = [];
  for (let at = 0; at + frame <= clean.length; at += frame) {
    let sum = 1e-12;
    for (let k = at; k < at + frame; k++) sum += (clean[k] ?? 0) ** 2;
    levels.push(10 * Math.log10(sum / frame));
  }
  const loud = [...levels].sort((a, b) => a - b)[Math.floor(0.95 * levels.length)] ?? 0;
  const silent = loud < -90;
  const near = Math.ceil((0.2 * rateHz) / frame);
  const speech = levels.map((level) => !silent && level > loud - 25);
  return Int8Array.from(levels, (level, i) => {
    if (silent) return 0;
    if (speech[i] === true) return 1;
    const close = speech.slice(Math.max(0, i - near), i + near + 1).some((s) => s);
    return level < loud - 40 && !close ? 0 : -1;
  });
}
