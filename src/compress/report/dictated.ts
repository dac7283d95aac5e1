import { join } from 'node:path';
import type { Engine } from '../../engine/engine.js';
import { throughNetwork } from '../../measure/evaluate/network.js';
import type { Interval } from '../../measure/evaluate/statistics.js';
import {
  byPeople,
  wordErrorRate,
  wordErrors,
  wordsOfText,
  type ClipWordErrors,
  type WordErrorRate,
} from '../../measure/evaluate/word-errors.js';
import { Dictation, type DictationGraph } from '../../recognizer/dictation/index.js';
import { scoresOf } from '../../recognizer/index.js';
import { kept, type Remaining } from './kept.js';
import { keptClips, promptsKey, type PromptSet, type ReadClip, type Tick } from './measure.js';
import { pairedDifference } from '../../measure/evaluate/paired.js';

/** Free speech by a language model: what read prompts are heard with. */
export interface FreeSpeech {
  /** Of its file. */
  readonly name: string;
  readonly sha256: string;
  /** What is listened for, with the pronunciations of a bundle. */
  graphOf(engine: Engine): DictationGraph;
}

/** Errors of one prompt, and words of it that the language model lacks. */
export interface DictatedClip extends ClipWordErrors {
  readonly unknown: number;
}

/** Each prompt as one sentence through network and search: no pause ends it, nothing is refused. */
export async function measureDictated(
  engine: Engine,
  graph: DictationGraph,
  { folder, prompts }: PromptSet,
  tick: Tick,
  read: ReadClip = keptClips(0),
): Promise<DictatedClip[]> {
  const { units, features, decoding } = engine.bundle.manifest;
  const clips: DictatedClip[] = [];
  for (const [i, { file, text, speaker = '' }] of prompts.entries()) {
    const samples = await read(join(folder, file), features.sampleRateHz);
    const { logProbs } = await throughNetwork(engine, samples);
    const dictation = new Dictation(graph);
    dictation.feed(scoresOf(logProbs, decoding), units.length);
    const heard = dictation.finish().words.map((w) => w.text.toLowerCase());
    const said = wordsOfText(text);
    const unknown = said.filter((word) => isUnknown(graph, word)).length;
    clips.push({ ...wordErrors(heard, said), file, speaker, unknown });
    tick(i + 1, prompts.length);
  }
  return clips;
}

function isUnknown({ model }: DictationGraph, word: string): boolean {
  const number = model.numberOf(word);
  return number === undefined || number === model.unknown;
}

/** By set of prompts. */
export type DictatedSets = Readonly<Record<string, readonly DictatedClip[]>>;

/** Every set, or what is kept of it; nothing without a language model. */
export async function measureSets(
  engine: Engine,
  o: {
    readonly freeSpeech?: FreeSpeech;
    readonly prompts: readonly PromptSet[];
    readonly folder: string;
    readonly read: ReadClip;
  },
  clock: Remaining,
  ticks: (what: string) => Tick,
): Promise<DictatedSets> {
  const sets: Record<string, readonly DictatedClip[]> = {};
  const { freeSpeech: free } = o;
  if (free === undefined) return sets;
  for (const set of o.prompts) {
    const speakers = set.prompts.map((p) => p.speaker ?? '').join('\n');
    const key = [engine.bundle.sha256, 'dictated', promptsKey(set), speakers, free.sha256];
    sets[set.name] = await kept(o.folder, key, clock, set.prompts.length, () =>
      measureDictated(engine, free.graphOf(engine), set, ticks(`dictation, ${set.name}`), o.read),
    );
  }
  return sets;
}

export interface DictatedRate extends WordErrorRate {
  readonly unknown: number;
  /** Less the dense network's; absent for that one. */
  readonly difference?: Interval;
}

/** Rates of each set, and differences from the dense network by the same people. */
export function dictatedRates(
  own: DictatedSets,
  dense: DictatedSets | undefined,
): Record<string, DictatedRate> {
  return Object.fromEntries(
    Object.entries(own).map(([set, clips]) => {
      const before = dense?.[set];
      const rate: DictatedRate = {
        ...wordErrorRate(clips),
        unknown: clips.reduce((sum, c) => sum + c.unknown, 0),
        ...(before === undefined
          ? {}
          : { difference: pairedDifference(byPeople(before), byPeople(clips)) }),
      };
      return [set, rate];
    }),
  );
}

/** Whether compressing costs at most a point of word error: shown, shown not to be so, or neither. */
export function withinAPoint({ difference }: DictatedRate): 'yes' | 'no' | 'undecided' | '' {
  if (difference === undefined || !Number.isFinite(difference.value)) return '';
  if (difference.high <= 0.01) return 'yes';
  return difference.low > 0.01 ? 'no' : 'undecided';
}
