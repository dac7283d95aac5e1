import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Bundle, storedDigest } from '../../bundle/index.js';
import { Engine } from '../../engine/engine.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { blended } from '../adjust.js';
import { parameterCount, readCheckpoint, writeCheckpoint, type Checkpoint } from '../checkpoint.js';
import type { Interval } from '../../measure/evaluate/statistics.js';
import { bytesAt8Bits, factorize, withinBudget, type Analysis } from '../factorize/index.js';
import { chooseScales, observe } from '../quantize/calibrate.js';
import { recordedClips } from '../recordings.js';
import {
  bundleLike,
  everySet,
  measurePrompts,
  withEverySet,
  type PromptResult,
  type PromptSet,
} from '../report/index.js';
import { pairedDifference, rateOf } from '../../measure/evaluate/paired.js';
import type { Journal } from './journal.js';
import { fineTuningToml, runTrainer, type FineTuning, type Trainer } from './trainer.js';

/** Results of each set of prompts, and of all of them together where there are several. */
export type Measured = Readonly<Record<string, PromptResult>>;

/** Share of a candidate's training time that is spent with 8 bits in the loop. */
export const quantisedShare = 0.2;
/** Seconds of recordings that the scales of the activations are chosen on. */
const scaleSeconds = 120;
/** Beyond its own limit a trainer may take this for starting, its last evaluation and writing. */
const trainerGraceSeconds = 900;

export interface Workshop {
  readonly journal: Journal;
  readonly folder: string;
  /** Its lexicon, self-test and thresholds go into every candidate. */
  readonly like: Bundle;
  readonly densePath: string;
  readonly dense: Checkpoint;
  /** Taken apart once a process, when a candidate needs it. */
  readonly analysis: () => Promise<Analysis>;
  readonly calibration: string;
  readonly multiple: number;
  readonly trainer: Trainer;
  /** Of all fine-tuning of one candidate. */
  readonly minutes: number;
  readonly steps: number;
  readonly learningRate: number;
  /** Share of the loss that is the divergence from the dense network's posteriors. */
  readonly distillation: number;
  /** Of the way that fine-tuning in float has gone, what is kept; see `blended`. */
  readonly share: number;
  readonly prompts: readonly PromptSet[];
  /** How far the stage is, from 0 to 1. */
  readonly progress: (stage: string, share: number) => void;
}

/** The stages of a candidate, in order; each is a line of the journal. */
export const stages = ['compress', 'before', 'fine-tune', 'scales', 'quantised', 'pack', 'after'];

