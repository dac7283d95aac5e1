import { KikitoriError } from '../../runtime/errors.js';
import { parameterCount, type NetworkCheckpoint } from '../checkpoint.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import { rewrite, type Chain, type Feed } from '../import/index.js';
import { bytesAt8Bits, parameters, smallestPrice, withinBudget, type Price } from './budget.js';
import { collect, type Collected } from './collect.js';
import { measureCosts, type Loss } from './costs.js';
import { Divergence } from './divergence.js';
import {
  analyseDataAware,
  analysePaper,
  checkRanks,
  factorize,
  type Analysis,
  type Costs,
  type Ranks,
} from './factorize.js';
import { explainedRank } from './ranks.js';

/** How the ranks are chosen. */
export type Target =
  | { readonly kind: 'tau'; readonly tau: number }
  | { readonly kind: 'ranks'; readonly layers: readonly number[]; readonly input: number }
  | { readonly kind: 'params' | 'bytes' | 'max-loss'; readonly limit: number };

export interface CompressOptions {
  readonly method: 'paper' | 'data-aware';
  readonly target: Target;
  readonly multiple: number;
  /** Calls of the network on calibration data; read again for each pass. */
  readonly feeds?: readonly Feed[];
  /** What an error costs, if it was measured elsewhere (in training). */
  readonly costs?: Costs;
  readonly loss: Loss;
  /** Outputs by which the loss is measured. */
  readonly outputs: readonly string[];
  /** What `bytes` means for this kind of file. */
  readonly bytes?: Price;
  readonly progress?: (line: string) => void;
}

export interface Compressed {
  readonly network: NetworkCheckpoint;
  readonly facts: CompressionFacts;
}

export interface CompressionFacts {
  readonly method: 'paper' | 'data-aware';
  readonly target: Target;
  readonly ranks: readonly number[];
  readonly inputRank: number;
  readonly parametersBefore: number;
  readonly parameters: number;
  /** Share of what the readers see that each projection keeps. */
  readonly explained: readonly number[];
  readonly explainedInput?: number;
  readonly calibrationSteps?: number;
  /** By the sum of the gains left out, and as it came out on part of the calibration data. */
  readonly predictedLoss?: number;
  readonly measuredLoss?: number;
}

/** Steps of calibration data for the costs (through time and back) and for measuring the loss. */
const costSteps = 3000;
const measureCalls = 24;

export interface Prepared {
  readonly analysis: Analysis;
  readonly calibrationSteps?: number;
}

/** The costly part, once a network and method: every choice of ranks is a cut of the result. */
export async function prepare(
  chain: Chain,
  options: Omit<CompressOptions, 'target' | 'multiple'>,
): Promise<Prepared> {
  const { method, feeds, progress = () => undefined } = options;
  if (method === 'data-aware' && feeds === undefined) {
    throw new KikitoriError('the data-aware method needs calibration data', {
      kind: 'usage',
      hint: 'give --calibration, or take --method paper',
    });
  }
  let collected: Collected | undefined;
  if (feeds !== undefined && method === 'data-aware') {
    progress(`running the dense network on ${feeds.length} pieces of calibration data`);
    collected = await collect(chain, feeds, { keepSteps: costSteps });
    checkEnough(chain, collected.steps);
  }
  const analysis = await analyse(chain, options, collected, progress);
  return { analysis, ...(collected === undefined ? {} : { calibrationSteps: collected.steps }) };
}

/** A dense network, as the graph that runs it, to a factored one. */
export async function compress(chain: Chain, options: CompressOptions): Promise<Compressed> {
  checkTarget(chain.network, options);
  const { method, target, feeds, progress = () => undefined } = options;
  const { analysis, calibrationSteps } = await prepare(chain, options);
  const divergence =
    feeds === undefined
      ? undefined
      : await Divergence.of(
          chain.model.bytes,
          spread(feeds),
          options.outputs,
          options.loss === 'softmax',
        );
  const { ranks, predictedLoss } = await choose(chain, analysis, options, divergence, progress);
  const factored = factorize(analysis, ranks);
  const facts: CompressionFacts = {
    method,
    target,
    ranks: ranks.layers,
    inputRank: ranks.input,
    parametersBefore: parameterCount(chain.network),
    parameters: parameterCount(factored),
    explained: analysis.layers.map((basis, l) => share(basis.gains, ranks.layers[l] ?? 0)),
    ...(analysis.input === undefined || ranks.input === 0
      ? {}
      : { explainedInput: share(analysis.input.gains, ranks.input) }),
    ...(calibrationSteps === undefined ? {} : { calibrationSteps }),
    ...(predictedLoss === undefined ? {} : { predictedLoss }),
    ...(divergence === undefined
      ? {}
      : { measuredLoss: await divergence.measure(rewrite(chain, factored)) }),
  };
  const training = { ...factored.training, compression: facts };
  return { network: { ...factored, training }, facts };
}

