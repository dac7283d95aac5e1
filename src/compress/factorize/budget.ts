import { KikitoriError } from '../../runtime/errors.js';
import { tensorShapes, type NetworkCheckpoint, type Tensor } from '../checkpoint.js';
import { buildGraph } from '../graph/build.js';
import { rewrite, type Chain } from '../import/index.js';
import { activationNames } from '../quantize/scales.js';
import type { Analysis, Ranks } from './factorize.js';
import { explainedRank, waterFill, type Candidate } from './ranks.js';

/** What a network costs: of each weight, of one more rank's row of P, and of everything fixed. */
export interface Price {
  /** Per weight of a matrix. */
  readonly weight: number;
  /** Per row of a projection, beyond its weights. */
  readonly row: number;
  /** Everything that no rank changes, but for an input matrix that is not projected. */
  readonly fixed: (network: NetworkCheckpoint) => number;
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** One a parameter. */
export const parameters: Price = {
  weight: 1,
  row: 0,
  fixed: (n) => 4 * sum(n.layers) + n.outputs,
};

/**
 * Bytes of the network file at 8 bits: a byte a weight; for a row of P also a float scale and a zero
 * point. All else is measured on the graph of a network of rank 1 rather than counted.
 */
export const bytesAt8Bits: Price = measured({ weight: 1, row: 5 }, (network) => {
  const activations = Object.fromEntries(activationNames(network).map((name) => [name, 1]));
  const quantization = { weights: 'uint8' as const, activations };
  return buildGraph({ ...network, quantization }, 'uint8').onnx.length;
});

/** Bytes of somebody else's file with the LSTM nodes rewritten: four a weight. */
export function bytesRewritten(chain: Chain): Price {
  return measured({ weight: 4, row: 0 }, (network) => rewrite(chain, network).length);
}

/** What does not depend on the ranks: the size of the smallest network's file, less what its ranks cost. */
function measured(
  { weight, row }: Pick<Price, 'weight' | 'row'>,
  sizeOf: (network: NetworkCheckpoint) => number,
): Price {
  const known = new WeakMap<NetworkCheckpoint, number>();
  const fixed = (network: NetworkCheckpoint) => {
    let bytes = known.get(network);
    if (bytes === undefined) {
      const ranks = { layers: network.layers.map(() => 1), input: 1 };
      bytes = sizeOf(blank(network, ranks)) - priceOf(network, ranks, { weight, row, fixed: free });
      known.set(network, bytes);
    }
    return bytes;
  };
  return { weight, row, fixed };
}

const free = () => 0;

/** A factored network of these ranks, all zeros. */
function blank(network: NetworkCheckpoint, { layers, input }: Ranks): NetworkCheckpoint {
  const shape = { ...network, kind: 'lstmp' as const, ranks: layers, inputRank: input };
  const tensors = new Map<string, Tensor>();
  for (const [name, dims] of tensorShapes(shape)) {
    const length = dims.reduce((a, b) => a * b, 1);
    tensors.set(name, { shape: dims, data: new Float32Array(length) });
  }
  return { ...shape, tensors };
}

export interface Budget {
  readonly price: Price;
  readonly limit: number;
  readonly multiple: number;
}

export interface Choice {
  readonly ranks: Ranks;
  /** What this choice costs by the budget's price. */
  readonly spent: number;
  /** Sum of the gains left out: with costs in nats, the predicted loss in nats per step. */
  readonly predictedLoss?: number;
}

/** Ranks of the whole network within one budget, by the method's own rule. */
export function withinBudget(analysis: Analysis, budget: Budget): Choice {
  return analysis.method === 'paper' ? highestTau(analysis, budget) : chooseRanks(analysis, budget);
}

/** One tau for all layers, the highest whose ranks fit: the published rule met with a budget. */
function highestTau({ network, layers }: Analysis, { price, limit }: Budget): Choice {
  const at = (tau: number): Ranks => ({
    layers: layers.map((basis) => explainedRank(basis.gains, tau)),
    input: 0,
  });
  const cost = (tau: number) => priceOf(network, at(tau), price);
  if (cost(0) > limit) {
    throw new KikitoriError(`the budget is ${Math.floor(limit)}`, {
      kind: 'input',
      expected: `at least ${cost(0)}, rank 1 everywhere and the input as it is`,
    });
  }
  let [low, high] = [0, 1];
  if (cost(1) <= limit) low = 1;
  for (let round = 0; round < 40 && low < 1; round++) {
    const middle = (low + high) / 2;
    if (cost(middle) <= limit) low = middle;
    else high = middle;
  }
  return { ranks: at(low), spent: cost(low) };
}

/** The least that any choice of ranks costs. */
export function smallestPrice(
  network: NetworkCheckpoint,
  method: Analysis['method'],
  multiple: number,
  price: Price,
): number {
  const group = method === 'paper' ? 1 : multiple;
  const layers = network.layers.map((n) => Math.min(group, n));
  const input = method === 'paper' ? 0 : Math.min(group, network.inputs);
  return priceOf(network, { layers, input }, price);
}

/** Water-filling over all projections, the input's among them. */
function chooseRanks(analysis: Analysis, { price, limit, multiple }: Budget): Choice {
  const { network, layers, input } = analysis;
  const cells = network.layers[0] ?? 0;
  const fixed = price.fixed(network);
  const candidates: Candidate[] = layers.map((basis, l) => {
    const n = network.layers[l] ?? 0;
    const above = network.layers[l + 1];
    const readers = 4 * n + (above === undefined ? network.outputs : 4 * above);
    return {
      name: `layer ${l}`,
      gains: basis.gains,
      cost: price.weight * (n + readers) + price.row,
    };
  });
  const denseInput = price.weight * 4 * cells * network.inputs;
  if (input !== undefined) {
    const cost = price.weight * (network.inputs + 4 * cells) + price.row;
    const all = [{ name: 'the input', gains: input.gains, cost }, ...candidates];
    const { ranks, spent, loss } = waterFill(all, limit - fixed, multiple);
    const [inputRank = 0, ...rest] = ranks;
    // Beyond this rank the matrix itself is smaller, and exact.
    if (inputRank * cost < denseInput) {
      return {
        ranks: { layers: rest, input: inputRank },
        spent: spent + fixed,
        predictedLoss: loss,
      };
    }
  }
  const { ranks, spent, loss } = waterFill(candidates, limit - fixed - denseInput, multiple);
  return {
    ranks: { layers: ranks, input: 0 },
    spent: spent + fixed + denseInput,
    predictedLoss: loss,
  };
}

/** What a factored network of these ranks costs. */
export function priceOf(network: NetworkCheckpoint, ranks: Ranks, price: Price): number {
  const cells = network.layers[0] ?? 0;
  const input =
    ranks.input === 0
      ? price.weight * 4 * cells * network.inputs
      : ranks.input * (price.weight * (network.inputs + 4 * cells) + price.row);
  return network.layers.reduce(
    (total, n, l) => {
      const above = network.layers[l + 1];
      const readers = 4 * n + (above === undefined ? network.outputs : 4 * above);
      return total + (ranks.layers[l] ?? 0) * (price.weight * (n + readers) + price.row);
    },
    price.fixed(network) + input,
  );
}
