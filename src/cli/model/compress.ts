import {
  encodeCheckpoint,
  parameterCount,
  readCheckpoint,
  writeCheckpoint,
  type Checkpoint,
  type NetworkCheckpoint,
} from '../../compress/checkpoint.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import {
  audioFeeds,
  checkpointOf,
  compress,
  measureCosts,
  multipliedOut,
  readCosts,
  refit,
  type CompressionFacts,
  type CompressOptions,
  type Refitted,
  type Target,
} from '../../compress/factorize/index.js';
import {
  chainOf,
  checkUnderstood,
  isStateDict,
  readOnnx,
  readStateDict,
  rewrite,
  stateDictOnnx,
  takeForeign,
  writeStateDict,
  type Feed,
  type Foreign,
  type StateDict,
} from '../../compress/import/index.js';
import { encodeSafetensors, readSafetensors } from '../../compress/safetensors.js';
import { speechChain } from '../../compress/speech-chain.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import {
  jsonLine,
  numberOption,
  parse,
  usageError,
  type CommandRun,
  type Io,
} from '../shared/command.js';
import { callOptions, callsOn, outputsBy } from './foreign-calls.js';

const usage = `kikitori model compress FILE.safetensors --out FILE.safetensors --calibration DIR (--params N | --bytes N | --max-loss X | --ranks R,R,..)
       kikitori model compress FILE.onnx --out FILE.onnx --calibration FILE.npy|FILE.csv (--params N | --bytes N | --max-loss X | --ranks R,R,..)
       kikitori model compress FILE --out FILE --method paper (--tau 0.6 | --ranks R,R,.. | --params N)
       kikitori model compress STATE_DICT.safetensors --out FILE.safetensors --calibration FILE.npy|FILE.csv (--params N | --max-loss X | --ranks R)
       of an ONNX file that is called in another way: --audio NAME --window SAMPLES [--context SAMPLES] [--rate HZ] with --calibration DIR,
       [--input NAME=NUMBER]... [--carry OUTPUT=INPUT]... [--outputs NAME,NAME]
       [--refit] [--input-rank R] [--multiple 8] [--calibration-seconds 600] [--fisher FILE] [--precision float32|float16] [--json]`;

type Values = Readonly<Record<string, string | boolean | string[] | undefined>>;

const text = (values: Values, name: string): string | undefined => {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
};

/** A network -> a factored one: ranks, shared projections, corrected biases. A factored one gets lower ranks. */
export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      out: { type: 'string' },
      method: { type: 'string', default: 'data-aware' },
      tau: { type: 'string' },
      ranks: { type: 'string' },
      'input-rank': { type: 'string' },
      params: { type: 'string' },
      bytes: { type: 'string' },
      'max-loss': { type: 'string' },
      multiple: { type: 'string', default: '8' },
      calibration: { type: 'string' },
      'calibration-seconds': { type: 'string', default: '600' },
      fisher: { type: 'string' },
      refit: { type: 'boolean', default: false },
      precision: { type: 'string', default: 'float32' },
      ...callOptions,
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
    { most: 1 },
  );
  if (values.help) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const [path, ...more] = positionals;
  const { out, method } = values;
  if (path === undefined || more.length > 0) throw usageError('one network is compressed', usage);
  if (out === undefined) throw usageError('--out is missing', usage);
  if (method !== 'paper' && method !== 'data-aware')
    throw usageError(`--method is "${method}"`, usage);
  if (values.precision !== 'float32' && values.precision !== 'float16')
    throw usageError(`--precision is "${values.precision}"`, usage);
  const multiple = numberOption('multiple', values.multiple) ?? 8;
  if (!Number.isInteger(multiple) || multiple < 1)
    throw usageError('--multiple is no count', usage);
  const options = {
    method,
    multiple,
    target: targetOf(values, method),
    progress: progressTo(io),
    nowMs: () => performance.now(),
  } as const;
  if (values.refit && values.calibration === undefined)
    throw usageError('--refit needs --calibration', usage);
  const begun = performance.now();
  const done = await compressOne(path, out, values, options);
  const seconds = (performance.now() - begun) / 1000;
  if (values.json) jsonLine(io, { out, ...done, seconds: Number(seconds.toFixed(1)) });
  else io.stdout.write(summary(out, done, seconds));
  return 0;
};

const progressTo = (io: Io) => (line: string) => void io.stderr.write(`${line}\n`);

