import {
  at,
  fileEntries,
  flag,
  list,
  number,
  numberRecord,
  numbers,
  oneOf,
  optional,
  record,
  semver,
  stateTensors,
  text,
  texts,
  whole,
  type Check,
} from './checks.js';
import { parseAs, type WantedLanguageModel } from './manifest-kinds.js';
import type { FileEntry } from './packed.js';

/** Everything that turns samples into network inputs; written by the trainer, obeyed by the frontend. */
export interface FeatureOptions {
  readonly sampleRateHz: number;
  readonly windowMs: number;
  readonly hopMs: number;
  readonly fftSize: number;
  readonly window: 'hann' | 'hamming';
  readonly removeDc: boolean;
  readonly preemphasis: number;
  readonly melBins: number;
  readonly lowHz: number;
  readonly highHz: number;
  readonly logFloor: number;
  readonly stack: number;
  readonly stride: number;
  /** Per mel bin, of the log energies of the training data. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Weights under which an utterance that is over is searched once more. */
export interface Weighting {
  readonly priorWeight: number;
  readonly blankBias: number;
  /** Share of the log prior that comes from the utterance's own posteriors. Absent: 0. */
  readonly ownShare?: number;
  /** What it finds only counts for or against what others find, and is never what was said. Absent: false. */
  readonly votes?: boolean;
}

export interface Decoding {
  /** Scores are log p(unit) - priorWeight * logPrior[unit], and + blankBias for blank. */
  readonly priorWeight: number;
  readonly logPrior: readonly number[];
  readonly blankBias: number;
  /** Of the sentences that all weightings find, the one with most confidence counts. Absent: none but the first. */
  readonly weightings?: readonly Weighting[];
  /** Vocal tracts through which an utterance is heard again that would be refused, as warps of the frequencies. Absent: none. */
  readonly warps?: readonly number[];
  /** Frames by which it is heard again begun later, before all warps and where it is neither hopeless nor plain. Absent: none. */
  readonly shifts?: readonly number[];
}

/** Each weighting costs a search; more than these are an error. */
const weightingsMax = 4;
/** Each warp costs a pass of the network and all searches. */
const warpsMax = 4;

export interface Logistic {
  readonly bias: number;
  readonly weights: Readonly<Record<string, number>>;
}

/** ln p of the first phone, and of each phone after each other one. Indices are unit ids less one: no blank. */
export interface PhoneChain {
  readonly first: readonly number[];
  readonly next: readonly (readonly number[])[];
}

export interface Confidence {
  /** 1: one logistic function. 2: a second one for rivals, and a measured curve. 3: a third for noise, and a phone chain. Absent: 1. */
  readonly version?: 1 | 2 | 3;
  /** Whether the sentence is what was said at all. */
  readonly bias: number;
  readonly weights: Readonly<Record<string, number>>;
  /** Whether it, and no other of the grammar, is; both must hold. Absent: always. */
  readonly rival?: Logistic;
  /** Whether anybody spoke; this must hold as well. Absent: always. */
  readonly speech?: Logistic;
  /** How phones follow each other in the language; see search/filler.ts. Absent: evidence made of it is 0. */
  readonly chain?: PhoneChain;
  /** Score -> probability, piecewise linear, both rising. Absent: the logistic function. */
  readonly curve?: readonly (readonly [number, number])[];
  /** Below this probability a command is refused, unless an intent says otherwise. */
  readonly threshold: number;
  /** Below this probability that no other command was meant, by `rival`, it is refused as ambiguous. Absent: never. */
  readonly minCertainty?: number;
}

export interface EndpointTimes {
  /** Silence that ends a sentence that cannot go on. */
  readonly finalMs: number;
  /** Silence that ends a sentence that could go on. Absent: between finalMs and prefixMs. */
  readonly openMs?: number;
  /** Silence that ends an unfinished sentence. */
  readonly prefixMs: number;
  /** A finished sentence ends this long after its last word, whatever is heard. Absent: prefixMs + finalMs. */
  readonly holdMs?: number;
  readonly nothingMs: number;
  readonly maxUtteranceMs: number;
  readonly preRollMs: number;
}

export interface Manifest {
  readonly format: 1;
  /** Absent: 'model'. */
  readonly kind?: 'model';
  readonly name: string;
  readonly version: string;
  readonly minAgent: string;
  readonly licence: string;
  readonly trainingData: readonly Readonly<Record<string, unknown>>[];
  readonly files: Readonly<Record<string, FileEntry>>;
  readonly selftest: {
    readonly text: string;
    readonly grammar: unknown;
    /** SHA-256 of the float32 logits of the clip, little-endian; of networks that are exact everywhere. */
    readonly logits?: { readonly sha256: string; readonly steps: number };
  };
  readonly features: FeatureOptions;
  readonly units: readonly string[];
  readonly network: {
    readonly kind: string;
    readonly layers: readonly number[];
    /** Of a factored network ("lstmp"): rank of each layer's projection, and of the input's. */
    readonly ranks?: readonly number[];
    readonly inputRank?: number;
    readonly parameters: number;
    readonly chunkSteps: number;
    readonly state: readonly { readonly name: string; readonly shape: readonly number[] }[];
  };
  readonly quantization: {
    readonly weights: string;
    readonly activations?: string;
    /** How the scales of the activations were chosen. */
    readonly calibration?: Readonly<Record<string, unknown>>;
  };
  readonly decoding: Decoding;
  readonly confidence: Confidence;
  readonly endpoint: EndpointTimes;
  readonly measured: Readonly<Record<string, unknown>>;
  /** With which language model free words were measured, at least. Absent: with any. */
  readonly languageModel?: WantedLanguageModel;
}

/** Every field that must be there, and what it must look like. */
export const manifestFields: Readonly<Record<string, Check>> = {
  name: text,
  version: semver,
  minAgent: semver,
  licence: text,
  trainingData: list,
  files: fileEntries,
  'selftest.text': text,
  'selftest.grammar': record,
  'features.sampleRateHz': number(8000, 48000),
  'features.windowMs': number(5, 100),
  'features.hopMs': number(1, 50),
  'features.fftSize': whole(64, 8192),
  'features.window': oneOf('hann', 'hamming'),
  'features.removeDc': flag,
  'features.preemphasis': number(0, 1),
  'features.melBins': whole(4, 256),
  'features.lowHz': number(0, 24000),
  'features.highHz': number(100, 24000),
  'features.logFloor': number(1e-12, 1),
  'features.stack': whole(1, 32),
  'features.stride': whole(1, 32),
  'features.mean': numbers,
  'features.std': numbers,
  units: texts,
  'network.kind': oneOf('lstm', 'lstmp'),
  'network.layers': numbers,
  'network.parameters': number(1),
  'network.chunkSteps': whole(1, 64),
  'network.state': stateTensors,
  'quantization.weights': text,
  'decoding.priorWeight': number(0, 2),
  'decoding.logPrior': numbers,
  'decoding.blankBias': number(-20, 20),
  'confidence.bias': number(),
  'confidence.weights': numberRecord,
  'confidence.threshold': number(0, 1),
  'endpoint.finalMs': number(60, 5000),
  'endpoint.prefixMs': number(60, 10000),
  'endpoint.openMs': optional(number(60, 10000)),
  'endpoint.holdMs': optional(number(60, 20000)),
  'endpoint.nothingMs': number(60, 20000),
  'endpoint.maxUtteranceMs': number(1000, 60000),
  'endpoint.preRollMs': number(0, 3000),
  measured: record,
  languageModel: optional((v) =>
    (text(at(v, 'name')) ?? semver(at(v, 'minVersion'))) === undefined
      ? undefined
      : '{"name": text, "minVersion": a version like 1.2.3}',
  ),
};

/** Reads manifest.json of a model bundle. All faults at once, each with the field's path, what it is and what it should be. */
export function parseManifest(source: string, where: string, agentVersion: string): Manifest {
  return parseAs<Manifest>(
    source,
    { where, agentVersion },
    'model',
    manifestFields,
    contradictions,
  );
}

/** Log energies lie far within; beyond, a feature is no number in 32 bits. */
const featureMax = 1e6;

/** What single fields cannot show: that they agree with each other. */
function contradictions(m: Manifest): string[] {
  const faults: string[] = [];
  const same = (path: string, got: number, expected: number, why: string) => {
    if (got !== expected) faults.push(`${path}: ${got}, expected ${expected} (${why})`);
  };
  same('features.mean', m.features.mean.length, m.features.melBins, 'one a mel bin');
  same('features.std', m.features.std.length, m.features.melBins, 'one a mel bin');
  same('decoding.logPrior', m.decoding.logPrior.length, m.units.length, 'one a unit');
  faults.push(
    ...weightingFaults(m.decoding),
    ...warpFaults(m.decoding),
    ...shiftFaults(m),
    ...confidenceFaults(m.confidence, m.units.length),
    ...networkFaults(m),
  );
  if (m.features.std.some((s) => s <= 0)) faults.push('features.std: not positive');
  else if (m.features.std.some((s) => s < 1 / featureMax))
    faults.push(`features.std: below ${1 / featureMax}`);
  if (m.features.mean.some((v) => Math.abs(v) > featureMax))
    faults.push(`features.mean: beyond ${featureMax}`);
  if (m.features.stride > m.features.stack)
    faults.push('features.stride: above features.stack: frames would be left out');
  if (m.features.highHz * 2 > m.features.sampleRateHz) {
    faults.push('features.highHz: above half the sample rate');
  }
  if (!Number.isInteger(Math.log2(m.features.fftSize))) {
    faults.push('features.fftSize: no power of two');
  }
  if (m.features.lowHz >= m.features.highHz) faults.push('features.lowHz: not below highHz');
  if (m.features.fftSize < (m.features.sampleRateHz * m.features.windowMs) / 1000) {
    faults.push('features.fftSize: shorter than the window');
  }
  for (const name of ['model.onnx', 'lexicon', 'selftest.wav']) {
    if (m.files[name] === undefined) faults.push(`files: "${name}" missing`);
  }
  return faults;
}

function weightingFaults({ weightings }: Decoding): string[] {
  if (weightings === undefined) return [];
  const within = (low: number, high: number, v: unknown) => number(low, high)(v) === undefined;
  const good =
    Array.isArray(weightings) &&
    weightings.length <= weightingsMax &&
    (weightings as unknown[]).every((r) => {
      const share = at(r, 'ownShare');
      return (
        within(0, 2, at(r, 'priorWeight')) &&
        within(-20, 20, at(r, 'blankBias')) &&
        (share === undefined || within(0, 1, share)) &&
        ['undefined', 'boolean'].includes(typeof at(r, 'votes'))
      );
    });
  return good
    ? []
    : [
        `decoding.weightings: expected at most ${weightingsMax} of {"priorWeight": 0 to 2, "blankBias": -20 to 20, "ownShare": 0 to 1, "votes": true or false}`,
      ];
}

function warpFaults({ warps }: Decoding): string[] {
  const good =
    warps === undefined ||
    (Array.isArray(warps) &&
      warps.length <= warpsMax &&
      (warps as unknown[]).every((w) => number(0.7, 1.4)(w) === undefined));
  return good ? [] : [`decoding.warps: expected at most ${warpsMax} numbers from 0.7 to 1.4`];
}

/** A shift by a whole step (`stride` frames) would be the first look again. */
function shiftFaults({ decoding: { shifts }, features: { stride } }: Manifest): string[] {
  const inside = (s: unknown) => Number.isInteger(s) && number(1, stride - 1)(s) === undefined;
  const good =
    shifts === undefined ||
    (Array.isArray(shifts) && new Set(shifts).size === shifts.length && shifts.every(inside));
  return good ? [] : [`decoding.shifts: expected different whole numbers from 1 to ${stride - 1}`];
}

/** Optional fields of network, quantization and self-test: absent is fine, wrong is not. */
function networkFaults({ network, quantization, selftest }: Manifest): string[] {
  const faults: string[] = [];
  const { ranks, layers } = network;
  if (ranks !== undefined && (numbers(ranks) !== undefined || ranks.length !== layers.length))
    faults.push('network.ranks: expected one number a layer');
  if (quantization.activations !== undefined && text(quantization.activations) !== undefined)
    faults.push('quantization.activations: expected a text');
  const logits: unknown = selftest.logits;
  const { sha256, steps } = (logits ?? {}) as Partial<Record<string, unknown>>;
  if (
    logits !== undefined &&
    !(typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) && Number.isInteger(steps))
  )
    faults.push('selftest.logits: expected {sha256: 64 hex digits, steps: whole number}');
  return faults;
}

