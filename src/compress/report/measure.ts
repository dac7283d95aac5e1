import { join } from 'node:path';
import { mixAtSnr, readAudioFile } from '../../audio/index.js';
import type { Engine } from '../../engine/engine.js';
import type { GrammarDetails } from '../../recognizer/index.js';
import { labelMeaning, type Label } from '../../measure/evaluate/labels.js';
import { hearAgain, throughNetwork, withLooks } from '../../measure/evaluate/network.js';
import { sameMeaning } from '../../measure/evaluate/score.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import type { Part } from '../../measure/evaluate/paired.js';
import { greedyPhones, phoneErrors } from './phones.js';

/** A recording and what is said in it. */
export interface Prompt {
  readonly file: string;
  readonly text: string;
  /** Who speaks, for intervals over people. */
  readonly speaker?: string;
}

export interface PromptSet {
  readonly name: string;
  readonly folder: string;
  readonly prompts: readonly Prompt[];
}

/** What a network makes of a set hangs on this; who speaks is for intervals alone. */
export const promptsKey = (sets: PromptSet | readonly PromptSet[]): string =>
  JSON.stringify(sets, (key, value: unknown) => (key === 'speaker' ? undefined : value));

export interface PromptResult {
  readonly phones: readonly Part[];
  readonly words: readonly Part[];
  /** Time in frontend and network over the length of the audio. */
  readonly realTimeFactor: number;
}

/** Reads a recording as samples at a rate. */
export type ReadClip = (path: string, rateHz: number) => Promise<Float32Array>;

/**
 * Recordings that are kept once decoded, since every network hears the same ones; beyond `bytesMax`
 * they are decoded each time.
 */
export function keptClips(bytesMax = 400e6): ReadClip {
  const kept = new Map<string, Float32Array>();
  let bytes = 0;
  return async (path, rateHz) => {
    const key = `${rateHz} ${path}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const { samples } = await readAudioFile(path, { rateHz });
    if (bytes + samples.byteLength <= bytesMax) {
      bytes += samples.byteLength;
      kept.set(key, samples);
    }
    return samples;
  };
}

export type Tick = (done: number, of: number) => void;

/** Phone and word errors on read prompts: the network alone, without any grammar. */
export async function measurePrompts(
  engine: Engine,
  folder: string,
  prompts: readonly Prompt[],
  tick: Tick,
  read: ReadClip = keptClips(0),
): Promise<PromptResult> {
  const { units, features } = engine.bundle.manifest;
  const phones: Part[] = [];
  const words: Part[] = [];
  let [audio, compute] = [0, 0];
  for (const [i, { file, text }] of prompts.entries()) {
    const samples = await read(join(folder, file), features.sampleRateHz);
    const begin = performance.now();
    const clip = await throughNetwork(engine, samples);
    compute += (performance.now() - begin) / 1000;
    audio += samples.length / features.sampleRateHz;
    const wanted = text.split(' ').filter((w) => w !== '');
    const e = phoneErrors(greedyPhones(clip.logProbs, units.length), wanted, engine.lexicon);
    phones.push({ file, errors: e.errors, of: e.phones });
    words.push({ file, errors: e.wrongWords, of: e.words });
    tick(i + 1, prompts.length);
  }
  return { phones, words, realTimeFactor: compute / Math.max(audio, 1e-9) };
}

/** Orders as they are, or each of them in every one of some noises, each at one level. */
export interface Condition {
  readonly name: string;
  readonly mixed?: {
    readonly noises: readonly { readonly name: string; readonly samples: Float32Array }[];
    readonly snrDb: number;
  };
}

export interface OrdersResult {
  readonly condition: string;
  /** One error for each hearing whose intent or a slot is wrong; as many hearings of an order as there are noises. */
  readonly wrong: readonly Part[];
  /** The same, and also what was refused though right. */
  readonly wrongOrRefused: readonly Part[];
}

/** Orders heard by the device's own recogniser, in one condition. */
export async function measureOrders(
  engine: Engine,
  grammar: GrammarDetails,
  folder: string,
  labels: readonly Label[],
  condition: Condition,
  tick: Tick,
  read: ReadClip = keptClips(0),
): Promise<OrdersResult> {
  const { manifest } = engine.bundle;
  const random = randomFrom(1);
  const wrong: Part[] = [];
  const wrongOrRefused: Part[] = [];
  for (const [i, label] of labels.entries()) {
    const wanted = labelMeaning(label, grammar);
    const samples = await read(join(folder, label.file), manifest.features.sampleRateHz);
    const heardIn: Awaited<ReturnType<typeof hearAgain>>[] = [];
    for (const mixed of inConditions(samples, condition, random))
      heardIn.push(await hearAgain(manifest, await withLooks(engine, mixed), grammar));
    if (wanted !== null && wanted !== undefined) {
      const part = (failed: (heard: (typeof heardIn)[number]) => boolean): Part => ({
        file: label.file,
        errors: heardIn.filter(failed).length,
        of: heardIn.length,
      });
      wrong.push(part((heard) => !sameMeaning(heard, wanted)));
      wrongOrRefused.push(part((heard) => !(sameMeaning(heard, wanted) && heard.accepted)));
    }
    tick(i + 1, labels.length);
  }
  return { condition: condition.name, wrong, wrongOrRefused };
}

/** A clip as each hearing of a condition has it; every noise from a place of its own. */
function* inConditions(
  samples: Float32Array,
  { mixed }: Condition,
  random: () => number,
): Generator<Float32Array> {
  if (mixed === undefined) {
    yield samples;
    return;
  }
  for (const noise of mixed.noises) {
    const offset = Math.floor(random() * noise.samples.length);
    yield mixAtSnr(samples, noise.samples, mixed.snrDb, offset);
  }
}
