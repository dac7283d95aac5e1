import {
  Bundle,
  parseManifest,
  sha256,
  writeBundle,
  type Confidence,
  type Decoding,
  type EndpointTimes,
  type Manifest,
} from '../bundle/index.js';
import { agentVersion } from '../runtime/version.js';
import type { Checkpoint } from './checkpoint.js';
import { denseGraph } from './graph/dense.js';
import type { Precision } from './graph/onnx.js';

export interface PackOptions {
  readonly checkpoint: Checkpoint;
  readonly precision: Precision;
  readonly lexicon: Uint8Array;
  readonly selftest: { readonly wav: Uint8Array; readonly text: string; readonly grammar: unknown };
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly trainingData: readonly Readonly<Record<string, unknown>>[];
  readonly decoding: Decoding;
  readonly confidence: Confidence;
  readonly endpoint: EndpointTimes;
  readonly measured: Readonly<Record<string, unknown>>;
  /** A folder, or a path that ends in .tar. */
  readonly out: string;
}

/** Checkpoint and everything that belongs to it -> bundle. The same input gives the same bytes. */
export async function packBundle(o: PackOptions): Promise<void> {
  const files = new Map<string, Uint8Array>([
    ['model.onnx', denseGraph(o.checkpoint, o.precision)],
    ['lexicon', o.lexicon],
    ['selftest.wav', o.selftest.wav],
  ]);
  const { checkpoint } = o;
  let parameters = 0;
  for (const tensor of checkpoint.tensors.values()) parameters += tensor.data.length;
  const manifest = {
    format: 1,
    name: o.name,
    version: o.version,
    minAgent: agentVersion,
    licence: o.licence,
    trainingData: o.trainingData,
    files: Object.fromEntries(
      [...files].map(([name, bytes]) => [name, { sha256: sha256(bytes), bytes: bytes.length }]),
    ),
    selftest: { text: o.selftest.text, grammar: o.selftest.grammar },
    features: checkpoint.features,
    units: checkpoint.units,
    network: {
      kind: 'lstm',
      layers: checkpoint.layers,
      parameters,
      chunkSteps: 4,
      state: checkpoint.layers.flatMap((cells, l) => [
        { name: `h${l}`, shape: [1, 1, cells] },
        { name: `c${l}`, shape: [1, 1, cells] },
      ]),
    },
    quantization: { weights: o.precision },
    decoding: o.decoding,
    confidence: o.confidence,
    endpoint: o.endpoint,
    measured: o.measured,
  };
  const bytes = Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`);
  await writeBundle(o.out, new Map([['manifest.json', bytes], ...files]));
}

/**
 * Replaces values of a bundle's manifest and nothing else, atomically: every other file keeps its
 * bytes. The bundle's digest changes with it, so do this before signing.
 */
export async function rewriteManifest(
  path: string,
  changes: Partial<Pick<Manifest, 'decoding' | 'confidence' | 'endpoint' | 'measured'>>,
): Promise<void> {
  const bundle = await Bundle.open(path);
  const manifest = { ...bundle.manifest, ...changes };
  const text = `${JSON.stringify(manifest, null, 1)}\n`;
  parseManifest(text, path, agentVersion);
  const files = new Map<string, Uint8Array>([['manifest.json', Buffer.from(text)]]);
  for (const name of Object.keys(manifest.files)) files.set(name, bundle.file(name));
  await writeBundle(path, files);
}
