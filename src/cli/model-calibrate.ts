import { dirname, join } from 'node:path';
import { mixAtSnr, readAudioFile } from '../audio/index.js';
import { calibrate, type NetworkClip } from '../compress/calibrate/calibrate.js';
import { parseLabels } from '../compress/evaluate/labels.js';
import { randomFrom } from '../compress/evaluate/statistics.js';
import { Engine, readText } from '../engine.js';
import { atomicWrite } from '../runtime/atomic-write.js';
import { numberOption, parse, usageError, type CommandRun } from './command.js';

const usage =
  'kikitori model calibrate --model DIR|FILE --labels FILE.tsv --out FILE.json [--noise FILE...] [--limit N] [--seed N]';

/**
 * Fits priors, blank weight and confidence on held-out clips (a table with file and text; files
 * relative to it; an empty text is something to refuse). Half of the clips get noise at 5 to 20 dB.
 */
export const run: CommandRun = async (argv, io) => {
  const { values } = parse(
    argv,
    {
      model: { type: 'string' },
      labels: { type: 'string' },
      noise: { type: 'string', multiple: true, default: [] },
      limit: { type: 'string', default: '400' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string' },
    },
    usage,
  );
  const { model, labels, out } = values;
  if (typeof model !== 'string' || typeof labels !== 'string' || typeof out !== 'string')
    throw usageError('something is missing', usage);
  const random = randomFrom(numberOption('seed', values.seed) ?? 1);
  const engine = await Engine.open({ modelPath: model });
  const noises = await Promise.all(
    values.noise.map(async (path) => (await readAudioFile(path)).samples),
  );
  const rows = parseLabels(await readText(labels, 'a table of clips'), labels);
  const chosen = rows
    .sort(() => random() - 0.5)
    .slice(0, numberOption('limit', values.limit) ?? 400);
  const clips: NetworkClip[] = [];
  for (const { file, text } of chosen) {
    const { samples } = await readAudioFile(join(dirname(labels), file));
    const noise = noises[Math.floor(random() * noises.length)];
    const noisy =
      noise === undefined || random() < 0.5
        ? samples
        : mixAtSnr(samples, noise, 5 + 15 * random(), Math.floor(random() * noise.length));
    const stream = engine.acoustic.begin();
    const head = await stream.feed(engine.frontend().feed(noisy).data);
    const tail = await stream.finish();
    const logProbs = new Float32Array(head.data.length + tail.data.length);
    logProbs.set(head.data);
    logProbs.set(tail.data, head.data.length);
    if (head.steps + tail.steps > 0)
      clips.push({ text: text ?? '', logProbs, steps: head.steps + tail.steps });
  }
  io.stderr.write(`${clips.length} clips through the network\n`);
  const result = await calibrate(engine.bundle.manifest, clips, engine.lexicon, random, (line) =>
    io.stderr.write(`${line}\n`),
  );
  await atomicWrite(out, `${JSON.stringify(result, null, 1)}\n`, 0o644);
  return 0;
};
