import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readAudioFile, soundFileName, type ReadOptions } from '../../audio/index.js';
import { labelMeaning, parseLabels, type Label } from '../../measure/evaluate/labels.js';
import {
  acceptanceCurve,
  pointFor,
  type Curve,
  type CurvePoint,
} from '../../measure/evaluate/curve.js';
import { acceptanceChart } from '../../measure/chart/charts.js';
import {
  hearOthers,
  machines,
  noiseAlone,
  noiseLevelsDb,
  talk,
  type OtherAudio,
  type OtherResult,
} from '../../measure/evaluate/others.js';
import { hearStream } from '../../measure/evaluate/stream.js';
import { summarise, type Outcome, type Summary } from '../../measure/evaluate/score.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import { Engine, hearClip, readText } from '../../engine/engine.js';
import type { Heard } from '../../records.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import type { GrammarDetails } from '../../recognizer/index.js';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { transcriptLine } from '../transcribe.js';
import {
  channelOption,
  jsonLine,
  numberOption,
  parse,
  usageError,
  type CommandRun,
  type Io,
} from '../shared/command.js';
import { commonOptions, conditionsOf, noiseOptions, percent, type Condition } from './options.js';
import { freeWordsReader } from '../shared/free-words.js';
import { writeChart } from '../shared/write-chart.js';

const usage = `kikitori evaluate --grammar FILE [--labels FILE.json|tsv] [--noise FILE... --snr DB...] [--talk PATH...] [--noise-alone PATH...] [--machines SECONDS] [--curve FILE.svg|json] [--per-hour N] [--model DIR|FILE] [--words FILE] [--language-model FILE] [--min-confidence P] [--min-certainty P] [--channel N] [--limit N] [--clips] [--json] [DIR]

Accuracy, false accepts, word error, real-time factor and peak memory on recordings, with 95 %
intervals. Without labels every file of DIR counts as no command. Noise is mixed in by the peak-frame
rule at each --snr, after a clean pass. --clips prints every clip too. --min-certainty: below this probability that no
other command was meant it is refused as ambiguous.
What is no command is played to the listener as the daemon hears it, and counted by the hour: --talk
recordings of speech, --noise-alone noise at ${noiseLevelsDb.join(', ')} dB of full scale, --machines seconds of synthesised
machine noise. --curve draws false accepts an hour against refused commands for every threshold,
overall and per intent; --per-hour says which threshold keeps false accepts to N an hour.
--language-model: of "kikitori lm", for sentences with any words in them; their slots are labelled in a FILE.json.
--channel: the channel of recordings with several, from 0 as capture.channel; -1, as without it: all mixed.`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      ...commonOptions,
      ...noiseOptions,
      grammar: { type: 'string' },
      words: { type: 'string' },
      labels: { type: 'string' },
      talk: { type: 'string', multiple: true, default: [] },
      'noise-alone': { type: 'string', multiple: true, default: [] },
      machines: { type: 'string' },
      curve: { type: 'string' },
      'per-hour': { type: 'string' },
      'language-model': { type: 'string' },
      'min-confidence': { type: 'string' },
      'min-certainty': { type: 'string' },
      clips: { type: 'boolean', default: false },
    },
    usage.split('\n')[0] ?? '',
    { most: 1 },
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const folder = positionals[0];
  const channel = channelOption(values.channel);
  const others = (rateHz: number): OtherAudio[] => [
    ...values.talk.map((path) => talk(path, { rateHz, channel })),
    ...values['noise-alone'].map((path) => noiseAlone(path, { rateHz, channel })),
    ...(machineSeconds === undefined ? [] : [machines(machineSeconds, rateHz)]),
  ];
  const machineSeconds = numberOption('machines', values.machines);
  const perHour = numberOption('per-hour', values['per-hour']);
  const nothing = folder === undefined && others(16_000).length === 0;
  if (nothing || positionals.length > 1 || typeof values.grammar !== 'string') {
    throw usageError('expected a folder of recordings and --grammar', usage.split('\n')[0] ?? '');
  }
  const languageModel = values['language-model'];
  const engine = await Engine.open({
    modelPath: String(values.model),
    grammarPath: values.grammar,
    ...(languageModel === undefined ? {} : { freeWords: freeWordsReader(languageModel, io) }),
    ...(typeof values.words === 'string' ? { wordsPath: values.words } : {}),
    recognizer: {
      minConfidence: numberOption('min-confidence', values['min-confidence']),
      minCertainty: numberOption('min-certainty', values['min-certainty']),
    },
  });
  const grammar = await engine.compile();
  const limit = numberOption('limit', values.limit);
  const labels =
    folder === undefined ? [] : (await readLabels(folder, values.labels)).slice(0, limit);
  const all = await conditionsOf(
    values,
    engine.bundle.manifest.features.sampleRateHz,
    usage.split('\n')[0] ?? '',
  );
  const read = { rateHz: engine.bundle.manifest.features.sampleRateHz, channel };
  const conditions = folder === undefined ? [] : all;
  const measured: { name: string; outcomes: readonly Outcome[] }[] = [];
  for (const condition of conditions) {
    const outcomes = await measure(engine, grammar, folder ?? '', read, labels, condition, io);
    measured.push({ name: condition.name, outcomes });
    if (values.clips === true) {
      for (const o of outcomes)
        jsonLine(io, {
          condition: condition.name,
          wanted: o.wanted ?? null,
          ...transcriptLine(o.file, o.heard),
          evidence: o.heard.evidence,
        });
    }
    const summary = summarise(outcomes);
    const peakMemoryMb = Math.round(process.resourceUsage().maxRSS / 1024);
    if (values.json === true)
      jsonLine(io, {
        condition: condition.name,
        snrDb: condition.snrDb,
        noise: condition.noiseFile,
        ...summary,
        peakMemoryMb,
      });
    else io.stdout.write(human(condition.name, summary, peakMemoryMb));
  }
  const recognizer = engine.recognizer(grammar);
  const results: OtherResult[] = [];
  for (const other of others(engine.bundle.manifest.features.sampleRateHz)) {
    const result = await hearOthers(
      engine,
      recognizer,
      other,
      (l) => io.stderr.write(`${l}\n`),
      limit,
    );
    results.push(result);
    const { name, hours, heard, accepted } = result;
    if (values.json === true)
      jsonLine(io, {
        other: name,
        hours,
        utterances: heard.length,
        falseAccepts: accepted,
        falseAcceptsPerHour: hours > 0 ? accepted / hours : null,
      });
    else
      io.stdout.write(
        `${name}: ${accepted} false accepts in ${hours.toFixed(2)} h (${(accepted / Math.max(hours, 1e-9)).toFixed(1)} an hour), ${heard.length} utterances refused or not\n`,
      );
  }
  if (values.curve === undefined && perHour === undefined) return 0;
  const named = curvesOf(measured, results);
  const threshold =
    numberOption('min-confidence', values['min-confidence']) ??
    engine.bundle.manifest.confidence.threshold;
  sayThresholds(io, named, threshold, perHour, values.json === true);
  if (values.curve !== undefined) {
    const { name, version } = engine.bundle.manifest;
    await writeCurve(io, values.curve, `${name} ${version}`, named, threshold);
  }
  return 0;
};

