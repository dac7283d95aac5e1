import { KikitoriError } from '../../runtime/errors.js';
import type { NetworkCheckpoint } from '../checkpoint.js';
import { rewrite, type Foreign } from '../import/index.js';
import {
  bytesAt8Bits,
  costAt,
  fit,
  parameters,
  ranksAt,
  smallestCost,
  type Choice,
  type Price,
} from './budget.js';
import type { Divergence } from './divergence.js';
import { blankCut, cutAt, type PlanAnalysis } from './plan.js';

/** What is compressed: a graph taken apart and, where it is a chain of LSTM layers, the network that it is. */
export interface Subject {
  readonly foreign: Foreign;
  readonly network?: NetworkCheckpoint;
}

/** How the ranks are chosen. */
export type Target =
  | { readonly kind: 'tau'; readonly tau: number }
  | { readonly kind: 'ranks'; readonly layers: readonly number[]; readonly input: number }
  | { readonly kind: 'params' | 'bytes' | 'max-loss'; readonly limit: number };

/** What the choice of ranks depends on. */
export interface ChooseOptions {
  readonly target: Target;
  readonly multiple: number;
  /** The file is an ONNX file of floats, rather than a checkpoint that becomes a bundle. */
  readonly asOnnx?: boolean;
  /** One rank for h of every layer and direction, the inputs as they are: PyTorch's `proj_size`. */
  readonly uniform?: boolean;
}

/** Biases, which nothing changes, beside one a weight. */
export function parametersFor({ foreign, network }: Subject): Price {
  if (network !== undefined) return parameters(network);
  const fixed = foreign.layers.reduce(
    (sum, { directions }) =>
      directions.reduce(
        (s, c) =>
          s +
          c.biasIh.data.length +
          (c.linearBeforeReset ? c.cells : 0) +
          (c.peepholes?.data.length ?? 0),
        sum,
      ),
    0,
  );
  return { weight: 1, row: 0, fixed };
}

/** What the target counts in. */
export function priceFor(subject: Subject, { target, asOnnx = false }: ChooseOptions): Price {
  if (target.kind !== 'bytes') return parametersFor(subject);
  if (!asOnnx && subject.network !== undefined) return bytesAt8Bits(subject.network);
  return bytesRewritten(subject.foreign);
}

/** Bytes of somebody else's file rewritten: four a weight; all else measured on the smallest one. */
function bytesRewritten(foreign: Foreign): Price {
  const ranks = foreign.plan.vectors.map(() => 1);
  const smallest = rewrite(foreign, blankCut(foreign.plan, ranks)).length;
  const each = { weight: 4, row: 0, fixed: 0 };
  return { ...each, fixed: smallest - costAt(foreign.plan, ranks, each) };
}

export type Chosen = Pick<Choice, 'ranks' | 'predictedLoss'>;

export async function choose(
  subject: Subject,
  analysis: PlanAnalysis,
  { target, multiple, asOnnx: plain = false, uniform = false }: ChooseOptions,
  price: Price,
  divergence: Divergence | undefined,
  progress: (line: string) => void,
): Promise<Chosen> {
  const { plan } = analysis;
  if (uniform) return oneRank(subject, analysis, target, price, divergence);
  switch (target.kind) {
    case 'tau':
      return { ranks: ranksAt(analysis, target.tau, plain) };
    case 'ranks': {
      const own = [...target.layers];
      return {
        ranks: plan.vectors.map(({ input, size }) =>
          input ? Math.min(target.input, size) : (own.shift() ?? 0),
        ),
      };
    }
    case 'params':
      return fit(analysis, { price, limit: target.limit, multiple, plain });
    case 'bytes': {
      const choice = fit(analysis, { price, limit: target.limit, multiple, plain });
      return plain ? withinBytes(subject.foreign, analysis, target.limit, multiple, price) : choice;
    }
    case 'max-loss':
      if (divergence === undefined) {
        throw new KikitoriError('--max-loss is measured on calibration data', {
          kind: 'usage',
          hint: 'give --calibration',
        });
      }
      return smallestWithin(subject, analysis, target.limit, multiple, plain, divergence, progress);
  }
}

