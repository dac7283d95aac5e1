import { join } from 'node:path';
import { readAudioFile } from '../../audio/index.js';
import {
  measureEndpoint,
  openShare,
  summariseEndpoints,
  type EndpointOutcome,
} from '../../measure/evaluate/endpoint.js';
import { labelMeaning, parseLabels } from '../../measure/evaluate/labels.js';
import { sameMeaning } from '../../measure/evaluate/score.js';
import { randomFrom } from '../../measure/evaluate/statistics.js';
import { Engine, hearClip, readText } from '../../engine/engine.js';
import {
  channelOption,
  jsonLine,
  numberOption,
  parse,
  usageError,
  type CommandRun,
} from '../shared/command.js';
import { commonOptions, conditionsOf, noiseOptions, percent } from './options.js';

const usage = `kikitori evaluate --endpoint --grammar FILE --labels FILE [--noise FILE... --snr DB...] [--model DIR|FILE] [--final-ms N] [--open-ms N] [--prefix-ms N] [--hold-ms N] [--limit N] [--json] DIR

Plays each recording that is recognised rightly, in the daemon's chunks, and measures from the end of
its last word to the decision: audio time and the time to compute. Cut off: an answer in the middle of
a sentence. The noise goes on after the sentence.`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      ...commonOptions,
      ...noiseOptions,
      grammar: { type: 'string' },
      labels: { type: 'string' },
      'final-ms': { type: 'string' },
      'open-ms': { type: 'string' },
      'prefix-ms': { type: 'string' },
      'hold-ms': { type: 'string' },
    },
    usage.split('\n')[0] ?? '',
    { most: 1 },
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const [folder] = positionals;
  const { labels: labelsPath, grammar: grammarPath } = values;
  if (folder === undefined || labelsPath === undefined || grammarPath === undefined)
    throw usageError('something is missing', usage.split('\n')[0] ?? '');
  const engine = await Engine.open({ modelPath: String(values.model), grammarPath });
  const grammar = await engine.compile();
  const recognizer = engine.recognizer(grammar, {
    endpoint: {
      finalMs: numberOption('final-ms', values['final-ms']),
      openMs: numberOption('open-ms', values['open-ms']),
      prefixMs: numberOption('prefix-ms', values['prefix-ms']),
      holdMs: numberOption('hold-ms', values['hold-ms']),
    },
  });
  const rateHz = engine.bundle.manifest.features.sampleRateHz;
  const channel = channelOption(values.channel);
  const conditions = await conditionsOf(values, rateHz, usage.split('\n')[0] ?? '');
  const labels = parseLabels(await readText(labelsPath, 'labels in JSON or TSV'), labelsPath).slice(
    0,
    numberOption('limit', values.limit),
  );
  io.stderr.write(
    `${(100 * openShare(grammar)).toFixed(0)} % of the places where a sentence may end can go on; ${JSON.stringify(recognizer.endpoint)}\n`,
  );
  for (const { name, mixed } of conditions) {
    const random = randomFrom(1);
    const outcomes: EndpointOutcome[] = [];
    for (const label of labels) {
      const wanted = labelMeaning(label, grammar);
      const { samples } = await readAudioFile(join(folder, label.file), {
        rateHz,
        channel,
      });
      const heard = await hearClip(engine, recognizer, samples);
      if (wanted == null || !sameMeaning(heard, wanted)) continue;
      const all = mixed(withTail(samples, rateHz), random);
      const outcome = await measureEndpoint(engine, recognizer, label.file, all, heard);
      if (outcome !== null) outcomes.push(outcome);
    }
    const s = summariseEndpoints(outcomes);
    if (values.json === true) jsonLine(io, { condition: name, ...s });
    else
      io.stdout.write(
        `${name}: ${s.clips} sentences, from the last word to the decision p50 ${s.p50Ms} ms, p95 ${s.p95Ms} ms, longest ${s.maxMs} ms (audio alone p50 ${s.waitP50Ms} ms, p95 ${s.waitP95Ms} ms); cut off ${percent(s.cutOffs)}, unanswered ${s.unanswered}\n`,
      );
  }
  return 0;
};

/** The last half second of a clip again and again, there and back: the room goes on after the clip. */
function withTail(samples: Float32Array, rateHz: number): Float32Array {
  const out = new Float32Array(samples.length + 3 * rateHz);
  out.set(samples);
  const half = Math.min(samples.length, Math.round(rateHz / 2));
  for (let i = samples.length, at = 0, way = 1; i < out.length; i++, at += way) {
    if (at >= half - 1) way = -1;
    else if (at <= 0) way = 1;
    out[i] = samples[samples.length - 1 - at] ?? 0;
  }
  return out;
}
