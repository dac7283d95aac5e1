import { KikitoriError } from '../../runtime/errors.js';
import { remaining } from '../../runtime/progress.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import { parameterCount, type NetworkCheckpoint } from '../checkpoint.js';
import { rewrite, type Feed, type Foreign } from '../import/index.js';
import { costAt, smallestCost, type Price } from './budget.js';
import {
  choose,
  parametersFor,
  priceFor,
  type ChooseOptions,
  type Subject,
  type Target,
} from './choose.js';
import { collect, type Collected } from './collect.js';
import { measureCosts, type Loss } from './costs.js';
import { Divergence } from './divergence.js';
import { checkRanks, matrixCosts, type Costs } from './factorize.js';
import {
  analyseByReaders,
  analyseByRecurrent,
  cutAt,
  type Cut,
  type PlanAnalysis,
} from './plan.js';
import { sensitivities, scaled } from './sensitivity.js';

export interface CompressOptions extends ChooseOptions {
  readonly method: 'paper' | 'data-aware';
  /** Calls of the network on calibration data; read again for each pass. */
  readonly feeds?: readonly Feed[];
  /** What an error costs, if it was measured elsewhere (in training). */
  readonly costs?: Costs;
  readonly loss: Loss;
  /** Outputs by which the loss is measured. */
  readonly outputs: readonly string[];
  readonly progress?: (line: string) => void;
  /** Monotonic milliseconds; with it, what takes long says how long it still will. */
  readonly nowMs?: () => number;
}

export interface Compressed {
  readonly cut: Cut;
  readonly facts: CompressionFacts;
}

export interface CompressionFacts {
  readonly method: 'paper' | 'data-aware';
  readonly target: Target;
  /** Of h of each layer and direction; 0: it stayed as it is. */
  readonly ranks: readonly number[];
  /** Of the first input; 0: it stayed as it is. */
  readonly inputRank: number;
  /** Of a network that is no chain: every vector in turn, with its rank; 0: it stayed as it is. */
  readonly vectors?: readonly {
    readonly name: string;
    readonly size: number;
    readonly rank: number;
  }[];
  readonly parametersBefore: number;
  readonly parameters: number;
  /** Share of what the readers see that each projection keeps. */
  readonly explained: readonly number[];
  readonly explainedInput?: number;
  readonly calibrationSteps?: number;
  /** By the sum of the gains left out, and as it came out on part of the calibration data. */
  readonly predictedLoss?: number;
  readonly measuredLoss?: number;
  /** Steps on which it was fitted again; the loss is then of these. */
  readonly refit?: { readonly steps: number };
}

export type { Subject, Target } from './choose.js';

/** Steps of calibration data for the costs (through time and back) and for measuring the loss. */
const costSteps = 3000;
const measureCalls = 24;

export interface Prepared {
  readonly analysis: PlanAnalysis;
  readonly calibrationSteps?: number;
}

/** The costly part, once a network and method: every choice of ranks is a cut of the result. */
export async function prepare(
  subject: Subject,
  options: Omit<CompressOptions, 'target' | 'multiple'>,
): Promise<Prepared> {
  const { method, feeds, progress = () => undefined } = options;
  if (method === 'data-aware' && feeds === undefined) {
    throw new KikitoriError('the data-aware method needs calibration data', {
      kind: 'usage',
      hint: 'give --calibration, or take --method paper',
    });
  }
  const { plan } = subject.foreign;
  if (feeds === undefined || method === 'paper') {
    progress('decomposing the recurrent matrices');
    return { analysis: analyseByRecurrent(plan) };
  }
  progress(`running the dense network on ${feeds.length} pieces of calibration data`);
  const keepSteps = subject.network === undefined ? 0 : costSteps;
  const clock = timed('running the dense network', options);
  const collected = await collect(subject.foreign, feeds, {
    keepSteps,
    tick: (done) => clock?.(done, feeds.length),
  });
  checkEnough(subject.foreign, collected.steps);
  const unseen = plan.vectors.filter((_, v) => collected.moments[v]?.count === 0);
  if (unseen.length > 0)
    progress(`not reached by the calibration data, left: ${unseen.map((v) => v.name).join(', ')}`);
  const costs = await costsOf(subject, options, collected, progress);
  const analysis = analyseByReaders(plan, {
    moments: collected.moments,
    ...(costs === undefined ? {} : { costs }),
    progress: (v) => progress(`decomposing ${plan.vectors[v]?.name ?? ''}`),
  });
  return {
    analysis:
      costs === undefined ? await inOneUnit(subject.foreign, analysis, options, feeds) : analysis,
    calibrationSteps: collected.steps,
  };
}

