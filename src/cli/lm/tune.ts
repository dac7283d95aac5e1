import { join } from 'node:path';
import { readAudioFile, soundFilesOf } from '../../audio/index.js';
import { editConfig, loadConfig, type Config } from '../../config/index.js';
import { dictate } from '../../engine/dictate.js';
import { Engine } from '../../engine/engine.js';
import { throughNetwork } from '../../measure/evaluate/network.js';
import {
  wordErrors,
  wordsOfText,
  type ClipWordErrors,
} from '../../measure/evaluate/word-errors.js';
import {
  chooseFloor,
  chooseWeights,
  keptAt,
  peopleMin,
  weightsToTry,
  wordsMin,
  type ChosenFloor,
  type ChosenWeights,
  type Segment,
  type Weighed,
} from '../../measure/tune/free-words.js';
import {
  defaultMinConfidence,
  defaultWeights,
  Dictation,
  withWeights,
  type DictationGraph,
} from '../../recognizer/dictation/index.js';
import { scoresOf } from '../../recognizer/index.js';
import { KikitoriError } from '../../runtime/errors.js';
import { configPath, jsonLine, parse, usageError, type CommandRun } from '../shared/command.js';
import { freeWordsReader } from '../shared/free-words.js';
import { promptsOf } from '../shared/prompts.js';

export const usage =
  'kikitori lm tune [--config FILE] [--language-model FILE] [--model DIR|FILE] [--words FILE] [--boost FILE] [--noise DIR] [--limit N] [--dry-run] [--json] TABLE.tsv';

export const help = `usage: ${usage}

How much the language model says, what each word is worth, and in mode dictation below which confidence nothing is
written down, fitted to a site's own recordings of free words. No training.

TABLE.tsv: columns "file" (from the table's folder on), "text" (as it is said) and "speaker"; at least ${peopleMin} people and
${wordsMin} words. Each person is judged by what the others chose. Weights that are not shown to be better stay as they are.

  --config          the daemon's configuration: what is set now, and where the choice is written; comments stay
  --language-model  of "kikitori lm", ARPA too; without it recognizer.languageModelPath
  --model --words --boost   in place of those of the configuration
  --noise           recordings without speech: how much of them would be written down
  --limit           so many of the recordings, spread evenly
  --dry-run         the configuration stays as it is
`;

/** Of all recordings together: what the network made of them is kept, 5 kB a second. */
const secondsMax = 2 * 3600;

