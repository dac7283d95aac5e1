import { readFile } from 'node:fs/promises';
import type { FeatureOptions } from '../bundle/index.js';
import { atomicWrite } from '../runtime/atomic-write.js';
import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';
import { readQuantization, type CheckpointQuantization } from './quantize/scales.js';
import { encodeSafetensors, parseSafetensors, wrong, type Tensor } from './safetensors.js';

export { floatToHalf, halfToFloat } from './half.js';
export type { Tensor } from './safetensors.js';

/**
 * A trained network, whatever it hears. Gates in the order i, f, g, o.
 *
 * - `lstm` (dense): `lstm.l.weight_ih` [4N, below], `lstm.l.weight_hh` [4N, N], `lstm.l.bias` [4N],
 *   `output.weight` [O, N], `output.bias` [O].
 * - `lstmp` (factored): also `lstm.l.projection` [r, N]; p = P h is the recurrent state and the input
 *   of the next layer, so `weight_hh` is [4N, r] and `below` the rank of the layer below;
 *   `input.projection` [r0, D] when `inputRank` > 0, and layer 0 then reads r0 values.
 */
export interface NetworkCheckpoint {
  readonly kind: 'lstm' | 'lstmp';
  /** Cells per LSTM layer. */
  readonly layers: readonly number[];
  /** Rank of each layer's projection; empty in a dense network. */
  readonly ranks: readonly number[];
  /** Rank of the input projection; 0: the input is not projected. */
  readonly inputRank: number;
  /** Values in and out per step. */
  readonly inputs: number;
  readonly outputs: number;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly training: Readonly<Record<string, unknown>>;
  /** What the weights are to be stored as, and the scales of the activations: docs/quantization.md. */
  readonly quantization?: CheckpointQuantization;
  /** Absent in networks that hear something else than this package's frontend gives. */
  readonly features?: FeatureOptions;
  readonly units?: readonly string[];
}

/** A network of speech, as the trainer writes it: how its input is made and what its outputs are. */
export interface Checkpoint extends NetworkCheckpoint {
  readonly features: FeatureOptions;
  readonly units: readonly string[];
}

/** Reads a checkpoint of speech: safetensors with metadata of format 1. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  return speech(await readNetwork(path), path);
}

/** Reads a checkpoint of any network. */
export async function readNetwork(path: string): Promise<NetworkCheckpoint> {
  try {
    return parseNetwork(await readFile(path), path);
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    throw wrong(path, codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error));
  }
}

export function parseCheckpoint(bytes: Uint8Array, where: string): Checkpoint {
  return speech(parseNetwork(bytes, where), where);
}

function speech(network: NetworkCheckpoint, where: string): Checkpoint {
  const { features, units } = network;
  if (features === undefined || units === undefined) {
    throw wrong(where, 'features or units are missing from the metadata', 'a network of speech');
  }
  return { ...network, features, units };
}

export function parseNetwork(bytes: Uint8Array, where: string): NetworkCheckpoint {
  const { tensors, metadata } = parseSafetensors(bytes, where);
  let meta: Record<string, unknown> | null;
  try {
    meta = JSON.parse(metadata['kikitori'] ?? 'null') as Record<string, unknown> | null;
  } catch (error) {
    throw wrong(where, `the metadata is damaged: ${messageOf(error)}`);
  }
  if (meta === null || meta['format'] !== 1) {
    throw wrong(
      where,
      'there is no kikitori metadata of format 1 in it',
      'a checkpoint of this trainer',
    );
  }
  const shape = shapeOf(meta, where);
  const { quantization, faults: scaleFaults } = readQuantization(shape, meta['quantization']);
  const checkpoint: NetworkCheckpoint = {
    ...shape,
    tensors,
    ...(quantization === undefined ? {} : { quantization }),
  };
  const faults = [...shapeFaults(checkpoint), ...scaleFaults];
  if (faults.length > 0) throw wrong(where, faults.join('; '));
  return checkpoint;
}

const isCount = (v: unknown): v is number => Number.isInteger(v) && (v as number) > 0;
const areCounts = (v: unknown): v is number[] => Array.isArray(v) && v.every(isCount);

