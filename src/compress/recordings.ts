import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readAudioFile } from '../audio/index.js';
import type { FeatureOptions } from '../bundle/index.js';
import { Frontend } from '../frontend/index.js';
import { codeOf, KikitoriError } from '../runtime/errors.js';

const soundFile = /\.(wav|flac|opus|ogg|mp3|m4a)$/i;

/** Rows of features of one recording, [steps, stack * melBins], through the device's own frontend. */
export interface RecordedClip {
  readonly file: string;
  readonly rows: Float32Array;
  readonly seconds: number;
}

/** Sound files named, or anywhere under the folders named, sorted. */
export async function soundFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const isFolder = await stat(path).then(
      (info) => info.isDirectory(),
      (error: unknown) => {
        if (codeOf(error) === 'ENOENT')
          throw new KikitoriError('there is no such file', { kind: 'input', where: path });
        throw error;
      },
    );
    if (!isFolder) {
      files.push(path);
      continue;
    }
    const inside = (await readdir(path, { recursive: true })).filter((f) => soundFile.test(f));
    if (inside.length === 0) {
      throw new KikitoriError('there is no sound file in it', { kind: 'input', where: path });
    }
    files.push(...inside.sort().map((f) => join(path, f)));
  }
  return files;
}

/**
 * Recordings as the network would see them, up to `secondsMax` in all. When there is more, files are
 * taken at even distances through the sorted list, so that every folder has its share and the choice
 * is the same each time.
 */
export async function recordedClips(
  paths: readonly string[],
  features: FeatureOptions,
  { secondsMax = 120 } = {},
): Promise<RecordedClip[]> {
  const files = spread(await soundFiles(paths));
  const clips: RecordedClip[] = [];
  let seconds = 0;
  for (const file of files) {
    if (seconds >= secondsMax) break;
    const clip = await readAudioFile(file, { rateHz: features.sampleRateHz });
    const room = Math.ceil((secondsMax - seconds) * features.sampleRateHz);
    const samples = clip.samples.subarray(0, room);
    clips.push({
      file,
      rows: new Frontend(features).feed(samples).data,
      seconds: samples.length / features.sampleRateHz,
    });
    seconds += samples.length / features.sampleRateHz;
  }
  return clips;
}

/** A fixed order in which any beginning is spread evenly over the list (golden-ratio steps). */
function spread<T>(list: readonly T[]): T[] {
  return list
    .map((item, i) => ({ item, at: (i * 0.6180339887498949) % 1 }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
