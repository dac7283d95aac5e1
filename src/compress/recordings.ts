import { readAudioFile, soundFilesOf } from '../audio/index.js';
import type { FeatureOptions } from '../bundle/index.js';
import { Frontend } from '../frontend/index.js';

/** Rows of features of one recording, [steps, stack * melBins], through the device's own frontend. */
export interface RecordedClip {
  readonly file: string;
  readonly rows: Float32Array;
  readonly seconds: number;
}

/** Sound files named, or anywhere under the folders named, sorted. */
export async function soundFiles(paths: readonly string[]): Promise<string[]> {
  return (await Promise.all(paths.map(soundFilesOf))).flat();
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