/** The largest rank for all within a count of parameters, or the smallest within a loss. */
async function oneRank(
  { foreign }: Subject,
  analysis: PlanAnalysis,
  target: Target,
  price: Price,
  divergence: Divergence | undefined,
): Promise<Chosen> {
  const { plan } = analysis;
  const at = (rank: number) =>
    plan.vectors.map(({ input, size }) => (input ? 0 : Math.min(rank, size)));
  // Of nn.LSTM, proj_size is below hidden_size.
  const most = Math.max(...plan.vectors.map((v) => (v.input ? 0 : v.size))) - 1;
  const refusedAs = (what: string, expected: string) =>
    new KikitoriError(what, { kind: 'input', expected });
  if (target.kind === 'ranks') {
    const [rank = 0, ...others] = target.layers;
    if (others.every((r) => r === rank) && rank >= 1 && rank <= most && target.input === 0)
      return { ranks: at(rank) };
    throw refusedAs(
      `--ranks ${target.layers.join()}${target.input > 0 ? ` and input rank ${target.input}` : ''}`,
      `one rank for all, from 1 to ${most}, and the input as it is: proj_size of PyTorch`,
    );
  }
  if (target.kind !== 'params' && target.kind !== 'max-loss')
    throw refusedAs(`--${target.kind}`, '--params, --max-loss or --ranks R for a state_dict');
  const { limit } = target;
  const lossOf = async (rank: number) =>
    (await divergence?.measure(rewrite(foreign, cutAt(analysis, at(rank))))) ?? NaN;
  const fits = async (rank: number) =>
    target.kind === 'params'
      ? costAt(plan, at(rank), price) <= limit
      : (await lossOf(rank)) <= limit;
  // Parameters fit below a rank, a loss above one.
  const [sure, other] = target.kind === 'params' ? [1, most] : [most, 1];
  if (!(await fits(sure))) {
    throw refusedAs(
      `no rank has ${target.kind === 'params' ? `${limit} parameters` : `a loss of ${limit}`}`,
      target.kind === 'params'
        ? `at least ${costAt(plan, at(sure), price)}`
        : `at least ${(await lossOf(sure)).toPrecision(3)}; --max-loss goes with --calibration`,
    );
  }
  let [good, bad] = [sure, other];
  if (await fits(bad)) return { ranks: at(bad) };
  while (Math.abs(bad - good) > 1) {
    const middle = (good + bad) >> 1;
    if (await fits(middle)) good = middle;
    else bad = middle;
  }
  return { ranks: at(good) };
}

/** Ranks whose file is within the limit: where the count was too low, with what it was over taken off. */
function withinBytes(
  foreign: Foreign,
  analysis: PlanAnalysis,
  limit: number,
  multiple: number,
  price: Price,
): Choice {
  let budget = limit;
  for (;;) {
    const choice = fit(analysis, { price, limit: budget, multiple, plain: true });
    const over = rewrite(foreign, cutAt(analysis, choice.ranks)).length - limit;
    if (over <= 0) return choice;
    budget -= over;
  }
}

/** The smallest budget whose measured loss is within the limit, by halving the budget's range. */
async function smallestWithin(
  subject: Subject,
  analysis: PlanAnalysis,
  limit: number,
  multiple: number,
  plain: boolean,
  divergence: Divergence,
  progress: (line: string) => void,
): Promise<Chosen> {
  const { plan } = analysis;
  const price = parametersFor(subject);
  const at = (budget: number) => fit(analysis, { price, limit: budget, multiple, plain });
  const lossOf = async (ranks: readonly number[]) =>
    divergence.measure(rewrite(subject.foreign, cutAt(analysis, ranks)));
  const full = plan.vectors.map(({ input, size }) => (input ? 0 : size));
  let best: Chosen = { ranks: full };
  const atBest = await lossOf(full);
  if (!(atBest <= limit)) {
    throw new KikitoriError(`even at full rank the loss is ${atBest.toExponential(2)}`, {
      kind: 'input',
      expected: `at most ${limit}`,
    });
  }
  const still = plan.vectors.map(() => 0);
  if (plain) best = { ranks: still };
  let low = smallestCost(plan, analysis.method, { price, multiple, plain }, analysis.bases);
  let high = (plain ? 1 : 2) * costAt(plan, still, price);
  for (let round = 0; round < 12 && high - low > low / 100; round++) {
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
