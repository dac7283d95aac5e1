import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Bundle, sha256 } from '../../bundle/index.js';
import { isAlive } from '../../runtime/is-alive.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { KikitoriError } from '../../runtime/errors.js';
import { parameterCount, parseCheckpoint } from '../checkpoint.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import {
  audioFeeds,
  bytesAt8Bits,
  prepare,
  analysisOf,
  smallestPrice,
  type Analysis,
} from '../factorize/index.js';
import { bundleLike, everySet, promptsKey, type PromptSet } from '../report/index.js';
import { rateOf } from '../../measure/evaluate/paired.js';
import { speechChain } from '../speech-chain.js';
import { nextBudget } from './bisect.js';
import { makeCandidate, measure, type CandidateResult, type Workshop } from './candidate.js';
import { Journal } from './journal.js';
import { Remaining } from './remaining.js';
import { runTrainer, type Trainer } from './trainer.js';

export interface SearchOptions {
  readonly densePath: string;
  /** A bundle whose lexicon, self-test and thresholds the candidates take. */
  readonly likePath: string;
  readonly folder: string;
  readonly limitBytes: number;
  /** Upper end of the interval of the phone error's difference, as a share. */
  readonly tolerance: number;
  readonly candidates: number;
  readonly calibration: string;
  readonly calibrationSeconds: number;
  readonly multiple: number;
  readonly prompts: readonly PromptSet[];
  readonly trainer: Trainer;
  readonly minutes: number;
  readonly steps: number;
  readonly learningRate: number;
  /** Share of the loss that is the divergence from the dense network's posteriors; the rest is CTC. */
  readonly distillation: number;
  readonly share: number;
  readonly progress: (line: string) => void;
  readonly nowMs: () => number;
}

export interface SearchResult {
  readonly format: 1;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly dense: {
    readonly parameters: number;
    readonly bytes: number;
    readonly phoneError: Readonly<Record<string, number>>;
  };
  readonly tolerance: number;
  readonly clips: Readonly<Record<string, number>>;
  /** In the order in which they were tried. */
  readonly tried: readonly (CandidateResult & { readonly within: boolean })[];
  /** The smallest within the tolerance; absent when none is. */
  readonly smallest?: CandidateResult;
}

/** Making a pack may mean synthesising hours of speech. */
const prepareSeconds = 4 * 3600;

