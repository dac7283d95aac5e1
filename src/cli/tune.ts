import { siteOf } from '../agent/board.js';
import { Engine, readText } from '../engine/engine.js';
import { parseLabels } from '../measure/evaluate/labels.js';
import { readSite } from '../measure/tune/clips.js';
import { tune, type Settings, type Tuned } from '../measure/tune/tune.js';
import { editConfig, loadConfig } from '../config/index.js';
import {
  channelOption,
  configPath,
  jsonLine,
  parse,
  usageError,
  type CommandRun,
} from './shared/command.js';

const usage = `kikitori tune [--config FILE] [--labels FILE.json|tsv] [--channel N] [--dry-run] [--json] DIR

Fits the device to its place from a few recorded commands and a minute of noise, without training:
gain, vocal-tract warp, threshold and the times that end an utterance. DIR holds recordings named by
what is said in them (turn_on_the_light.wav, turn_on_the_light-2.wav; or --labels), and noise*.wav;
three or more of the wake phrase alone (hey_machine-1.wav) fit its threshold too.
Reports before and after, and writes the choice into the configuration; its comments stay.
--channel: the channel of recordings with several, from 0, -1 for all mixed; without it capture.channel.`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      config: { type: 'string' },
      labels: { type: 'string' },
      channel: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage.split('\n')[0] ?? '',
    { most: 1 },
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const [folder] = positionals;
  const path = configPath(values.config, io);
  if (folder === undefined || positionals.length > 1)
    throw usageError('expected one folder of recordings', usage.split('\n')[0] ?? '');
  if (path === undefined && values['dry-run'] !== true)
    throw usageError(
      'which configuration? give --config, or --dry-run',
      usage.split('\n')[0] ?? '',
    );
  const config = loadConfig(path, io.env);
  const heard = config.capture.channel;
  const channel = channelOption(values.channel) ?? (heard === -1 ? 'mix' : heard);
  const engine = await Engine.open({
    modelPath: config.model.path,
    ...siteOf(config, undefined, undefined, null),
    ...(config.grammar.wordsPath === '' ? {} : { wordsPath: config.grammar.wordsPath }),
  });
  const grammar = await engine.compile();
  const { features, confidence } = engine.bundle.manifest;
  const labels =
    values.labels === undefined
      ? undefined
      : parseLabels(await readText(values.labels, 'labels in JSON or TSV'), values.labels);
  const { phrase: said, threshold } = config.recognizer.wake;
  const phrase =
    said.trim() === ''
      ? undefined
      : engine.wakePhrase({ phrase: said, ...(threshold === null ? {} : { threshold }) });
  const site = await readSite(
    folder,
    grammar,
    { rateHz: features.sampleRateHz, channel },
    labels,
    phrase?.phrase,
  );
  const { endpoint } = engine.recognizer(grammar);
  const r = config.recognizer;
  const from: Settings = {
    warp: r.warp,
    gainDb: config.capture.gainDb,
    minConfidence: r.minConfidence ?? confidence.threshold,
    openMs: r.openMs ?? endpoint.openMs,
    prefixMs: r.prefixMs ?? endpoint.prefixMs,
  };
  const tuned = await tune(
    engine,
    grammar,
    site,
    from,
    (line) => io.stderr.write(`${line}\n`),
    phrase,
  );
  if (values.json === true) jsonLine(io, tuned);
  else io.stdout.write(report(tuned));
  if (values['dry-run'] === true || path === undefined) return 0;
  const { settings } = tuned.after;
  await editConfig(
    path,
    {
      'capture.gainDb': settings.gainDb,
      'recognizer.warp': settings.warp,
      'recognizer.minConfidence': settings.minConfidence,
      'recognizer.openMs': settings.openMs,
      'recognizer.prefixMs': settings.prefixMs,
      ...(tuned.wake === undefined ? {} : { 'recognizer.wake.threshold': tuned.wake.threshold }),
    },
    io.env,
  );
  io.stderr.write(`${path}: written; SIGHUP or a restart makes it so\n`);
  return 0;
};

function report({ before, after, longestPauseMs, wake }: Tuned): string {
  const row = (name: string, a: string | number, b: string | number) =>
    `${name.padEnd(28)} ${String(a).padStart(8)} ${String(b).padStart(8)}\n`;
  return (
    row('', 'before', 'after') +
    row('commands right', `${before.right}/${before.clips}`, `${after.right}/${after.clips}`) +
    row('right and accepted', before.accepted, after.accepted) +
    row('mean confidence', before.meanConfidence.toFixed(3), after.meanConfidence.toFixed(3)) +
    row('accepted from noise', before.falseAccepts, after.falseAccepts) +
    row('gain, dB', before.settings.gainDb, after.settings.gainDb) +
    row('warp', before.settings.warp, after.settings.warp) +
    row('threshold', before.settings.minConfidence, after.settings.minConfidence) +
    row('wait after open end, ms', before.settings.openMs, after.settings.openMs) +
    row('wait inside sentence, ms', before.settings.prefixMs, after.settings.prefixMs) +
    (wake === undefined
      ? ''
      : row(`wake phrase, of ${wake.recordings}`, wake.before.heard, wake.heard) +
        row('wake phrase elsewhere', wake.before.alarms, wake.alarms) +
        row('wake threshold', wake.before.threshold, wake.threshold)) +
    `longest pause inside a sentence: ${longestPauseMs} ms\n`
  );
}
