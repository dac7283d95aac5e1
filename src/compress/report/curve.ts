import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256, type Bundle } from '../../bundle/index.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { encodeCheckpoint, parameterCount, type Checkpoint } from '../checkpoint.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import {
  audioFeeds,
  explainedRank,
  analysisOf,
  factorize,
  parameters,
  prepare,
  withinBudget,
  type Analysis,
  type Ranks,
} from '../factorize/index.js';
import { packBundle } from '../pack.js';
import { speechChain } from '../speech-chain.js';
import type { Subject } from './report.js';

/** A checkpoint as a bundle, with everything else (lexicon, decoding, confidence) from another. */
export async function bundleLike(
  bundle: Bundle,
  checkpoint: Checkpoint,
  name: string,
  out: string,
): Promise<void> {
  const { manifest: m } = bundle;
  await packBundle({
    checkpoint,
    ...(checkpoint.quantization === undefined ? { precision: 'float32' as const } : {}),
    lexicon: bundle.file('lexicon'),
    selftest: {
      wav: bundle.file('selftest.wav'),
      text: m.selftest.text,
      grammar: m.selftest.grammar,
    },
    name,
    version: m.version,
    licence: m.licence,
    trainingData: m.trainingData,
    decoding: m.decoding,
    confidence: m.confidence,
    endpoint: m.endpoint,
    measured: {},
    out,
  });
}

export interface CurveOptions {
  readonly bundle: Bundle;
  readonly checkpoint: Checkpoint;
  readonly calibration: string;
  readonly seconds: number;
  readonly ratios: readonly number[];
  /** Both methods also at the ranks of the published rule. */
  readonly tau: number;
  readonly folder: string;
  readonly progress: (line: string) => void;
}

/**
 * Networks of both methods at each ratio and at the published ranks, before any fine-tuning, as bundles in
 * a folder. When they are there already, of the same dense network and options, they are not made again.
 */
export async function curveSubjects(o: CurveOptions): Promise<Subject[]> {
  const { calibration, seconds, ratios, tau, bundle } = o;
  const dense = sha256(encodeCheckpoint(o.checkpoint));
  const key = JSON.stringify({ dense, calibration, seconds, ratios, tau, like: bundle.sha256 });
  const list = join(o.folder, 'curve.json');
  const known = await readFile(list, 'utf8').catch(() => '{}');
  try {
    const { key: old, subjects } = JSON.parse(known) as { key?: string; subjects?: Subject[] };
    if (old === key && subjects !== undefined) return subjects;
  } catch {
    // Not ours: made again.
  }
  const subjects = await makeCurve(o);
  await atomicWrite(list, JSON.stringify({ key, subjects }), 0o644);
  return subjects;
}

async function makeCurve(o: CurveOptions): Promise<Subject[]> {
  const { checkpoint } = o;
  const chain = await speechChain(checkpoint);
  const { feeds } = await audioFeeds(checkpoint, o.calibration, {
    seconds: o.seconds,
    random: randomFrom(1),
  });
  const subjects: Subject[] = [];
  const add = async (
    curve: { readonly method: string; readonly tau?: number },
    name: string,
    analysis: Analysis,
    ranks: Ranks,
  ) => {
    const { method } = curve;
    const factored = { ...checkpoint, ...factorize(analysis, ranks), quantization: undefined };
    const path = join(o.folder, `${method}-${name}`);
    await bundleLike(o.bundle, factored, `${method}-${name}`, path);
    subjects.push({ name: `${method} ${name}`, path, curve });
  };
  let published: Ranks | undefined;
  for (const method of ['paper', 'data-aware'] as const) {
    const prepared = await prepare(chain, {
      method,
      feeds,
      loss: 'softmax',
      outputs: ['logits'],
      progress: o.progress,
    });
    const analysis = analysisOf(checkpoint, prepared.analysis);
    published ??= {
      layers: analysis.layers.map((basis) => explainedRank(basis.gains, o.tau)),
      input: 0,
    };
    await add({ method, tau: o.tau }, `tau-${o.tau}`, analysis, published);
    for (const ratio of o.ratios) {
      const limit = parameterCount(checkpoint) / ratio;
      let ranks;
      try {
        ({ ranks } = withinBudget(analysis, { price: parameters, limit, multiple: 8 }));
      } catch {
        o.progress(`${method}: no network is ${ratio} times smaller`);
        continue;
      }
      await add({ method }, `${ratio}x`, analysis, ranks);
    }
  }
  return subjects;
}
