import { KikitoriError } from '../../runtime/errors.js';
import { tensorOf, type NetworkCheckpoint } from '../checkpoint.js';
import { buildGraph } from '../graph/build.js';
import { storedBytesOf } from '../pack.js';
import { answersOf } from './answers.js';
import { distance } from './compare.js';
import { inNibbles, type IntegerFormat } from './formats.js';
import { activationNames } from './scales.js';

/** What 4 bits of one matrix cost and save, all others as they were. */
export interface MatrixCost {
  readonly name: string;
  /** Mean Kullback-Leibler divergence of the answers, nats a step. */
  readonly divergence: number;
  /** Of what a bundle stores. */
  readonly savedBytes: number;
}

export interface Mixed<T> {
  readonly network: T;
  readonly costs: readonly MatrixCost[];
  /** Names of what is in 4 bits. */
  readonly inFourBits: ReadonlySet<string>;
  readonly storedBytes: number;
}

export interface Budget {
  readonly storedBytesMax: number;
  /** The network's file, for the message when it cannot be met. */
  readonly where: string;
  readonly progress?: (done: number, of: number) => void;
}

/**
 * Those matrices in 4 bits that make a bundle small enough at the least cost. Each is measured alone: divergences are taken to add up, as
 * the bytes nearly do.
 * @param rounded the same network, every matrix on the grid of 4 bits
 * @param pieces rows of features, one array a clip
 * @throws when all of them in 4 bits are too many bytes
 */
export async function mixedToFit<T extends NetworkCheckpoint>(
  network: T,
  rounded: T,
  pieces: readonly Float32Array[],
  { storedBytesMax, where, progress }: Budget,
): Promise<Mixed<T>> {
  const names = [...network.tensors].filter(([n, w]) => inNibbles(n, w)).map(([name]) => name);
  const mixed = (some: Iterable<string>): T => {
    const tensors = new Map(network.tensors);
    for (const name of some) tensors.set(name, tensorOf(rounded, name));
    return { ...network, tensors };
  };
  const bytesOf = (some: Iterable<string>) => storedBytesOf(graphInBytes(mixed(some), 'mixed'));
  const least = bytesOf(names);
  if (least > storedBytesMax)
    throw new KikitoriError(`with every matrix in 4 bits a bundle stores ${least} bytes of it`, {
      kind: 'input',
      where,
      expected: `at most ${storedBytesMax}`,
      hint: 'make it smaller first: kikitori model compress --params',
    });
  const most = bytesOf([]);
  const float = await answersOf(network, pieces, 'float32');
  const costs: MatrixCost[] = [];
  for (const [i, name] of names.entries()) {
    progress?.(i, names.length);
    const answers = await answersOf(mixed([name]), pieces, 'float32');
    const { divergence } = distance(float, answers, network.outputs);
    costs.push({ name, divergence, savedBytes: most - bytesOf([name]) });
  }
  // What bytes lack of adding up is asked for on top.
  for (let wanted = most - storedBytesMax; ;) {
    const inFourBits = new Set(cheapest(costs, wanted) ?? names);
    const storedBytes = bytesOf(inFourBits);
    if (storedBytes <= storedBytesMax)
      return { network: mixed(inFourBits), costs, inFourBits, storedBytes };
    wanted += storedBytes - storedBytesMax;
  }
}

/** Bytes are counted in so many. */
const unit = 64;

/** The set of least divergence that saves so many bytes (a knapsack, by dynamic programming); undefined when all save fewer. */
export function cheapest(
  costs: readonly MatrixCost[],
  wantedBytes: number,
): readonly string[] | undefined {
  const wanted = Math.max(0, Math.ceil(wantedBytes / unit));
  // Of each saving, from none to what is wanted and more: the least divergence, and by what.
  const best: { divergence: number; names: readonly string[] }[] = Array.from(
    { length: wanted + 1 },
    (_, i) => ({ divergence: i === 0 ? 0 : Infinity, names: [] }),
  );
  for (const { name, divergence, savedBytes } of costs) {
    const saved = Math.floor(savedBytes / unit);
    for (let i = wanted; i > 0; i--) {
      const before = best[Math.max(0, i - saved)];
      const now = best[i];
      if (before === undefined || now === undefined) continue;
      if (before.divergence + divergence < now.divergence && saved > 0)
        best[i] = { divergence: before.divergence + divergence, names: [...before.names, name] };
    }
  }
  const found = best[wanted];
  return found === undefined || found.divergence === Infinity ? undefined : found.names;
}

/** A network file for its size: scales of activations take the same room whatever they are. */
export function graphInBytes(network: NetworkCheckpoint, weights: IntegerFormat): Uint8Array {
  const activations = Object.fromEntries(activationNames(network).map((n) => [n, 1 / 127]));
  return buildGraph({ ...network, quantization: { weights, activations } }).onnx;
}