function targetOf(values: Values, method: 'paper' | 'data-aware'): Target {
  const given = ['tau', 'ranks', 'params', 'bytes', 'max-loss'].filter(
    (n) => text(values, n) !== undefined,
  );
  if (given.length === 0 && method === 'paper') return { kind: 'tau', tau: 0.6 };
  const [name, ...others] = given;
  if (name === undefined || others.length > 0) {
    throw usageError(
      name === undefined
        ? 'what the network may cost is missing'
        : `--${given.join(' and --')} say the same thing twice`,
      usage,
    );
  }
  if (text(values, 'input-rank') !== undefined && name !== 'ranks')
    throw usageError('--input-rank goes with --ranks', usage);
  if (name === 'ranks') {
    const layers = (text(values, 'ranks') ?? '').split(',').map(Number);
    const input = numberOption('input-rank', text(values, 'input-rank')) ?? 0;
    if (![...layers, input].every(Number.isInteger))
      throw usageError('--ranks are no counts', usage);
    return { kind: 'ranks', layers, input };
  }
  const number = numberOption(name, text(values, name)) ?? NaN;
  if (!(number > 0)) throw usageError(`--${name} is not above 0`, usage);
  if (name === 'tau') {
    if (method !== 'paper') throw usageError('--tau goes with --method paper', usage);
    if (number > 1) throw usageError('--tau is above 1', usage);
    return { kind: 'tau', tau: number };
  }
  return { kind: name as 'params' | 'bytes' | 'max-loss', limit: number };
}

/** As many as give the costs of errors in a minute and a half. */
const costPieces = 40;

type Common = Pick<CompressOptions, 'method' | 'multiple' | 'target' | 'progress' | 'nowMs'>;

async function compressOne(
  path: string,
  out: string,
  values: Values,
  common: Common,
): Promise<CompressionFacts> {
  if (path.endsWith('.onnx')) {
    if (values['refit'] === true) throw onlySpeech();
    return compressForeign(path, out, values, common);
  }
  const file = await readSafetensors(path);
  if (values['refit'] === true && isStateDict(file)) throw onlySpeech();
  return isStateDict(file)
    ? compressStateDict(readStateDict(file, path), path, out, values, common)
    : compressSpeech(path, out, values, common);
}

const onlySpeech = () => usageError('--refit is for a checkpoint of speech', usage);

/** Layers of PyTorch, with what stands beside them in the file. */
async function compressStateDict(
  dict: StateDict,
  path: string,
  out: string,
  values: Values,
  common: Common,
): Promise<CompressionFacts> {
  const foreign = await takeForeign(stateDictOnnx(dict), path);
  const network = chainOf(foreign);
  const feeds = await feedsOf(foreign, values);
  await checkUnderstood(foreign, feeds?.slice(0, 50));
  const { cut, facts } = await compress(
    { foreign, ...(network === undefined ? {} : { network }) },
    {
      ...common,
      uniform: true,
      ...(feeds === undefined ? {} : { feeds }),
      loss: { scale: new Float64Array(network?.outputs ?? 0).fill(1) },
      outputs: outputsBy(foreign.model, text(values, 'outputs'), usage),
    },
  );
  const bytes = out.endsWith('.onnx')
    ? rewrite(foreign, cut)
    : encodeSafetensors(
        writeStateDict(dict, foreign, cut),
        text(values, 'precision') === 'float16' ? 'F16' : 'F32',
      );
  await atomicWrite(out, bytes, 0o644);
  return facts;
}

async function compressSpeech(
  path: string,
  out: string,
  values: Values,
  common: Common,
): Promise<CompressionFacts> {
  const given = await readCheckpoint(path);
  // A factored one to lower ranks: by the dense network that it computes.
  const checkpoint = multipliedOut(given);
  const chain = await speechChain(checkpoint);
  const folder = text(values, 'calibration');
  const seconds = numberOption('calibration-seconds', text(values, 'calibration-seconds')) ?? 600;
  const audio =
    folder === undefined
      ? undefined
      : await audioFeeds(checkpoint, folder, { seconds, random: randomFrom(1) });
  if (audio !== undefined && audio.silent > 0)
    common.progress?.(`${audio.silent} silent recordings passed over`);
  const fisher = text(values, 'fisher');
  const { cut, facts: ofDense } = await compress(chain, {
    ...common,
    ...(audio === undefined ? {} : { feeds: audio.feeds }),
    ...(fisher === undefined
      ? {}
      : { costs: await readCosts(fisher, checkpoint.layers, checkpoint.outputs) }),
    loss: 'softmax',
    outputs: ['logits'],
  });
  const facts = { ...ofDense, parametersBefore: parameterCount(given) };
  const factored = checkpointOf(checkpoint, cut);
  const fitted =
    values['refit'] === true && audio !== undefined
      ? await refitSpeech(checkpoint, factored, audio.feeds, common)
      : undefined;
  const all =
    fitted === undefined
      ? facts
      : { ...facts, measuredLoss: fitted.divergence, refit: { steps: fitted.steps } };
  const network = withFacts(fitted?.network ?? factored, all);
  await writeCheckpoint(out, network, text(values, 'precision') === 'float16' ? 'F16' : 'F32');
  return all;
}