interface NamedCurve extends Curve {
  readonly name: string;
}

/** One curve a condition; clips labelled as no command and everything played count as its other audio. */
function curvesOf(
  measured: readonly { name: string; outcomes: readonly Outcome[] }[],
  results: readonly OtherResult[],
): NamedCurve[] {
  const played = results.flatMap((r) => r.heard);
  const playedHours = results.reduce((s, r) => s + r.hours, 0);
  return measured.map(({ name, outcomes }) => {
    const none = outcomes.filter((o) => o.wanted === null);
    const hours = playedHours + none.reduce((s, o) => s + o.audioSeconds, 0) / 3600;
    const heard = [...played, ...none.flatMap((o) => o.utterances ?? [o.heard])];
    return { name, ...acceptanceCurve(outcomes, heard, hours) };
  });
}

function sayThresholds(
  io: Io,
  curves: readonly NamedCurve[],
  threshold: number,
  perHour: number | undefined,
  json: boolean,
): void {
  for (const { name, overall } of curves) {
    const wanted = perHour === undefined ? undefined : pointFor(overall, perHour);
    const inUse = overall[Math.round(threshold * 100)];
    if (json) {
      jsonLine(io, { condition: name, inUse, ...(wanted === undefined ? {} : { wanted }) });
      continue;
    }
    const line = (what: string, p: CurvePoint | undefined) =>
      p === undefined
        ? `${name}, ${what}: no threshold does it\n`
        : `${name}, ${what} ${p.threshold.toFixed(2)}: ${(100 * p.refused).toFixed(1)} % of commands refused, ${(100 * p.wrong).toFixed(1)} % wrong, ${p.falseAcceptsPerHour.toFixed(1)} false accepts an hour\n`;
    io.stdout.write(line('threshold in use', inUse));
    if (perHour !== undefined)
      io.stdout.write(line(`lowest threshold for ${perHour} false accepts an hour:`, wanted));
  }
}