/** The whole workflow, budget after budget; started again in the same folder it goes on where it was. */
export async function search(o: SearchOptions): Promise<SearchResult> {
  await mkdir(o.folder, { recursive: true });
  await claim(o.folder);
  const bytes = await readFile(o.densePath);
  const checkpoint = parseCheckpoint(bytes, o.densePath);
  const least = Math.ceil(smallestPrice(checkpoint, 'data-aware', o.multiple, bytesAt8Bits));
  if (checkpoint.kind !== 'lstm')
    throw new KikitoriError('the network is factored already', {
      kind: 'input',
      where: o.densePath,
      expected: 'the dense checkpoint that it came from',
    });
  if (o.limitBytes < least)
    throw new KikitoriError(`no network of this shape has ${o.limitBytes} bytes`, {
      kind: 'input',
      expected: `at least ${least}`,
      hint: 'raise --bytes or lower --multiple',
    });
  const settings = settingsOf(o, sha256(bytes));
  const journal = await Journal.open(join(o.folder, 'journal.jsonl'), settings, o.nowMs);
  const remaining = new Remaining(journal, o);
  let progress: Workshop['progress'] = (stage, share) => remaining.say('dense', stage, share);
  const like = await Bundle.open(o.likePath);
  const workshop: Workshop = {
    ...o,
    journal,
    like,
    dense: checkpoint,
    analysis: once(() => analyse(o, checkpoint)),
    progress: (stage, share) => progress(stage, share),
  };
  // The trainer first: without it, nothing that follows would be of use.
  await journal.once('trainer', async () => {
    workshop.progress('the training data', 0);
    await runTrainer(o.trainer, {
      command: 'prepare',
      config: o.trainer.config,
      secondsMax: prepareSeconds,
      pidFile: join(o.folder, 'trainer.pid'),
    });
    return true;
  });
  const dense = await journal.once('dense', async () => {
    workshop.progress('dense', 0);
    const path = join(o.folder, 'dense');
    await bundleLike(like, { ...checkpoint, quantization: undefined }, 'dense', path);
    return {
      bytes: (await Bundle.open(path)).manifest.files['model.onnx']?.bytes ?? NaN,
      measured: await measure(path, workshop, 'dense'),
    };
  });
  const tried: (CandidateResult & { within: boolean })[] = [];
  for (;;) {
    const budget = nextBudget(tried, { limit: o.limitBytes, least, most: o.candidates });
    if (budget === undefined) break;
    progress = (stage, share) => remaining.say(`b${budget}`, stage, share, tried.length);
    const result = await makeCandidate(workshop, budget, dense.measured);
    const within = isWithin(result.difference, o.tolerance);
    o.progress(
      `${budget} bytes: ${describe(result)}, ${within ? 'within' : 'beyond'} the tolerance`,
    );
    tried.push({ ...result, within });
  }
  const smallest = tried
    .filter((c) => c.within)
    .reduce<CandidateResult | undefined>(
      (best, c) => (best === undefined || c.networkBytes < best.networkBytes ? c : best),
      undefined,
    );
  return {
    format: 1,
    settings,
    dense: {
      parameters: parameterCount(checkpoint),
      bytes: dense.bytes,
      phoneError: Object.fromEntries(
        Object.entries(dense.measured).map(([set, { phones }]) => [set, rateOf(phones)]),
      ),
    },
    tolerance: o.tolerance,
    clips: Object.fromEntries(o.prompts.map((set) => [set.name, set.prompts.length])),
    tried,
    ...(smallest === undefined ? {} : { smallest }),
  };
}

/** On all prompts together: of one set alone there are too few to tell a point of loss from chance. */
export function isWithin(difference: CandidateResult['difference'], tolerance: number): boolean {
  const all = difference[everySet];
  const counted = all === undefined ? Object.values(difference) : [all];
  return counted.every(({ high }) => high <= tolerance);
}

const describe = ({ difference }: CandidateResult) =>
  Object.entries(difference)
    .map(([set, { low, high }]) => `${set} ${points(low)} to ${points(high)} points`)
    .join(', ');

const points = (v: number) => `${v >= 0 ? '+' : ''}${(100 * v).toFixed(2)}`;

/** What a result depends on: a folder is of one search. */
function settingsOf(o: SearchOptions, dense: string): Record<string, unknown> {
  return {
    dense,
    bytes: o.limitBytes,
    tolerance: o.tolerance,
    multiple: o.multiple,
    minutes: o.minutes,
    steps: o.steps,
    learningRate: o.learningRate,
    distillation: o.distillation,
    share: o.share,
    calibration: o.calibration,
    calibrationSeconds: o.calibrationSeconds,
    trainerConfig: o.trainer.config,
    like: o.likePath,
    prompts: sha256(Buffer.from(promptsKey(o.prompts))).slice(0, 16),
  };
}

/** One search a folder at a time. */
async function claim(folder: string): Promise<void> {
  const path = join(folder, 'search.pid');
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  if (pid !== process.pid && isAlive(pid))
    throw new KikitoriError(`process ${pid} searches here`, {
      kind: 'input',
      where: path,
      hint: 'wait for it, or remove the file when that process is another program',
    });
  await atomicWrite(path, `${process.pid}\n`, 0o644);
}

async function analyse(o: SearchOptions, dense: Workshop['dense']): Promise<Analysis> {
  const { feeds } = await audioFeeds(dense, o.calibration, {
    seconds: o.calibrationSeconds,
    random: randomFrom(1),
  });
  const { analysis } = await prepare(await speechChain(dense), {
    method: 'data-aware',
    feeds,
    loss: 'softmax',
    outputs: ['logits'],
    progress: o.progress,
  });
  return analysisOf(dense, analysis);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
