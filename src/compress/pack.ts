import {
  Bundle,
  manifestText,
  pack,
  parseManifest,
  sha256,
  storedFiles,
  writeBundle,
  type Confidence,
  type Decoding,
  type EndpointTimes,
  type Manifest,
} from '../bundle/index.js';
import { parseWav } from '../audio/index.js';
import { Frontend } from '../frontend/index.js';
import { agentVersion } from '../runtime/version.js';
import { parameterCount, type Checkpoint } from './checkpoint.js';
import { buildGraph, type WeightFormat } from './graph/build.js';
import { nibblePlaces } from './graph/nibble-places.js';
import { GraphSession } from './graph/session.js';

export interface PackOptions {
  readonly checkpoint: Checkpoint;
  /** Absent: what the checkpoint is quantised to, else half precision. */
  readonly precision?: WeightFormat;
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
  /** With which language model free words were measured. */
  readonly languageModel?: Manifest['languageModel'];
  /** A folder, or a path that ends in .tar. */
  readonly out: string;
}

/** Steps in one call when live: 120 ms. */
const chunkSteps = 4;

/** Checkpoint and everything that belongs to it -> bundle. The same input gives the same bytes. */
export async function packBundle(o: PackOptions): Promise<void> {
  const { checkpoint } = o;
  const graph = buildGraph(checkpoint, o.precision);
  const files = new Map<string, Uint8Array>([
    ['model.onnx', graph.onnx],
    ['lexicon', o.lexicon],
    ['selftest.wav', o.selftest.wav],
  ]);
  const { entries, minAgent, stored } = pack(
    files,
    agentVersion,
    new Map([['model.onnx', nibblePlaces(graph.onnx)]]),
  );
  const exact = graph.activations === 'uint8';
  const manifest = {
    format: 1,
    name: o.name,
    version: o.version,
    minAgent,
    licence: o.licence,
    trainingData: o.trainingData,
    files: entries,
    selftest: {
      text: o.selftest.text,
      grammar: o.selftest.grammar,
      ...(exact ? { logits: await goldenLogits(checkpoint, graph.onnx, o.selftest.wav) } : {}),
    },
    features: checkpoint.features,
    units: checkpoint.units,
    network: {
      kind: checkpoint.kind,
      layers: checkpoint.layers,
      ...(checkpoint.kind === 'lstmp'
        ? { ranks: checkpoint.ranks, inputRank: checkpoint.inputRank }
        : {}),
      parameters: parameterCount(checkpoint),
      chunkSteps,
      state: graph.state,
    },
    quantization: {
      weights: graph.weights,
      activations: graph.activations,
      ...(exact ? { calibration: checkpoint.quantization?.calibration ?? {} } : {}),
    },
    decoding: o.decoding,
    confidence: o.confidence,
    endpoint: o.endpoint,
    measured: o.measured,
    ...(o.languageModel === undefined ? {} : { languageModel: o.languageModel }),
  };
  const bytes = Buffer.from(manifestText(manifest));
  await writeBundle(o.out, new Map([['manifest.json', bytes], ...stored]));
}

/** So many bytes a bundle stores of a network file. */
export function storedBytesOf(onnx: Uint8Array): number {
  const places = new Map([['model.onnx', nibblePlaces(onnx)]]);
  const { stored } = pack(new Map([['model.onnx', onnx]]), agentVersion, places);
  const [kept = onnx] = stored.values();
  return kept.length;
}

/** What every board must compute for the self-test's clip, bit for bit. */
async function goldenLogits(checkpoint: Checkpoint, onnx: Uint8Array, wav: Uint8Array) {
  const { channels } = parseWav(Buffer.from(wav), 'selftest.wav');
  const rows = new Frontend(checkpoint.features).feed(channels[0] ?? new Float32Array(0)).data;
  const session = await GraphSession.open(onnx, checkpoint.inputs);
  const logits = (await session.run(rows, [chunkSteps])).get('logits') ?? new Float32Array(0);
  await session.release();
  return {
    sha256: sha256(new Uint8Array(logits.buffer)),
    steps: logits.length / checkpoint.outputs,
  };
}

/**
 * Replaces values of a bundle's manifest and nothing else, atomically: every other file keeps its
 * bytes, packed or not. The bundle's digest changes with it, so do this before signing.
 */
export async function rewriteManifest(
  path: string,
  changes: Partial<
    Pick<Manifest, 'minAgent' | 'decoding' | 'confidence' | 'endpoint' | 'measured'>
  >,
): Promise<void> {
  const bundle = await Bundle.open(path);
  const manifest = { ...bundle.manifest, ...changes };
  const text = manifestText(manifest);
  parseManifest(text, path, agentVersion);
  const files = await storedFiles(bundle);
  await writeBundle(path, files.set('manifest.json', Buffer.from(text)));
}

/**
 * A bundle with its lexicon built anew for the same units, and stored as bundles are today. What is in every other file
 * stays, and of the manifest all but sizes, hashes and the oldest agent that reads it. `out` may be the bundle itself. Gives
 * the lexicon's bytes.
 */
export async function repackLexicon(
  path: string,
  build: (units: readonly string[]) => Uint8Array,
  out: string,
): Promise<number> {
  const bundle = await Bundle.open(path);
  const lexicon = build(bundle.manifest.units);
  const names = Object.keys(bundle.manifest.files);
  const { entries, minAgent, stored } = pack(
    new Map(names.map((name) => [name, name === 'lexicon' ? lexicon : bundle.file(name)])),
    bundle.manifest.minAgent,
    new Map([['model.onnx', nibblePlaces(bundle.file('model.onnx'))]]),
  );
  const text = manifestText({ ...bundle.manifest, minAgent, files: entries });
  parseManifest(text, path, agentVersion);
  await writeBundle(out, new Map([['manifest.json', Buffer.from(text)], ...stored]));
  return lexicon.length;
}
