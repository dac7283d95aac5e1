import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mixAtSnr, readAudioFile } from '../audio/index.js';
import { labelMeaning, parseLabels, type Label } from '../compress/evaluate/labels.js';
import { summarise, type Outcome, type Summary } from '../compress/evaluate/score.js';
import { randomFrom, type Interval } from '../compress/evaluate/statistics.js';
import { Engine, hearClip, readText } from '../engine.js';
import type { GrammarDetails } from '../recognizer/index.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { defaultModelPath } from '../runtime/paths.js';
import { transcriptLine } from './transcribe.js';
import { jsonLine, numberOption, parse, usageError, type CommandRun, type Io } from './command.js';

const usage = `kikitori evaluate --grammar FILE [--labels FILE.json|tsv] [--noise FILE... --snr DB...] [--model DIR|FILE] [--min-confidence P] [--clips] [--json] DIR

Accuracy, false accepts, word error, real-time factor and peak memory on recordings, with 95 %
intervals. Without labels every file of DIR counts as no command. Noise is mixed in by the peak-frame
rule at each --snr, after a clean pass. --clips prints every clip too.`;

const audioFile = /\.(wav|flac|opus|ogg|mp3|m4a)$/i;

interface Condition {
  readonly name: string;
  readonly noise?: Float32Array;
  readonly noiseFile?: string;
  readonly snrDb?: number;
}

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      model: { type: 'string', default: defaultModelPath },
      grammar: { type: 'string' },
      words: { type: 'string' },
      labels: { type: 'string' },
      noise: { type: 'string', multiple: true, default: [] },
      snr: { type: 'string', multiple: true, default: [] },
      'min-confidence': { type: 'string' },
      clips: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage.split('\n')[0] ?? '',
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const folder = positionals[0];
  if (folder === undefined || positionals.length > 1 || typeof values.grammar !== 'string') {
    throw usageError('expected one folder of recordings and --grammar', usage.split('\n')[0] ?? '');
  }
  const noiseFiles = values.noise;
  const snrs = values.snr.flatMap((v) => v.split(',')).map((v) => numberOption('snr', v) ?? 0);
  if ((noiseFiles.length === 0) !== (snrs.length === 0)) {
    throw usageError('--noise and --snr go together', usage.split('\n')[0] ?? '');
  }
  const engine = await Engine.open({
    modelPath: String(values.model),
    grammarPath: values.grammar,
    ...(typeof values.words === 'string' ? { wordsPath: values.words } : {}),
    recognizer: {
      minConfidence: numberOption('min-confidence', values['min-confidence']),
    },
  });
  const grammar = await engine.compile();
  const labels = await readLabels(folder, values.labels);
  const conditions: Condition[] = [{ name: 'clean' }];
  for (const noiseFile of noiseFiles) {
    const noise = (await readAudioFile(noiseFile)).samples;
    for (const snrDb of snrs)
      conditions.push({
        name: `${snrDb} dB of ${noiseFile.split('/').at(-1) ?? ''}`,
        noise,
        noiseFile,
        snrDb,
      });
  }
  for (const condition of conditions) {
    const outcomes = await measure(engine, grammar, folder, labels, condition, io);
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
        snrDb: condition.snrDb ?? null,
        noise: condition.noiseFile ?? null,
        ...summary,
        peakMemoryMb,
      });
    else io.stdout.write(human(condition.name, summary, peakMemoryMb));
  }
  return 0;
};

async function readLabels(folder: string, path: string | undefined): Promise<Label[]> {
  if (path !== undefined) {
    const all = parseLabels(await readText(path, 'labels in JSON or TSV'), path);
    if (!path.endsWith('.tsv')) return all;
    // A table may describe more folders than this one; its paths may be relative to another folder.
    const names = new Set(await filesOf(folder));
    return all
      .map((l) => ({ ...l, file: l.file.split('/').at(-1) ?? '' }))
      .filter((l) => names.has(l.file));
  }
  return (await filesOf(folder)).map((file) => ({ file, intent: null }));
}

async function filesOf(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => audioFile.test(name)).sort();
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
  labels: readonly Label[],
  { noise, snrDb, name }: Condition,
  io: Io,
): Promise<Outcome[]> {
  const recognizer = engine.recognizer(grammar);
  const random = randomFrom(1);
  const outcomes: Outcome[] = [];
  const failures: string[] = [];
  for (const label of labels) {
    try {
      const clip = await readAudioFile(join(folder, label.file), {
        rateHz: engine.bundle.manifest.features.sampleRateHz,
      });
      const samples =
        noise === undefined
          ? clip.samples
          : mixAtSnr(clip.samples, noise, snrDb ?? 0, Math.floor(random() * noise.length));
      const begin = performance.now();
      const heard = await hearClip(engine, recognizer, samples);
      outcomes.push({
        file: label.file,
        heard,
        wanted: labelMeaning(label, grammar),
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

const percent = ({ value, low, high }: Interval) =>
  `${(100 * value).toFixed(1)} % (95 %: ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;

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