/** To a factored network, by the graph that runs it. */
export async function compress(subject: Subject, options: CompressOptions): Promise<Compressed> {
  const { foreign, network } = subject;
  const price = priceFor(subject, options);
  checkTarget(subject, options, price);
  const { method, target, feeds, progress = () => undefined } = options;
  const { analysis, calibrationSteps } = await prepare(subject, options);
  const divergence = await divergenceOf(foreign, feeds, options);
  const { ranks, predictedLoss } = await choose(
    subject,
    analysis,
    options,
    price,
    divergence,
    progress,
  );
  const cut = cutAt(analysis, ranks);
  const bytes = rewrite(foreign, cut);
  const shares = analysis.bases.map((basis, v) =>
    basis === undefined || cut.ranks[v] === 0 ? 1 : share(basis.gains, cut.ranks[v] ?? 0),
  );
  const { vectors } = foreign.plan;
  const input = vectors.findIndex((v) => v.input);
  const count = parametersFor(subject);
  return {
    cut,
    facts: {
      method,
      target,
      ranks: cut.ranks.filter((_, v) => vectors[v]?.input !== true),
      inputRank: cut.ranks[input] ?? 0,
      ...(network === undefined
        ? {
            vectors: vectors.map(({ name, size }, v) => ({ name, size, rank: cut.ranks[v] ?? 0 })),
          }
        : {}),
      parametersBefore:
        network === undefined
          ? costAt(
              foreign.plan,
              vectors.map(() => 0),
              count,
            )
          : parameterCount(network),
      parameters: costAt(foreign.plan, cut.ranks, count),
      explained: shares.filter((_, v) => vectors[v]?.input !== true),
      ...(cut.projections[input] === undefined ? {} : { explainedInput: shares[input] ?? 1 }),
      ...(calibrationSteps === undefined ? {} : { calibrationSteps }),
      ...(predictedLoss === undefined ? {} : { predictedLoss }),
      ...(divergence === undefined ? {} : { measuredLoss: await divergence.measure(bytes) }),
    },
  };
}

const timed = (what: string, { progress, nowMs }: Pick<CompressOptions, 'progress' | 'nowMs'>) =>
  progress === undefined || nowMs === undefined ? undefined : remaining(what, progress, nowMs);

const divergenceOf = async (
  { model }: Foreign,
  feeds: readonly Feed[] | undefined,
  { outputs, loss }: Pick<CompressOptions, 'outputs' | 'loss'>,
): Promise<Divergence | undefined> =>
  feeds === undefined
    ? undefined
    : Divergence.of(model.bytes, spread(feeds), outputs, loss === 'softmax');

/** What no calibration could make possible is said at once. */
function checkTarget({ foreign, network }: Subject, options: CompressOptions, price: Price): void {
  const { method, target, multiple, asOnnx = false, uniform = false } = options;
  if (uniform) return;
  if (target.kind === 'ranks') {
    if (network !== undefined) checkRanks(network, method, target);
    else checkEach(foreign, method, target);
  }
  if (target.kind !== 'params' && target.kind !== 'bytes') return;
  const least = smallestCost(foreign.plan, method, { price, multiple, plain: asOnnx });
  if (target.limit >= least) return;
  throw new KikitoriError(`no network of this shape has ${target.limit} ${target.kind}`, {
    kind: 'input',
    expected: `at least ${Math.ceil(least)}`,
    hint: method === 'paper' ? undefined : 'raise the budget or lower --multiple',
  });
}

