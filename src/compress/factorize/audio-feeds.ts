import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readAudioFile } from '../../audio/index.js';
import { Frontend } from '../../frontend/index.js';
import { codeOf, KikitoriError, messageOf } from '../../runtime/errors.js';
import type { Checkpoint } from '../checkpoint.js';
import type { Feed } from '../import/index.js';

const extensions = /\.(wav|flac|opus|ogg|mp3|m4a)$/i;
/** Softer than this everywhere is silence: half a step of 8 bits. */
const silentBelow = 0.002;
/** Longer recordings are cut, so that a call stays small. */
const pieceSteps = 600;

export interface AudioFeeds {
  readonly feeds: readonly Feed[];
  readonly steps: number;
  readonly clips: number;
  readonly silent: number;
}

/** Sound files of a folder and what is below it, or one file; sorted. */
export async function soundFiles(path: string): Promise<string[]> {
  try {
    if ((await stat(path)).isFile()) return [path];
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    return entries
      .filter((e) => e.isFile() && extensions.test(e.name))
      .map((e) => join(e.parentPath, e.name))
      .sort();
  } catch (error) {
    throw new KikitoriError(
      codeOf(error) === 'ENOENT' ? 'there is no such folder' : messageOf(error),
      { kind: 'input', where: path, expected: 'a folder of recorded speech' },
    );
  }
}

/** Calls of the dense graph on speech, through the device's own frontend; up to `seconds`, taken at random. */
export async function audioFeeds(
  checkpoint: Checkpoint,
  path: string,
  { seconds, random }: { readonly seconds: number; readonly random: () => number },
): Promise<AudioFeeds> {
  const files = shuffled(await soundFiles(path), random);
  const feeds: Feed[] = [];
  let [heard, steps, clips, silent] = [0, 0, 0, 0];
  for (const file of files) {
    if (heard >= seconds) break;
    const { samples } = await readAudioFile(file, { rateHz: checkpoint.features.sampleRateHz });
    clips++;
    if (!samples.some((v) => Math.abs(v) > silentBelow)) {
      silent++;
      continue;
    }
    heard += samples.length / checkpoint.features.sampleRateHz;
    const rows = new Frontend(checkpoint.features).feed(samples).data;
    for (const feed of callsOf(checkpoint, rows)) {
      feeds.push(feed);
      steps += feed['features']?.dims[0] ?? 0;
    }
  }
  if (feeds.length === 0) {
    throw new KikitoriError(
      clips === 0
        ? 'there is no recording'
        : `all of its ${clips} recordings are silent or too short`,
      { kind: 'input', where: path, expected: 'recorded speech' },
    );
  }
  return { feeds, steps, clips, silent };
}

/** Recordings of a folder, up to `seconds`, taken at random; silent ones are passed over. */
export async function recordings(
  path: string,
  {
    seconds,
    rateHz,
    random,
  }: { readonly seconds: number; readonly rateHz: number; readonly random: () => number },
): Promise<Float32Array[]> {
  const found: Float32Array[] = [];
  let heard = 0;
  for (const file of shuffled(await soundFiles(path), random)) {
    if (heard >= seconds) break;
    const { samples } = await readAudioFile(file, { rateHz });
    if (!samples.some((v) => Math.abs(v) > silentBelow)) continue;
    // Of a long one as much as is asked for.
    const taken = samples.subarray(0, Math.ceil((seconds - heard) * rateHz));
    found.push(taken);
    heard += taken.length / rateHz;
  }
  if (found.length > 0) return found;
  throw new KikitoriError('there is no recording, or all are silent', {
    kind: 'input',
    where: path,
    expected: 'recorded sound',
  });
}

function callsOf(checkpoint: Checkpoint, rows: Float32Array): Feed[] {
  const { inputs } = checkpoint;
  const feeds: Feed[] = [];
  for (let at = 0; at < rows.length; at += pieceSteps * inputs) {
    const data = rows.slice(at, at + pieceSteps * inputs);
    const state = checkpoint.layers.flatMap((cells, l) =>
      ['h', 'c'].map((name) => [
        `${name}${l}`,
        { dims: [1, 1, cells], data: new Float32Array(cells) },
      ]),
    );
    const features = { dims: [data.length / inputs, 1, inputs], data };
    feeds.push({ features, ...(Object.fromEntries(state) as Feed) });
  }
  return feeds;
}

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const out = [...values];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j] as T, out[i] as T];
  }
  return out;
}