async function writeCurve(
  io: Io,
  path: string,
  model: string,
  curves: readonly NamedCurve[],
  threshold: number,
): Promise<void> {
  if (!path.endsWith('.svg')) {
    await atomicWrite(path, `${JSON.stringify({ model, threshold, curves }, null, 1)}\n`, 0o644);
    return;
  }
  const [first] = curves;
  const lines = [
    ...curves.map(({ name, overall }) => ({ name, points: overall })),
    ...Object.entries(first?.intents ?? {}).map(([name, points]) => ({ name, points })),
  ].filter((l) => l.points.every((p) => Number.isFinite(p.refused)));
  const mark = first?.overall[Math.round(threshold * 100)];
  const title = `${model}, mark: threshold in use`;
  await writeChart(io, path, await acceptanceChart(lines, mark, title));
}

async function readLabels(folder: string, path: string | undefined): Promise<Label[]> {
  if (path !== undefined) {
    const all = parseLabels(await readText(path, 'labels in JSON or TSV'), path);
    if (!path.endsWith('.tsv')) return all;
    // A table may describe more folders than this one; its paths may be relative to another folder.
    const names = new Set(await namesIn(folder));
    return all
      .map((l) => ({ ...l, file: l.file.split('/').at(-1) ?? '' }))
      .filter((l) => names.has(l.file));
  }
  return (await namesIn(folder)).map((file) => ({ file, intent: null }));
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => soundFileName.test(name)).sort();
  } catch (error) {
    throw new KikitoriError(messageOf(error), {
      kind: 'input',
      where: folder,
      expected: 'a folder of recordings',
    });
  }
}

async function measure(
  engine: Engine,
  grammar: GrammarDetails,
  folder: string,
  read: ReadOptions,
  labels: readonly Label[],
  { name, mixed }: Condition,
  io: Io,
): Promise<Outcome[]> {
  const recognizer = engine.recognizer(grammar);
  const random = randomFrom(1);
  const outcomes: Outcome[] = [];
  const failures: string[] = [];
  for (const label of labels) {
    try {
      const clip = await readAudioFile(join(folder, label.file), read);
      const samples = mixed(clip.samples, random);
      const begin = performance.now();
      const wanted = labelMeaning(label, grammar);
      // What is no command reaches a device in a stream, and may hold several utterances.
      const utterances =
        wanted === null
          ? (await hearStream(engine, recognizer, samples)).map((e) => e.heard)
          : undefined;
      const heard =
        utterances === undefined
          ? await hearClip(engine, recognizer, samples)
          : mostCertain(utterances);
      outcomes.push({
        file: label.file,
        heard,
        wanted,
        ...(utterances === undefined ? {} : { utterances }),
        ...(label.text === undefined ? {} : { wantedText: label.text }),
        audioSeconds: clip.seconds,
        computeSeconds: (performance.now() - begin) / 1000,
      });
    } catch (error) {
      if (!(error instanceof KikitoriError)) throw error;
      failures.push(messageOf(error));
    }
    if (outcomes.length % 50 === 0)
      io.stderr.write(`${name}: ${outcomes.length} of ${labels.length}\n`);
  }
  if (outcomes.length === 0) {
    throw new KikitoriError(
      `none of ${labels.length} recordings could be read: ${failures[0] ?? 'there are none'}`,
      { kind: 'input', where: folder },
    );
  }
  for (const failure of failures) io.stderr.write(`${failure}\n`);
  return outcomes;
}

/** The utterance that came nearest to being accepted; silence when there was none. */
function mostCertain(utterances: readonly Heard[]): Heard {
  const [best] = [...utterances].sort(
    (a, b) => Number(b.accepted) - Number(a.accepted) || b.confidence - a.confidence,
  );
  return best ?? nothingHeard;
}

const nothingHeard: Heard = {
  accepted: false,
  reason: 'noise',
  text: '',
  intent: null,
  slots: {},
  confidence: 0,
  words: [],
  startSample: 0,
  endSample: 0,
  startMs: 0,
  endMs: 0,
  evidence: {},
};

function human(name: string, s: Summary, peakMemoryMb: number): string {
  const lines = [`${name}: ${s.clips} clips, ${(s.audioSeconds / 60).toFixed(1)} minutes`];
  if (s.commands > 0) {
    lines.push(
      `  right, all slots       ${percent(s.right)} of ${s.commands} commands`,
      `  right and accepted     ${percent(s.rightAccepted)}`,
      `  wrong and accepted     ${percent(s.wrongAccepted)}`,
    );
  }
  if (s.nonCommands > 0) {
    lines.push(
      `  false accepts          ${s.falseAccepts} of ${s.nonCommands}, ${(s.falseAcceptsPerHour ?? 0).toFixed(1)} an hour of ${s.nonCommandHours.toFixed(2)} h`,
    );
  }
  if (s.wordErrorRate !== null) lines.push(`  word error             ${percent(s.wordErrorRate)}`);
  lines.push(
    `  of real time           ${s.realTimeFactor.median.toFixed(4)} (95th percentile ${s.realTimeFactor.p95.toFixed(4)}), peak memory ${peakMemoryMb} MB`,
  );
  return `${lines.join('\n')}\n`;
}