/** Everything of the metadata that says what the tensors must look like. */
function shapeOf(
  meta: Readonly<Record<string, unknown>>,
  where: string,
): Omit<NetworkCheckpoint, 'tensors'> {
  const network = (meta['network'] ?? {}) as Readonly<Record<string, unknown>>;
  const features = meta['features'] as FeatureOptions | undefined;
  const units = meta['units'] as string[] | undefined;
  const inputs = network['inputs'] ?? (features?.stack ?? NaN) * (features?.melBins ?? NaN);
  const outputs = network['outputs'] ?? units?.length;
  const { kind = 'lstm', layers, ranks = [], inputRank = 0 } = network;
  const faults: string[] = [];
  if (kind !== 'lstm' && kind !== 'lstmp') faults.push(`network.kind is ${JSON.stringify(kind)}`);
  if (!areCounts(layers) || layers.length === 0) faults.push('network.layers is no list of counts');
  if (!areCounts(ranks)) faults.push('network.ranks is no list of counts');
  if (inputRank !== 0 && !isCount(inputRank)) faults.push('network.inputRank is no count');
  if (!isCount(inputs)) faults.push('neither features nor network.inputs say the size of a step');
  if (!isCount(outputs)) faults.push('neither units nor network.outputs say the number of outputs');
  if (units !== undefined && !Array.isArray(units)) faults.push('units is no list');
  if (areCounts(layers) && areCounts(ranks)) {
    const wanted = kind === 'lstmp' ? layers.length : 0;
    if (ranks.length !== wanted) faults.push(`${ranks.length} ranks for ${wanted} projections`);
  }
  if (kind === 'lstm' && inputRank !== 0) faults.push('a dense network has no input projection');
  if (faults.length > 0) throw wrong(where, faults.join('; '), 'metadata of format 1');
  return {
    kind: kind as 'lstm' | 'lstmp',
    layers: layers as number[],
    ranks: ranks as number[],
    inputRank: inputRank as number,
    inputs: inputs as number,
    outputs: outputs as number,
    training: (meta['training'] ?? {}) as Record<string, unknown>,
    ...(features === undefined ? {} : { features }),
    ...(units === undefined ? {} : { units }),
  };
}

/** The shape of every tensor that a network of this size has. */
export function tensorShapes(
  c: Omit<NetworkCheckpoint, 'tensors' | 'training'>,
): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  let below = c.inputs;
  if (c.inputRank > 0) {
    shapes.set('input.projection', [c.inputRank, c.inputs]);
    below = c.inputRank;
  }
  c.layers.forEach((cells, l) => {
    const state = c.ranks[l] ?? cells;
    shapes.set(`lstm.${l}.weight_ih`, [4 * cells, below]);
    shapes.set(`lstm.${l}.weight_hh`, [4 * cells, state]);
    if (c.kind === 'lstmp') shapes.set(`lstm.${l}.projection`, [state, cells]);
    shapes.set(`lstm.${l}.bias`, [4 * cells]);
    below = state;
  });
  shapes.set('output.weight', [c.outputs, below]);
  shapes.set('output.bias', [c.outputs]);
  return shapes;
}

/** What is missing, superfluous, misshapen or not finite, in words. */
function shapeFaults(c: NetworkCheckpoint): string[] {
  const faults: string[] = [];
  const shapes = tensorShapes(c);
  for (const [name, shape] of shapes) {
    const got = c.tensors.get(name);
    if (got === undefined) faults.push(`${name} is missing`);
    else if (got.shape.join() !== shape.join())
      faults.push(`${name} is [${got.shape.join()}], expected [${shape.join()}]`);
    else if (!got.data.every(Number.isFinite))
      faults.push(`${name} holds values that are no numbers`);
  }
  c.ranks.forEach((rank, l) => {
    const cells = c.layers[l] ?? 0;
    if (rank > cells) faults.push(`rank ${rank} of layer ${l} is beyond its ${cells} cells`);
  });
  if (c.inputRank > c.inputs)
    faults.push(`input rank ${c.inputRank} is beyond the ${c.inputs} inputs`);
  for (const name of c.tensors.keys()) {
    if (!shapes.has(name))
      faults.push(`${name} belongs to no ${c.kind} of ${c.layers.length} layers`);
  }
  return faults;
}

export function parameterCount(c: Pick<NetworkCheckpoint, 'tensors'>): number {
  let sum = 0;
  for (const tensor of c.tensors.values()) sum += tensor.data.length;
  return sum;
}

/** The bytes of a checkpoint; refuses one whose tensors do not fit its shape. */
export function encodeCheckpoint(c: NetworkCheckpoint, dtype: 'F32' | 'F16' = 'F32'): Uint8Array {
  const faults = shapeFaults(c);
  if (faults.length > 0) throw wrong('checkpoint', faults.join('; '));
  const {
    kind,
    layers,
    ranks,
    inputRank,
    inputs,
    outputs,
    features,
    units,
    training,
    quantization,
  } = c;
  const network = {
    kind,
    layers,
    ...(kind === 'lstmp' ? { ranks, inputRank } : {}),
    ...(features === undefined ? { inputs } : {}),
    ...(units === undefined ? { outputs } : {}),
  };
  const meta = { format: 1, features, units, network, training, quantization };
  const order = [...tensorShapes(c).keys()];
  const tensors = new Map(order.map((name) => [name, tensorOf(c, name)]));
  return encodeSafetensors({ tensors, metadata: { kikitori: JSON.stringify(meta) } }, dtype);
}

/** Writes a checkpoint whole or not at all. */
export async function writeCheckpoint(
  path: string,
  checkpoint: NetworkCheckpoint,
  dtype: 'F32' | 'F16' = 'F32',
): Promise<void> {
  await atomicWrite(path, encodeCheckpoint(checkpoint, dtype), 0o644);
}

/** A tensor that the shape check has seen. */
export function tensorOf(c: Pick<NetworkCheckpoint, 'tensors'>, name: string): Tensor {
  const tensor = c.tensors.get(name);
  if (tensor === undefined) throw new Error(`no tensor ${name}`);
  return tensor;
}