export interface CandidateResult {
  readonly budget: number;
  readonly parameters: number;
  readonly ranks: readonly number[];
  readonly inputRank: number;
  /** Of the network's file, and of everything that a device loads. */
  readonly networkBytes: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly checkpoint: string;
  readonly bundle: string;
  /** Whether fine-tuning paid; if not, the network before it is the result. */
  readonly fineTuned: boolean;
  /** Phone error of each set in 8 bits: before any fine-tuning, after it, and of the better of them, as it would ship. */
  readonly before: Readonly<Record<string, number>>;
  readonly tuned: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
  /** `after` less the dense network's, with a paired 95 % interval. */
  readonly difference: Readonly<Record<string, Interval>>;
  readonly wordError: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** One budget from the dense network to a measured 8-bit bundle; what the journal has is not done again. */
export async function makeCandidate(
  w: Workshop,
  budget: number,
  dense: Measured,
): Promise<CandidateResult> {
  const name = `b${budget}`;
  const own = join(w.folder, name);
  await mkdir(own, { recursive: true });
  const at = (file: string) => join(own, file);
  const key = (stage: string) => `${name}/${stage}`;
  const stage = <T>(what: string, make: () => Promise<T>) => {
    if (!w.journal.has(key(what))) w.progress(what, 0);
    return w.journal.once(key(what), make);
  };

  const shape = await stage('compress', () => compressTo(w, budget, at('factored.safetensors')));
  const before = await stage('before', async () => {
    const scaled = await withScales(
      await readCheckpoint(at('factored.safetensors')),
      w.calibration,
    );
    await writeCheckpoint(at('before.safetensors'), scaled);
    await bundleLike(w.like, scaled, name, at('before'));
    return measure(at('before'), w, 'before');
  });
  await stage('fine-tune', () =>
    fineTune(w, own, 'fine-tune', { start: at('factored.safetensors'), quantised: false }),
  );
  await stage('scales', async () => {
    const [from, to] = [at('factored.safetensors'), at('fine-tune/model.safetensors')];
    const tuned = blended(await readCheckpoint(from), await readCheckpoint(to), w.share);
    const scaled = await withScales(tuned, w.calibration);
    await writeCheckpoint(at('scaled.safetensors'), scaled);
    return scaled.quantization;
  });
  await stage('quantised', () =>
    fineTune(w, own, 'quantised', { start: at('scaled.safetensors'), quantised: true }),
  );
  await stage('pack', async () => {
    const final = await readCheckpoint(at('quantised/model.safetensors'));
    await writeCheckpoint(at('final.safetensors'), final);
    await bundleLike(w.like, final, name, at('bundle'));
    return true;
  });
  const tuned = await stage('after', () => measure(at('bundle'), w, 'after'));
  // A few minutes of training may forget more than the factoring took.
  const fineTuned = overall(tuned) <= overall(before);
  const after = fineTuned ? tuned : before;
  const bundle = at(fineTuned ? 'bundle' : 'before');
  return {
    budget,
    ...shape,
    ...sizeOf(await Bundle.open(bundle)),
    fineTuned,
    checkpoint: at(fineTuned ? 'final.safetensors' : 'before.safetensors'),
    bundle,
    before: each(before, ({ phones }) => rateOf(phones)),
    tuned: each(tuned, ({ phones }) => rateOf(phones)),
    after: each(after, ({ phones }) => rateOf(phones)),
    difference: each(after, ({ phones }, set) =>
      pairedDifference(dense[set]?.phones ?? [], phones),
    ),
    wordError: each(after, ({ words }) => rateOf(words)),
    seconds: stages.reduce((sum, s) => sum + (w.journal.secondsOf(key(s)) ?? 0), 0),
  };
}

const each = <T>(measured: Measured, of: (result: PromptResult, set: string) => T) =>
  Object.fromEntries(Object.entries(measured).map(([set, result]) => [set, of(result, set)]));

/** Phone error of everything. */
const overall = (measured: Measured) =>
  rateOf((measured[everySet] ?? Object.values(measured)[0])?.phones ?? []);

/** Every set of prompts through a bundle, by the device's own code. */
export async function measure(
  path: string,
  { prompts, progress }: Pick<Workshop, 'prompts' | 'progress'>,
  stage: string,
): Promise<Measured> {
  const engine = await Engine.open({ modelPath: path });
  const all = prompts.reduce((sum, set) => sum + set.prompts.length, 0);
  const results: Record<string, PromptResult> = {};
  let done = 0;
  for (const set of prompts) {
    results[set.name] = await measurePrompts(engine, set.folder, set.prompts, () =>
      progress(stage, ++done / all),
    );
  }
  await engine.close();
  return withEverySet(results);
}

async function compressTo(w: Workshop, budget: number, path: string) {
  const analysis = await w.analysis();
  const { ranks } = withinBudget(analysis, {
    price: bytesAt8Bits,
    limit: budget,
    multiple: w.multiple,
  });
  const factored: Checkpoint = { ...w.dense, ...factorize(analysis, ranks) };
  await writeCheckpoint(path, { ...factored, quantization: undefined });
  return {
    parameters: parameterCount(factored),
    ranks: [...ranks.layers],
    inputRank: ranks.input,
  };
}

async function fineTune(
  w: Workshop,
  own: string,
  stage: 'fine-tune' | 'quantised',
  { start, quantised }: Pick<FineTuning, 'start' | 'quantised'>,
) {
  const share = quantised ? quantisedShare : 1 - quantisedShare;
  const tuning: FineTuning = {
    base: w.trainer.config,
    out: join(own, stage),
    start,
    teacher: w.densePath,
    distillation: w.distillation,
    quantised,
    minutes: w.minutes * share,
    steps: Math.max(1, Math.round(w.steps * share)),
    learningRate: quantised ? w.learningRate / 10 : w.learningRate,
  };
  const config = join(own, `${stage}.toml`);
  await atomicWrite(config, fineTuningToml(tuning), 0o644);
  let last = { step: 0, minutes: 0 };
  await runTrainer(w.trainer, {
    command: 'fit',
    config,
    secondsMax: 2 * 60 * tuning.minutes + trainerGraceSeconds,
    pidFile: join(w.folder, 'trainer.pid'),
    onStep: (step) => {
      last = step;
      w.progress(
        stage,
        Math.min(1, Math.max(step.step / tuning.steps, step.minutes / tuning.minutes)),
      );
    },
  });
  // A trainer that says it is done and wrote nothing is a failure here, not at the next stage.
  await readCheckpoint(join(tuning.out, 'model.safetensors'));
  return last;
}

/** A checkpoint with a static scale for every activation, of least squared error on recordings. */
async function withScales(checkpoint: Checkpoint, calibration: string): Promise<Checkpoint> {
  const clips = await recordedClips([calibration], checkpoint.features, {
    secondsMax: scaleSeconds,
  });
  const rows = clips.map((clip) => clip.rows);
  const activations = chooseScales(await observe(checkpoint, rows), 'mse');
  const seconds = Math.round(clips.reduce((sum, clip) => sum + clip.seconds, 0));
  const quantization = {
    weights: 'uint8' as const,
    activations,
    calibration: { rule: 'mse', seconds, files: clips.length },
  };
  return { ...checkpoint, quantization };
}

function sizeOf({ manifest, sha256 }: Bundle) {
  const files = Object.values(manifest.files);
  return {
    networkBytes: manifest.files['model.onnx']?.bytes ?? NaN,
    bytes: files.reduce((sum, file) => sum + storedDigest(file).bytes, 0),
    sha256,
  };
}
