import { parseWav } from '../audio/index.js';
import type { LanguageManifest } from '../bundle/index.js';
import type { LanguageModel } from '../language/model.js';
import { PerplexityMeter } from '../language/perplexity.js';
import { processorMs } from '../runtime/processor-time.js';
import { dictate } from './dictate.js';
import { Engine } from './engine.js';
import { readFreeWords } from './free-words.js';
import { peakRssMb } from './selftest.js';

export interface LanguageSelfTestOptions {
  /** A language model: a bundle, or a file of `kikitori lm`, which has no sentences of its own. */
  readonly path: string;
  /** The bundle that hears with it. */
  readonly modelPath: string;
  readonly wordsPath?: string;
  readonly boostPath?: string;
  readonly threads?: number;
}

export interface LanguageSelfTestResult {
  readonly passed: boolean;
  /** Why not, in words. */
  readonly why?: string;
  readonly name: string;
  readonly version: string;
  /** Of the sentences that it carries. Null: it carries none. */
  readonly perplexity: number | null;
  /** Of the bundle that hears with it. */
  readonly sampleRateHz: number;
  /** Words that are listened for. */
  readonly words: number;
  /** The clip of the bundle that hears, written down with it: the quickest of two runs after the first. */
  readonly realTimeFactor: number;
  readonly processorFactor: number;
  readonly openMs: number;
  readonly peakRssMb: number;
}

/** How well a language model foretells the sentences of its manifest, as spoken words. */
export function ownPerplexity(
  model: LanguageModel,
  { selftest }: Pick<LanguageManifest, 'selftest'>,
) {
  const meter = new PerplexityMeter(model);
  for (const sentence of selftest.sentences) meter.add(sentence.split(' '));
  return meter.result.perplexity;
}

/** Opens a language model as the daemon would, asks it its own sentences, and says what hearing with it costs here. */
export async function languageSelfTest(
  o: LanguageSelfTestOptions,
): Promise<LanguageSelfTestResult> {
  const begin = performance.now();
  const engine = await Engine.open({
    modelPath: o.modelPath,
    ...(o.wordsPath === undefined ? {} : { wordsPath: o.wordsPath }),
    threads: o.threads ?? 1,
  });
  try {
    const files = { languageModelPath: o.path, boostPath: o.boostPath ?? '' };
    const { graph, manifest } = await readFreeWords(engine.lexicon, files);
    const openMs = performance.now() - begin;
    const perplexity = manifest === undefined ? null : ownPerplexity(graph.model, manifest);
    const cost = await costOfClip(engine, graph);
    const why = manifest === undefined ? undefined : outside(perplexity ?? NaN, manifest);
    return {
      passed: why === undefined,
      ...(why === undefined ? {} : { why }),
      name: manifest?.name ?? '',
      version: manifest?.version ?? '',
      perplexity,
      sampleRateHz: engine.bundle.manifest.features.sampleRateHz,
      words: graph.words,
      ...cost,
      openMs,
      peakRssMb: peakRssMb(),
    };
  } finally {
    await engine.close();
  }
}

function outside(perplexity: number, { selftest }: LanguageManifest): string | undefined {
  const { min, max } = selftest.perplexity;
  if (perplexity >= min && perplexity <= max) return undefined;
  return `the perplexity of its ${selftest.sentences.length} sentences is ${perplexity.toFixed(1)}, it says ${min} to ${max}`;
}

async function costOfClip(engine: Engine, graph: Parameters<typeof dictate>[1]) {
  const wav = parseWav(engine.bundle.file('selftest.wav'), 'selftest.wav');
  const samples = wav.channels[0] ?? new Float32Array(0);
  const clipMs = (1000 * Math.max(1, samples.length)) / wav.rateHz;
  const runs: { wall: number; processor: number }[] = [];
  // The first warms up.
  for (let run = 0; run < 3; run++) {
    const [begin, beginProcessor] = [performance.now(), processorMs()];
    const segments = dictate(engine, graph, samples);
    while ((await segments.next()).done !== true);
    const [wall, processor] = [performance.now() - begin, processorMs() - beginProcessor];
    if (run > 0) runs.push({ wall: wall / clipMs, processor: processor / clipMs });
  }
  return {
    realTimeFactor: Math.min(...runs.map(({ wall }) => wall)),
    processorFactor: Math.min(...runs.map(({ processor }) => processor)),
  };
}