/** What no calibration could make possible is said at once. */
function checkTarget(network: NetworkCheckpoint, options: CompressOptions): void {
  const { method, target, multiple, bytes = bytesAt8Bits } = options;
  if (target.kind === 'ranks') checkRanks(network, method, target);
  if (target.kind !== 'params' && target.kind !== 'bytes') return;
  const price = target.kind === 'params' ? parameters : bytes;
  const least = smallestPrice(network, method, multiple, price);
  if (target.limit >= least) return;
  throw new KikitoriError(`no network of this shape has ${target.limit} ${target.kind}`, {
    kind: 'input',
    expected: `at least ${Math.ceil(least)}`,
    hint: method === 'paper' ? undefined : 'raise the budget or lower --multiple',
  });
}

function checkEnough(chain: Chain, steps: number): void {
  const least = 2 * Math.max(chain.network.inputs, ...chain.network.layers);
  if (steps >= least) return;
  throw new KikitoriError(`the calibration data has only ${steps} steps`, {
    kind: 'input',
    expected: `at least ${least}, twice the widest vector that is measured`,
    hint: 'ten minutes of speech are better',
  });
}

async function analyse(
  chain: Chain,
  { method, costs: given, loss }: Pick<CompressOptions, 'method' | 'costs' | 'loss'>,
  collected: Collected | undefined,
  progress: (line: string) => void,
): Promise<Analysis> {
  if (method === 'paper' || collected === undefined) {
    progress('decomposing the recurrent matrices');
    return analysePaper(chain.network);
  }
  if (given === undefined) progress('measuring what an error costs, through time and back');
  const costs = given ?? (await measureCosts(chain.network, collected.inputs, loss, randomFrom(1)));
  checkCosts(chain, costs);
  return analyseDataAware(chain.network, collected.activations, costs, (l) =>
    progress(`decomposing layer ${l + 1} of ${chain.network.layers.length}`),
  );
}

function checkCosts({ network }: Chain, costs: Costs): void {
  const lengths = [...costs.layers.map((c) => c.length), costs.output.length];
  const wanted = [...network.layers.map((n) => 4 * n), network.outputs];
  if (lengths.join() === wanted.join()) return;
  throw new KikitoriError(`the costs are of ${lengths.join(', ')} values`, {
    kind: 'input',
    expected: wanted.join(', '),
  });
}

/** A few calls from all over the calibration data. */
function spread(feeds: readonly Feed[]): Feed[] {
  const every = Math.max(1, Math.floor(feeds.length / measureCalls));
  return feeds.filter((_, i) => i % every === 0).slice(0, measureCalls);
}

interface Chosen {
  readonly ranks: Ranks;
  readonly predictedLoss?: number;
}

async function choose(
  chain: Chain,
  analysis: Analysis,
  { target, multiple, bytes = bytesAt8Bits }: CompressOptions,
  divergence: Divergence | undefined,
  progress: (line: string) => void,
): Promise<Chosen> {
  switch (target.kind) {
    case 'tau':
      return {
        ranks: { layers: analysis.layers.map((b) => explainedRank(b.gains, target.tau)), input: 0 },
      };
    case 'ranks':
      return { ranks: target };
    case 'params':
      return withinBudget(analysis, { price: parameters, limit: target.limit, multiple });
    case 'bytes':
      return withinBudget(analysis, { price: bytes, limit: target.limit, multiple });
    case 'max-loss':
      if (divergence === undefined) {
        throw new KikitoriError('--max-loss is measured on calibration data', {
          kind: 'usage',
          hint: 'give --calibration',
        });
      }
      return smallestWithin(chain, analysis, target.limit, multiple, divergence, progress);
  }
}

/** The smallest budget whose measured loss is within the limit, by halving the budget's range. */
async function smallestWithin(
  chain: Chain,
  analysis: Analysis,
  limit: number,
  multiple: number,
  divergence: Divergence,
  progress: (line: string) => void,
): Promise<Chosen> {
  const { network } = analysis;
  const at = (budget: number) =>
    withinBudget(analysis, { price: parameters, limit: budget, multiple });
  const lossOf = async (ranks: Ranks) =>
    divergence.measure(rewrite(chain, factorize(analysis, ranks)));
  const full = { layers: network.layers, input: 0 };
  let best: Chosen = { ranks: full };
  const atBest = await lossOf(full);
  if (!(atBest <= limit)) {
    throw new KikitoriError(`even at full rank the loss is ${atBest.toExponential(2)}`, {
      kind: 'input',
      expected: `at most ${limit}`,
    });
  }
  let low = smallestPrice(network, analysis.method, multiple, parameters);
  let high = 2 * parameterCount(network);
  for (let round = 0; round < 10 && high - low > low / 100; round++) {
    const budget = round === 0 ? low : Math.round((low + high) / 2);
    const choice = at(budget);
    const loss = await lossOf(choice.ranks);
    progress(`${choice.spent.toLocaleString('en')} parameters lose ${loss.toPrecision(3)}`);
    if (loss <= limit) [high, best] = [budget, choice];
    else low = budget;
    if (round === 0 && loss <= limit) break;
  }
  return best;
}

function share(gains: ArrayLike<number>, rank: number): number {
  let total = 0;
  let kept = 0;
  for (let i = 0; i < gains.length; i++) {
    total += gains[i] ?? 0;
    if (i < rank) kept += gains[i] ?? 0;
  }
  return total === 0 ? 1 : kept / total;
}
