import { KikitoriError } from '../../runtime/errors.js';
import { tensorShapes, type NetworkCheckpoint, type Tensor } from '../checkpoint.js';
import { buildGraph } from '../graph/build.js';
import { activationNames } from '../quantize/scales.js';
import { checkpointSizes, type Analysis, type Method, type Ranks } from './factorize.js';
import type { PlanAnalysis, Sizes } from './plan.js';
import { explainedRank, waterFill, type Candidate } from './ranks.js';

/** What a network costs: of each weight, of one more rank's row of P, and of everything fixed. */
export interface Price {
  /** Per weight of a matrix. */
  readonly weight: number;
  /** Per row of a projection, beyond its weights. */
  readonly row: number;
  /** Everything that no rank changes, but for matrices that are not factored. */
  readonly fixed: number;
}

/** The price of a network in one unit. */
export type PriceOf = (network: NetworkCheckpoint) => Price;

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** One a parameter. */
export const parameters: PriceOf = (n) => ({
  weight: 1,
  row: 0,
  fixed: 4 * sum(n.layers) + n.outputs,
});

const known = new WeakMap<NetworkCheckpoint, Price>();

/**
 * Bytes of the network file at 8 bits: a byte a weight; for a row of P also a float scale and a zero
 * point. All else is measured on the graph of a network of rank 1 rather than counted.
 */
export const bytesAt8Bits: PriceOf = (network) => {
  const before = known.get(network);
  if (before !== undefined) return before;
  const ranks = { layers: network.layers.map(() => 1), input: 1 };
  const small = blank(network, ranks);
  const activations = Object.fromEntries(activationNames(small).map((name) => [name, 1]));
  const quantization = { weights: 'uint8' as const, activations };
  const bytes = buildGraph({ ...small, quantization }, 'uint8').onnx.length;
  const each = { weight: 1, row: 5, fixed: 0 };
  const price = { ...each, fixed: bytes - costAt(checkpointSizes(network), flat(ranks), each) };
  known.set(network, price);
  return price;
};

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

/** Ranks of a chain in the order of its vectors. */
export const flat = ({ layers, input }: Ranks): readonly number[] => [input, ...layers];

/** Of one more rank of a vector: a row of P, and a column of every reader. */
function rankCost({ vectors, matrices }: Sizes, v: number, { weight, row }: Price): number {
  const readers = sum(matrices.map((m) => (m.reads === v ? m.rows : 0)));
  return weight * ((vectors[v]?.size ?? 0) + readers) + row;
}

/** Of the matrices that read a vector as it is. */
const plainCost = ({ vectors, matrices }: Sizes, v: number, { weight }: Price): number =>
  weight * (vectors[v]?.size ?? 0) * sum(matrices.map((m) => (m.reads === v ? m.rows : 0)));

/** What a network costs at these ranks; 0 leaves a vector as it is. */
export const costAt = (sizes: Sizes, ranks: readonly number[], price: Price): number =>
  sizes.vectors.reduce((total, _, v) => {
    const rank = ranks[v] ?? 0;
    return total + (rank === 0 ? plainCost(sizes, v, price) : rank * rankCost(sizes, v, price));
  }, price.fixed);

export interface Budget {
  readonly price: Price;
  readonly limit: number;
  readonly multiple: number;
  /** Also h of cells may stay as it is where a projection would not make it smaller. */
  readonly plain?: boolean;
}

export interface Choice<R = readonly number[]> {
  /** Of each vector; 0 leaves it as it is. */
  readonly ranks: R;
  /** What this choice costs by the budget's price. */
  readonly spent: number;
  /** Sum of the gains left out: with costs in nats, the predicted loss in nats per step. */
  readonly predictedLoss?: number;
}

/** Ranks of everything within one budget, by the method's own rule. */
export function fit(analysis: PlanAnalysis, budget: Budget): Choice {
  return analysis.method === 'paper' ? highestTau(analysis, budget) : chooseRanks(analysis, budget);
}

/** The same of a chain of LSTM layers. */
export function withinBudget(
  analysis: Analysis,
  budget: { readonly price: PriceOf; readonly limit: number; readonly multiple: number },
): Choice<Ranks> {
  const choice = fit(analysis, { ...budget, price: budget.price(analysis.network) });
  const [input = 0, ...layers] = choice.ranks;
  return { ...choice, ranks: { layers, input } };
}

