/** Small real checkpoints and bundles, made from a seed. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeWav } from '../../src/audio/index.js';
import type { Confidence, FeatureOptions } from '../../src/bundle/index.js';
import { parseCheckpoint, type Checkpoint } from '../../src/compress/checkpoint.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { packBundle } from '../../src/compress/pack.js';
import { tinyLexiconBytes, units } from './lexicons.js';

export { fullLexicon, tinyLexicon, tinyLexiconBytes, units } from './lexicons.js';

export const features: FeatureOptions = {
  sampleRateHz: 16000,
  windowMs: 25,
  hopMs: 10,
  fftSize: 512,
  window: 'hann',
  removeDc: true,
  preemphasis: 0.97,
  melBins: 40,
  lowHz: 60,
  highHz: 7600,
  logFloor: 1e-5,
  stack: 8,
  stride: 3,
  mean: Array.from({ length: 40 }, () => -5),
  std: Array.from({ length: 40 }, () => 3),
};

export function safetensors(
  tensors: ReadonlyMap<string, { shape: number[]; data: Float32Array }>,
  meta: unknown,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { kikitori: JSON.stringify(meta) } };
  let at = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([
    length,
    json,
    ...[...tensors.values()].map((t) => Buffer.from(t.data.buffer)),
  ]);
}

export function tinyCheckpointBytes(layers: readonly number[] = [12, 10], seed = 1): Uint8Array {
  const random = randomFrom(seed);
  const tensors = new Map<string, { shape: number[]; data: Float32Array }>();
  const tensor = (name: string, ...shape: number[]) =>
    tensors.set(name, {
      shape,
      data: Float32Array.from(
        { length: shape.reduce((a, b) => a * b, 1) },
        () => 0.8 * (random() - 0.5),
      ),
    });
  let below = 320;
  layers.forEach((cells, l) => {
    tensor(`lstm.${l}.weight_ih`, 4 * cells, below);
    tensor(`lstm.${l}.weight_hh`, 4 * cells, cells);
    tensor(`lstm.${l}.bias`, 4 * cells);
    below = cells;
  });
  tensor('output.weight', units.length, below);
  tensor('output.bias', units.length);
  return safetensors(tensors, {
    format: 1,
    features,
    units,
    network: { kind: 'lstm', layers },
    training: {},
  });
}

export const tinyCheckpoint = (layers?: readonly number[], seed?: number): Checkpoint =>
  parseCheckpoint(tinyCheckpointBytes(layers, seed), 'tiny');

/** A small bundle in a folder of its own; unless a checkpoint is given its network knows nothing. */
export async function tinyBundle(
  name = 'bundle',
  checkpoint: Checkpoint = tinyCheckpoint(),
  confidence: Confidence = { bias: 0, weights: { llrMean: 1 }, threshold: 0.5 },
): Promise<{ path: string; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const path = join(folder, name);
  await packBundle({
    checkpoint,
    ...(checkpoint.quantization === undefined ? { precision: 'float32' as const } : {}),
    lexicon: tinyLexiconBytes(),
    selftest: {
      wav: encodeWav(new Float32Array(16000), 16000),
      // An untrained network hears anything; a word without an opposite is the only one its grammar listens for.
      text: 'conveyor',
      grammar: { intents: { all: { data: [{ sentences: ['conveyor'] }] } } },
    },
    name: 'tiny',
    version: '1.0.0',
    licence: 'Apache-2.0',
    trainingData: [],
    decoding: { priorWeight: 0, logPrior: units.map(() => 0), blankBias: 0 },
    confidence,
    endpoint: {
      finalMs: 330,
      prefixMs: 810,
      nothingMs: 1500,
      maxUtteranceMs: 8000,
      preRollMs: 600,
    },
    measured: {},
    out: path,
  });
  return { path, folder };
}

export async function writeTemporary(name: string, content: string | Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-test-'));
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}
