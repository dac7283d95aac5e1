import { KikitoriError } from '../../runtime/errors.js';
import type { NetworkCheckpoint } from '../checkpoint.js';
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
 * Bytes of the network file at 8 bits: a byte a weight, a float scale and a float bias for each output
 * of a matrix, and the graph itself.
 */
export const bytesAt8Bits: Price = {
  weight: 1,
  row: 8,
  fixed: (n) => 8 * (4 * sum(n.layers) + n.outputs) + 16_384 + 2_048 * n.layers.length,
};

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