/** The published method's projections stay its own. */
async function refitSpeech(
  dense: Checkpoint,
  factored: NetworkCheckpoint,
  feeds: readonly Feed[],
  { method, progress }: Common,
): Promise<Refitted> {
  const inputs = feeds.flatMap(({ features }) => (features === undefined ? [] : [features]));
  const costs =
    method === 'paper'
      ? undefined
      : await measureCosts(dense, inputs.slice(0, costPieces), 'softmax', randomFrom(1));
  return refit(
    dense,
    factored,
    inputs.map(({ data }) => data),
    { ...(costs === undefined ? {} : { costs }), ...(progress === undefined ? {} : { progress }) },
  );
}

async function compressForeign(
  path: string,
  out: string,
  values: Values,
  common: Common,
): Promise<CompressionFacts> {
  if (!out.endsWith('.onnx')) throw usageError('--out of an ONNX file is an ONNX file', usage);
  const foreign = await takeForeign(await readOnnx(path), path);
  for (const { why } of foreign.left) common.progress?.(`left as it is: ${why}`);
  const network = chainOf(foreign);
  const feeds = await feedsOf(foreign, values);
  await checkUnderstood(foreign, feeds?.slice(0, 50));
  const fisher = text(values, 'fisher');
  if (fisher !== undefined && network === undefined)
    throw usageError('--fisher is for one chain of LSTM layers', usage);
  const { cut, facts } = await compress(
    { foreign, ...(network === undefined ? {} : { network }) },
    {
      ...common,
      asOnnx: true,
      ...(feeds === undefined ? {} : { feeds }),
      ...(fisher === undefined || network === undefined
        ? {}
        : { costs: await readCosts(fisher, network.layers, network.outputs) }),
      loss: { scale: new Float64Array(network?.outputs ?? 0).fill(1) },
      outputs: outputsBy(foreign.model, text(values, 'outputs'), usage),
    },
  );
  const bytes = rewrite(foreign, cut);
  // Fine-tuning elsewhere takes the network alone.
  const checkpoint =
    network === undefined
      ? undefined
      : encodeCheckpoint(withFacts(checkpointOf(network, cut), facts));
  await atomicWrite(out, bytes, 0o644);
  if (checkpoint !== undefined)
    await atomicWrite(`${out.slice(0, -'.onnx'.length)}.safetensors`, checkpoint, 0o644);
  return facts;
}

const feedsOf = async (foreign: Foreign, values: Values): Promise<readonly Feed[] | undefined> =>
  (await callsOn(foreign, text(values, 'calibration'), values, usage))?.feeds;

const withFacts = (network: NetworkCheckpoint, facts: CompressionFacts): NetworkCheckpoint => ({
  ...network,
  training: { ...network.training, compression: facts },
});

function summary(out: string, f: CompressionFacts, seconds: number): string {
  const percent = (v: number) => `${(100 * v).toFixed(1)} %`;
  const loss =
    f.measuredLoss === undefined
      ? ''
      : `  loss        ${f.measuredLoss.toPrecision(3)} a step on calibration data${f.refit === undefined ? '' : `, fitted again on ${f.refit.steps.toLocaleString('en')} steps`}\n`;
  const ranks = f.vectors?.map(
    ({ name, size, rank }) => `  ${name}: ${rank === 0 ? 'as it is' : `rank ${rank} of ${size}`}`,
  ) ?? [
    `  ranks       ${f.ranks.join(', ')}${f.inputRank > 0 ? `, input ${f.inputRank}` : ', input as it is'}`,
    `  explained   ${f.explained.map(percent).join(', ')}${f.explainedInput === undefined ? '' : `, input ${percent(f.explainedInput)}`}`,
  ];
  return [
    `${out}: ${f.method}, ${f.parametersBefore.toLocaleString('en')} -> ${f.parameters.toLocaleString('en')} parameters (${(f.parametersBefore / f.parameters).toFixed(2)}x) in ${seconds.toFixed(1)} s`,
    ...ranks,
    loss,
  ].join('\n');
}
