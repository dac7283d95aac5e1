/**
 * Whether an answer hangs on where the audio begins: the same recordings behind a little more and a little more silence, a step of the network
 * being 30 ms. What is right of one offset should be right of all.
 *
 *   node dist/bench/offsets.js --model M --grammar F --labels F.json [--from 500 --to 620 --by 2] [--noise-db=-60] FOLDER
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readAudioFile } from '../src/audio/index.js';
import { percent } from '../src/cli/evaluate/options.js';
import { Engine, hearClip } from '../src/engine/engine.js';
import { labelMeaning, parseLabels } from '../src/measure/evaluate/labels.js';
import { sameMeaning } from '../src/measure/evaluate/score.js';
import { randomFrom, wilson } from '../src/measure/evaluate/statistics.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'models/kikitori-en' },
    grammar: { type: 'string', default: '' },
    labels: { type: 'string', default: '' },
    from: { type: 'string', default: '500' },
    to: { type: 'string', default: '620' },
    by: { type: 'string', default: '2' },
    'noise-db': { type: 'string', default: '-60' },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('expected a folder of recordings');
const engine = await Engine.open({ modelPath: values.model, grammarPath: values.grammar });
const grammar = await engine.compile();
const recognizer = engine.recognizer(grammar);
const rateHz = engine.bundle.manifest.features.sampleRateHz;
const floor = 10 ** (Number(values['noise-db']) / 20);
const counts = { right: 0, refused: 0, wrong: 0 };
let steady = 0;
let clips = 0;
for (const label of parseLabels(await readFile(values.labels, 'utf8'), values.labels)) {
  const wanted = labelMeaning(label, grammar);
  if (wanted == null) continue;
  const { samples } = await readAudioFile(join(folder, label.file), { rateHz });
  const own = { right: 0, refused: 0, wrong: 0 };
  for (let ms = Number(values.from); ms <= Number(values.to); ms += Number(values.by)) {
    const random = randomFrom(1);
    const lead = Math.round((ms * rateHz) / 1000);
    const tail = rateHz / 2;
    const heardSamples = new Float32Array(lead + samples.length + tail);
    for (let i = 0; i < heardSamples.length; i++) heardSamples[i] = floor * (2 * random() - 1);
    samples.forEach((v, i) => (heardSamples[lead + i] = (heardSamples[lead + i] ?? 0) + v));
    const heard = await hearClip(engine, recognizer, heardSamples);
    const right = sameMeaning(heard, wanted);
    own[!heard.accepted ? 'refused' : right ? 'right' : 'wrong']++;
  }
  clips++;
  const offsets = own.right + own.refused + own.wrong;
  if (Math.max(own.right, own.refused, own.wrong) === offsets) steady++;
  else process.stderr.write(`${label.file}: ${JSON.stringify(own)}\n`);
  for (const key of ['right', 'refused', 'wrong'] as const) counts[key] += own[key];
}
const all = counts.right + counts.refused + counts.wrong;
const share = (n: number, of: number) => percent(wilson(n, of));
process.stdout.write(
  `${all} hearings of ${clips} recordings: right and accepted ${share(counts.right, all)}, refused ${share(counts.refused, all)}, wrong ${share(counts.wrong, all)}; the same at every offset: ${share(steady, clips)}\n`,
);