interface Clip {
  readonly file: string;
  readonly speaker: string;
  readonly said: readonly string[];
  readonly samples: Float32Array;
  readonly scores: Float32Array;
}

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      config: { type: 'string' },
      'language-model': { type: 'string' },
      model: { type: 'string' },
      words: { type: 'string' },
      boost: { type: 'string' },
      noise: { type: 'string' },
      limit: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
    { most: 1 },
  );
  if (values.help === true) {
    io.stdout.write(help);
    return 0;
  }
  const [table] = positionals;
  if (table === undefined) throw usageError('expected a table of recordings', usage);
  const path = configPath(values.config, io);
  const config = loadConfig(path, io.env);
  const { languageModelPath, boostPath } = config.recognizer;
  const languageModel = values['language-model'] ?? languageModelPath;
  if (languageModel === '')
    throw usageError('--language-model FILE, or recognizer.languageModelPath of --config', usage);
  const { limit, noise } = values;
  const [set] = await promptsOf(
    { prompts: table, set: [], only: '', ...(limit === undefined ? {} : { limit }) },
    usage,
  );
  const prompts = (set?.prompts ?? []).map(({ file, text, speaker = '' }) => ({
    ...{ file, speaker, said: wordsOfText(text) },
  }));
  refuseTooFew(prompts, table);
  const wordsPath = values.words ?? config.grammar.wordsPath;
  const engine = await Engine.open({
    modelPath: values.model ?? config.model.path,
    ...(wordsPath === '' ? {} : { wordsPath }),
  });
  const say = (line: string) => void io.stderr.write(`${line}\n`);
  try {
    const { graph } = await freeWordsReader(
      languageModel,
      io,
      values.boost ?? boostPath,
    )(engine.lexicon);
    const clips = await heardOnce(engine, join(table, '..'), prompts);
    const now = weightsOf(config);
    const tried: Weighed[] = [];
    for (const weights of weightsToTry(now)) {
      tried.push({ weights, clips: searched(engine, withWeights(graph, weights), clips) });
      const { language, word } = weights;
      say(`${tried.length}: language ${language}, word ${word}: ${errorsIn(tried.at(-1))} errors`);
    }
    const chosen = chooseWeights(tried);
    const weights = chosen.better ? chosen.best : now;
    const tuned = withWeights(graph, weights);
    const segments = await segmentsOf(engine, tuned, clips);
    const tunedFloor = {
      ...chooseFloor(segments),
      now: config.recognizer.minConfidence ?? defaultMinConfidence,
    };
    const noises = noise === undefined ? null : await noiseOf(engine, tuned, noise);
    const result: Result = {
      recordings: clips.length,
      people: new Set(clips.map((c) => c.speaker)).size,
      unknown: clips.flatMap((c) => c.said).filter((word) => isUnknown(graph, word)).length,
      now,
      weights,
      chosen,
      floor: tunedFloor,
      keptNow: keptAt(segments, tunedFloor.now),
      noise: noises,
    };
    if (values.json) jsonLine(io, shown(result));
    else io.stdout.write(report(result));
    const changes = {
      'recognizer.languageWeight': weights.language,
      'recognizer.wordInsertion': weights.word,
      ...(config.recognizer.mode === 'dictation'
        ? { 'recognizer.minConfidence': tunedFloor.floor }
        : {}),
    };
    if (path === undefined || values['dry-run']) return 0;
    await editConfig(path, changes, io.env);
    say(`${path}: written; SIGHUP or a restart makes it so`);
    return 0;
  } finally {
    await engine.close();
  }
};

type Prompt = Pick<Clip, 'file' | 'speaker' | 'said'>;

function refuseTooFew(prompts: readonly Prompt[], table: string): void {
  const people = new Set(prompts.map((p) => p.speaker).filter((s) => s !== '')).size;
  const words = prompts.reduce((sum, p) => sum + p.said.length, 0);
  const nameless = prompts.find((p) => p.speaker === '');
  const faults = [
    ...(people < peopleMin ? [`${people} people, expected ${peopleMin} or more`] : []),
    ...(words < wordsMin ? [`${words} words, expected ${wordsMin} or more`] : []),
    ...(nameless === undefined ? [] : [`${nameless.file} has no speaker`]),
  ];
  if (faults.length === 0) return;
  throw new KikitoriError(faults.join('; '), {
    kind: 'input',
    where: table,
    hint: 'what fits so few may fit nobody else: record more people, each with some sentences, and name them in the column "speaker"',
  });
}

function weightsOf({ recognizer: { languageWeight, wordInsertion } }: Config) {
  const { language, word } = defaultWeights;
  return { language: languageWeight ?? language, word: wordInsertion ?? word };
}

/** The network once; its answers are searched again and again. */
async function heardOnce(
  engine: Engine,
  folder: string,
  prompts: readonly Prompt[],
): Promise<Clip[]> {
  const { features, decoding } = engine.bundle.manifest;
  let seconds = 0;
  const clips: Clip[] = [];
  for (const prompt of prompts) {
    const audio = await readAudioFile(join(folder, prompt.file), {
      rateHz: features.sampleRateHz,
    });
    seconds += audio.seconds;
    if (seconds > secondsMax)
      throw new KikitoriError(`the recordings are longer than ${secondsMax / 3600} hours`, {
        kind: 'input',
        hint: '--limit takes some of them, spread evenly',
      });
    const { logProbs } = await throughNetwork(engine, audio.samples);
    clips.push({ ...prompt, samples: audio.samples, scores: scoresOf(logProbs, decoding) });
  }
  return clips;
}

function searched(
  { bundle }: Engine,
  graph: DictationGraph,
  clips: readonly Clip[],
): ClipWordErrors[] {
  const units = bundle.manifest.units.length;
  return clips.map(({ file, speaker, said, scores }) => {
    const dictation = new Dictation(graph);
    dictation.feed(scores, units);
    const heard = dictation.finish().words.map((w) => w.text.toLowerCase());
    return { ...wordErrors(heard, said), file, speaker };
  });
}

