import { join } from 'node:path';
import type { Bundle } from '../../bundle/index.js';
import { parameterCount, type Checkpoint } from '../checkpoint.js';
import { randomFrom } from '../evaluate/statistics.js';
import { audioFeeds, factorize, parameters, prepare, withinBudget } from '../factorize/index.js';
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
  readonly folder: string;
  readonly progress: (line: string) => void;
}

/** Networks of both methods at each ratio, before any fine-tuning, as bundles in a folder. */
export async function curveSubjects(o: CurveOptions): Promise<Subject[]> {
  const { checkpoint } = o;
  const chain = await speechChain(checkpoint);
  const { feeds } = await audioFeeds(checkpoint, o.calibration, {
    seconds: o.seconds,
    random: randomFrom(1),
  });
  const subjects: Subject[] = [];
  for (const method of ['paper', 'data-aware'] as const) {
    const { analysis } = await prepare(chain, {
      method,
      feeds,
      loss: 'softmax',
      outputs: ['logits'],
      progress: o.progress,
    });
    for (const ratio of o.ratios) {
      const limit = parameterCount(checkpoint) / ratio;
      let ranks;
      try {
        ({ ranks } = withinBudget(analysis, { price: parameters, limit, multiple: 8 }));
      } catch {
        o.progress(`${method}: no network is ${ratio} times smaller`);
        continue;
      }
      const factored: Checkpoint = {
        ...checkpoint,
        ...factorize(analysis, ranks),
        quantization: undefined,
      };
      const path = join(o.folder, `${method}-${ratio}x`);
      await bundleLike(o.bundle, factored, `${method}-${ratio}x`, path);
      subjects.push({ name: `${method} ${ratio}x`, path, curve: { method, ratio } });
    }
  }
  return subjects;
}