function isChain(value: unknown, phones: number): boolean {
  const row = (v: unknown) => numbers(v) === undefined && (v as number[]).length === phones;
  const next = at(value, 'next');
  return (
    row(at(value, 'first')) && Array.isArray(next) && next.length === phones && next.every(row)
  );
}

/** A form of the confidence that this agent does not know must not be guessed at. */
function confidenceFaults(confidence: Confidence, units: number): string[] {
  const { version, curve, chain, minCertainty } = confidence;
  const faults: string[] = [];
  const uncertain = minCertainty === undefined ? undefined : number(0, 1)(minCertainty);
  if (uncertain !== undefined) faults.push(`confidence.minCertainty: ${uncertain}`);
  for (const name of ['rival', 'speech'] as const) {
    const part = confidence[name];
    if (part !== undefined && (number()(at(part, 'bias')) ?? numberRecord(at(part, 'weights'))))
      faults.push(`confidence.${name}: expected {"bias": number, "weights": object of numbers}`);
  }
  if (chain !== undefined && !isChain(chain, units - 1))
    faults.push(
      `confidence.chain: expected {"first": ${units - 1} numbers, "next": ${units - 1} times as many}`,
    );
  if (version !== undefined && ![1, 2, 3].includes(version))
    faults.push(`confidence.version: ${JSON.stringify(version)}, expected 1, 2 or 3`);
  if (curve === undefined) return faults;
  const points: readonly unknown[] = Array.isArray(curve) ? curve : [];
  const rising = points.every((point, i) => {
    if (!Array.isArray(point) || point.length !== 2) return false;
    const [x, y] = point as unknown[];
    const [x0, y0] = i === 0 ? [-Infinity, 0] : (points[i - 1] as [number, number]);
    return (
      typeof x === 'number' && typeof y === 'number' && x > x0 && y >= y0 && y <= 1 && x < Infinity
    );
  });
  if (points.length < 2 || !rising)
    faults.push('confidence.curve: expected two or more [score, probability], both rising');
  return faults;
}