const errorsIn = (weighed: Weighed | undefined) =>
  (weighed?.clips ?? []).reduce((sum, c) => sum + c.substituted + c.left + c.added, 0);

/** As the daemon hears them, cut at pauses. */
async function segmentsOf(
  engine: Engine,
  graph: DictationGraph,
  clips: readonly Clip[],
): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const { speaker, samples } of clips)
    for await (const { confidence, words } of dictate(engine, graph, samples))
      segments.push({ speaker, confidence, words: words.length });
  return segments;
}

interface Noise {
  readonly seconds: number;
  readonly confidences: readonly number[];
}

async function noiseOf(engine: Engine, graph: DictationGraph, folder: string): Promise<Noise> {
  const { sampleRateHz: rateHz } = engine.bundle.manifest.features;
  const confidences: number[] = [];
  let seconds = 0;
  for (const file of await soundFilesOf(folder)) {
    const audio = await readAudioFile(file, { rateHz });
    seconds += audio.seconds;
    for await (const { confidence } of dictate(engine, graph, audio.samples))
      confidences.push(confidence);
  }
  return { seconds, confidences };
}

function isUnknown({ model }: DictationGraph, word: string): boolean {
  const number = model.numberOf(word);
  return number === undefined || number === model.unknown;
}

interface Result {
  readonly recordings: number;
  readonly people: number;
  /** Words of the texts that the language model lacks: each is an error. */
  readonly unknown: number;
  readonly now: ReturnType<typeof weightsOf>;
  readonly weights: ReturnType<typeof weightsOf>;
  readonly chosen: ChosenWeights;
  readonly floor: ChosenFloor & { readonly now: number };
  readonly keptNow: number;
  readonly noise: Noise | null;
}

const percent = (share: number) => (100 * share).toFixed(1);
const hourly = ({ seconds, confidences }: Noise, floor: number) =>
  (3600 * confidences.filter((c) => c >= floor).length) / seconds;

/** The contract of --json. */
function shown({ chosen, noise, ...result }: Result) {
  const { before, best, heldOut, difference, better, folds } = chosen;
  return {
    ...result,
    ...{ best, better, difference, folds },
    before: before.rate,
    heldOut,
    noise:
      noise === null
        ? null
        : {
            seconds: noise.seconds,
            messagesHourlyNow: hourly(noise, result.floor.now),
            messagesHourly: hourly(noise, result.floor.floor),
          },
  };
}

function report({ now, weights, chosen, floor, keptNow, noise, ...of }: Result): string {
  const { before, best, heldOut, difference, better } = chosen;
  const row = (name: string, a: string | number, b: string | number) =>
    `${name.padEnd(30)} ${String(a).padEnd(24)} ${b}\n`;
  const inWords = ({ value, low, high }: { value: number; low: number; high: number }) =>
    `${percent(value)} (${percent(low)} to ${percent(high)})`;
  return (
    `${of.people} people, ${of.recordings} recordings, ${heldOut.length} words, ${of.unknown} of them not in the language model\n` +
    row('', 'before', 'after') +
    row('languageWeight', now.language, best.language) +
    row('wordInsertion', now.word, best.word) +
    row('word error, %', inWords(before.rate.rate), inWords(heldOut.rate)) +
    row('  difference, points', '', inWords(difference)) +
    row('minConfidence', floor.now, floor.floor) +
    row('words above it, %', percent(keptNow), percent(floor.kept)) +
    (noise === null
      ? ''
      : row(
          'noise, messages an hour',
          hourly(noise, floor.now).toFixed(0),
          hourly(noise, floor.floor).toFixed(0),
        )) +
    'In brackets 95 % over people. "After" is of each person by what the others chose.\n' +
    (better ? '' : 'The other weights are not shown to be better: those that are set stay.\n') +
    `recognizer:\n  languageWeight: ${weights.language}\n  wordInsertion: ${weights.word}\n  minConfidence: ${floor.floor}  # in mode dictation\n`
  );
}