/** What a factored network of these ranks costs. */
export const priceOf = (network: NetworkCheckpoint, ranks: Ranks, price: PriceOf): number =>
  costAt(checkpointSizes(network), flat(ranks), price(network));

/** The least that any choice of ranks costs. */
export const smallestPrice = (
  network: NetworkCheckpoint,
  method: Method,
  multiple: number,
  price: PriceOf,
): number => smallestCost(checkpointSizes(network), method, { price: price(network), multiple });

/** One tau for all layers, whatever it costs; what a projection would make larger stays, if it may. */
export function ranksAt({ plan, bases }: PlanAnalysis, tau: number, plain = false): number[] {
  const one = { weight: 1, row: 0, fixed: 0 };
  return bases.map((basis, v) => {
    if (basis === undefined) return 0;
    const rank = explainedRank(basis.gains, tau);
    return plain && rank * rankCost(plan, v, one) >= plainCost(plan, v, one) ? 0 : rank;
  });
}

/** The highest tau whose ranks fit: the published rule met with a budget. */
function highestTau(analysis: PlanAnalysis, { price, limit, plain }: Budget): Choice {
  const at = (tau: number) => ranksAt(analysis, tau, plain);
  const cost = (tau: number) => costAt(analysis.plan, at(tau), price);
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

/** The least that any choice of ranks costs; vectors without a basis, where these are known, stay as they are. */
export function smallestCost(
  sizes: Sizes,
  method: PlanAnalysis['method'],
  { price, multiple, plain = false }: Omit<Budget, 'limit'>,
  bases?: PlanAnalysis['bases'],
): number {
  const group = method === 'paper' ? 1 : multiple;
  const ranks = sizes.vectors.map(({ size, input }, v) => {
    if (method === 'paper' && input) return 0;
    if (bases !== undefined && bases[v] === undefined) return 0;
    const rank = Math.min(group, size);
    const smaller = rank * rankCost(sizes, v, price) < plainCost(sizes, v, price);
    return smaller || (!input && !plain) ? rank : 0;
  });
  return costAt(sizes, ranks, price);
}

/**
 * Water-filling over all projections, the inputs' among them. A vector whose projection would cost as
 * much as its matrices themselves stays as it is, which is exact; what that sets free goes to the rest.
 */
function chooseRanks({ plan, bases }: PlanAnalysis, budget: Budget): Choice {
  const { price, limit, multiple, plain = false } = budget;
  const mayStay = (v: number) => plain || plan.vectors[v]?.input === true;
  let open = plan.vectors.flatMap((_, v) => (bases[v] === undefined ? [] : [v]));
  const tooMuch = (v: number, rank: number) =>
    mayStay(v) && rank * rankCost(plan, v, price) >= plainCost(plan, v, price);
  open = open.filter((v) => !tooMuch(v, Math.min(multiple, plan.vectors[v]?.size ?? 0)));
  for (;;) {
    const candidates: Candidate[] = open.map((v) => ({
      name: plan.vectors[v]?.name ?? '',
      gains: bases[v]?.gains ?? [],
      cost: rankCost(plan, v, price),
    }));
    const still = plan.vectors.map(() => 0);
    const rest =
      price.fixed +
      sum(plan.vectors.map((_, v) => (open.includes(v) ? 0 : plainCost(plan, v, price))));
    if (open.length === 0) {
      if (rest <= limit) return { ranks: still, spent: rest, predictedLoss: 0 };
      throw new KikitoriError(`the budget is ${Math.floor(limit)}`, {
        kind: 'input',
        expected: `at least ${Math.ceil(rest)}: no projection would make this network smaller`,
      });
    }
    const fill = waterFill(candidates, limit - rest, multiple);
    const full = open.filter((v, i) => tooMuch(v, fill.ranks[i] ?? 0));
    if (full.length > 0) {
      open = open.filter((v) => !full.includes(v));
      continue;
    }
    // What one more group would pay for may be enough for the matrices themselves.
    const slack = limit - rest - fill.spent;
    const exact = open.filter((v, i) => {
      const more = plainCost(plan, v, price) - (fill.ranks[i] ?? 0) * rankCost(plan, v, price);
      return mayStay(v) && more <= slack;
    });
    if (exact.length === 0) {
      open.forEach((v, i) => (still[v] = fill.ranks[i] ?? 0));
      return { ranks: still, spent: fill.spent + rest, predictedLoss: fill.loss };
    }
    open = open.filter((v) => v !== exact[0]);
  }
}