/** Ranks of a network that is no chain: one for h of each layer and direction, 0 leaves it as it is. */
function checkEach(
  { plan }: Foreign,
  method: CompressOptions['method'],
  { layers, input }: { readonly layers: readonly number[]; readonly input: number },
): void {
  const own = plan.vectors.filter((v) => !v.input);
  const faults: string[] = [];
  if (layers.length !== own.length)
    faults.push(`${layers.length} ranks for ${own.map((v) => `"${v.name}"`).join(', ')}`);
  own.forEach(({ name, size }, i) => {
    const rank = layers[i];
    if (rank !== undefined && !(Number.isInteger(rank) && rank >= 0 && rank <= size))
      faults.push(`rank ${rank} of "${name}" is not within its ${size} cells`);
  });
  if (!Number.isInteger(input) || input < 0) faults.push(`input rank ${input} is no count`);
  if (input > 0 && method === 'paper')
    faults.push('the published method leaves the input as it is');
  if (faults.length > 0) throw new KikitoriError(faults.join('; '), { kind: 'usage' });
}

function checkEnough({ plan }: Foreign, steps: number): void {
  const least = 2 * Math.max(...plan.vectors.map((v) => v.size));
  if (steps >= least) return;
  throw new KikitoriError(`the calibration data has only ${steps} steps`, {
    kind: 'input',
    expected: `at least ${least}, twice the widest vector that is measured`,
    hint: 'ten minutes of speech are better',
  });
}

/** Costs of every matrix's rows, through time and back; only of a chain of LSTM layers. */
async function costsOf(
  { foreign, network }: Subject,
  { costs: given, loss }: Pick<CompressOptions, 'costs' | 'loss'>,
  collected: Collected,
  progress: (line: string) => void,
): Promise<readonly ArrayLike<number>[] | undefined> {
  if (network === undefined) return undefined;
  if (given === undefined) progress('measuring what an error costs, through time and back');
  const costs = given ?? (await measureCosts(network, collected.inputs, loss, randomFrom(1)));
  checkCosts(network, costs);
  const heads = foreign.plan.matrices.slice(2 * network.layers.length).map((m) => m.rows);
  return matrixCosts(costs, heads);
}

/** Without such costs: each vector's gains in units of the loss that leaving half of it out was measured to cause. */
async function inOneUnit(
  foreign: Foreign,
  analysis: PlanAnalysis,
  options: Pick<CompressOptions, 'outputs' | 'loss' | 'progress' | 'nowMs'>,
  feeds: readonly Feed[],
): Promise<PlanAnalysis> {
  const divergence = await divergenceOf(foreign, feeds, options);
  if (divergence === undefined) return analysis;
  options.progress?.('measuring what is lost when each projection is halved');
  const clock = timed('measuring losses', options);
  const of = analysis.bases.filter((basis) => basis !== undefined).length;
  let done = 0;
  const measured = await sensitivities(analysis, async (cut) => {
    const lost = await divergence.measure(rewrite(foreign, cut));
    clock?.(++done, of);
    return lost;
  });
  return scaled(analysis, measured);
}

function checkCosts(network: NetworkCheckpoint, costs: Costs): void {
  const lengths = [...costs.layers.map((c) => c.length), costs.output.length];
  const wanted = [...network.layers.map((n) => 4 * n), network.outputs];
  if (lengths.join() === wanted.join()) return;
  throw new KikitoriError(`the costs are of ${lengths.join(', ')} values`, {
    kind: 'input',
    expected: wanted.join(', '),
  });
}

/** A few calls from all over the calibration data; more where each is a single step. */
function spread(feeds: readonly Feed[]): Feed[] {
  const calls = Math.max(measureCalls, Math.min(600, Math.floor(feeds.length / 10)));
  const every = Math.max(1, Math.floor(feeds.length / calls));
  return feeds.filter((_, i) => i % every === 0).slice(0, calls);
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
