/**
 * Dictation of what is no speech, and of speech: evidence of each segment, and what a floor on it lets through.
 *   npm run build && node dist/bench/dictation-noise.js DATA --language-model FILE [--minutes N] [--clips N] [--alone N] [--json FILE]
 *   node dist/bench/dictation-noise.js --from FILE
 *   node dist/bench/dictation-noise.js DATA --language-model FILE --fit src/recognizer/dictation/segment-weights.ts
 * --json: keeps what was heard. --from: the table again of what was kept, with the confidence as it is now.
 * --from FILE --fit FILE fits on what was kept.
 * --fit: what tells speech from noise is fitted anew, and written there. It is fitted on train/: people of train/novels, noise of
 * noise/train. Without it dev/ is counted: people of dev/novels who are not in train/, noise of noise/dev.
 * Words said alone: up to --alone of each set, spread over its people.
 * Of speech the first clip of each person; of noise every so many of the recordings, until there are so many minutes.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readAudioFile } from '../src/audio/index.js';
import { dictate } from '../src/engine/dictate.js';
import { Engine } from '../src/engine/engine.js';
import { TrieModel } from '../src/language/trie-model.js';
import { wordErrors } from '../src/measure/evaluate/word-errors.js';
import {
  compileDictation,
  segmentConfidence,
  segmentFeatures,
  type DictatedSegment,
} from '../src/recognizer/dictation/index.js';
import { fitLogistic } from '../src/measure/calibrate/logistic.js';
import {
  segmentWeights,
  type SegmentWeights,
} from '../src/recognizer/dictation/segment-weights.js';
import { spokenClips, type SpokenClip } from './lib/dev-clips.js';
import { commit, cpuMsOf, machine } from './lib/report.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'models/kikitori-en' },
    'language-model': { type: 'string', default: '' },
    minutes: { type: 'string', default: '30' },
    clips: { type: 'string', default: '25' },
    alone: { type: 'string', default: '25' },
    json: { type: 'string' },
    from: { type: 'string' },
    fit: { type: 'string' },
  },
});
const [data = '../shared/data'] = positionals;
const say = (line: string) => process.stdout.write(`${line}\n`);

/** Sets with words that are said alone. */
const wakeSets = ['wake-alexa', 'wake-computer', 'wake-jarvis', 'wake-snowboy'];
const aloneSets = {
  train: ['words', 'digits', 'queen', 'sky', ...wakeSets],
  dev: ['digits', 'queen', ...wakeSets],
};
const part = values.fit === undefined ? 'dev' : 'train';

/** Noise, read sentences, words said alone. */
type Kind = 'noise' | 'speech' | 'alone';
interface Heard {
  readonly kind: Kind;
  readonly file: string;
  readonly text: string;
  readonly segments: readonly DictatedSegment[];
}
interface Kept {
  readonly seconds: Record<Kind, number>;
  readonly all: Heard[];
}

/** Everything once through dictation. */
async function listen(): Promise<Kept> {
  const engine = await Engine.open({ modelPath: values.model });
  const { sampleRateHz: rateHz } = engine.bundle.manifest.features;
  const model = new TrieModel(await readFile(values['language-model']));
  const graph = compileDictation(model, engine.lexicon);
  const all: Heard[] = [];
  const seconds = { noise: 0, speech: 0, alone: 0 };
  const cpuMs = { noise: 0, speech: 0, alone: 0 };
  const hear = async (kind: Kind, file: string, text: string) => {
    const clip = await readAudioFile(file, { rateHz });
    seconds[kind] += clip.seconds;
    const segments: DictatedSegment[] = [];
    cpuMs[kind] += await cpuMsOf(async () => {
      for await (const segment of dictate(engine, graph, clip.samples)) segments.push(segment);
    });
    all.push({ kind, file, text, segments });
  };
  const lines = (await readFile(join(data, 'clips.tsv'), 'utf8'))
    .split('\n')
    .map((l) => l.split('\t'));
  const trained = new Set(lines.filter(([f = '']) => f.startsWith('train/')).map((l) => l[2]));
  const people = new Set<string>();
  for (const [file = '', , speaker = '', , text = ''] of lines) {
    if (!file.startsWith(`${part}/novels/`) || people.has(speaker)) continue;
    if (part === 'dev' && trained.has(speaker)) continue;
    if (people.size >= Number(values.clips) || text.trim() === '') continue;
    people.add(speaker);
    await hear('speech', join(data, file), text.trim());
  }
  for (const set of aloneSets[part]) {
    const fits = ({ words }: SpokenClip) => words.length === 1;
    const clips = await spokenClips(data, `${part}/${set}`, { fits, known: part === 'train' });
    for (const { file, words } of clips.slice(0, Number(values.alone)))
      await hear('alone', join(data, file), words.join(' '));
  }
  const folder = join(data, 'noise', part);
  const files = (await readdir(folder)).sort();
  // Spread over the sources, which stand together in the names.
  const apart = part === 'dev' ? 1 : 3;
  for (let first = 0; first < apart; first++)
    for (let i = first; i < files.length; i += apart) {
      if (seconds.noise >= 60 * Number(values.minutes)) break;
      await hear('noise', join(folder, files[i] ?? ''), '');
    }
  for (const kind of ['noise', 'speech', 'alone'] as const)
    say(
      `${kind}: ${seconds[kind].toFixed(0)} s, ${(cpuMs[kind] / 1000 / seconds[kind]).toFixed(4)} of real time on one core, memory ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`,
    );
  await engine.close();
  return { seconds, all };
}

say(`dictation of noise at ${commit()}; ${JSON.stringify(machine())}`);
const { seconds, all } =
  values.from === undefined
    ? await listen()
    : (JSON.parse(await readFile(values.from, 'utf8')) as Kept);
if (values.json !== undefined) await writeFile(values.json, JSON.stringify({ seconds, all }));

/** What was heard as evidence, speech right. Both weigh the same in sum. */
function fitted(): SegmentWeights {
  const examples = all.flatMap(({ kind, segments }) =>
    segments.map(({ evidence }) => ({
      evidence: segmentFeatures(evidence),
      right: kind !== 'noise',
    })),
  );
  const signs = { wordMean: 1, lnWords: 1, phoneShare: 1, fit: 1 } as const;
  const { bias, weights } = fitLogistic(examples, signs);
  const of = (value: number | undefined) => Number((value ?? 0).toFixed(2));
  const { wordMean, lnWords, phoneShare, fit } = weights;
  say(`fitted on ${examples.length} segments, ${examples.filter((e) => e.right).length} of speech`);
  return {
    ...{ bias: of(bias), wordMean: of(wordMean), lnWords: of(lnWords) },
    ...{ phoneShare: of(phoneShare), fit: of(fit) },
  };
}

let weights = segmentWeights;
if (values.fit !== undefined) {
  weights = fitted();
  const source = await readFile(values.fit, 'utf8');
  const [head] = source.split(/(?<=export const segmentWeights: SegmentWeights = )/);
  const fields = Object.entries(weights).map(([name, value]) => `  ${name}: ${value},\n`);
  await writeFile(values.fit, `${head}{\n${fields.join('')}};\n`);
}
say(`weights ${JSON.stringify(weights)}`);

const each = (kind: Kind) => all.filter((h) => h.kind === kind);
for (let floor = 0; floor < 0.95; floor += 0.1) {
  const kept = ({ segments }: Heard) =>
    segments.filter(({ evidence }) => segmentConfidence(evidence, weights) >= floor);
  const wordsOf = (h: Heard) => kept(h).flatMap((s) => s.words.map((w) => w.word));
  const words = each('noise').flatMap(wordsOf).length;
  const messages = each('noise').flatMap(kept).length;
  let [wrong, of, written] = [0, 0, 0];
  for (const h of each('speech')) {
    const said = wordsOf(h);
    const { substituted, left, added, length } = wordErrors(said, h.text.split(/\s+/));
    wrong += substituted + left + added;
    of += length;
    written += said.length;
  }
  const alone = each('alone');
  const answered = alone.filter((h) => kept(h).length > 0);
  const heard = answered.filter((h) => wordsOf(h).join(' ') === h.text);
  const hourly = (count: number) => ((3600 * count) / seconds.noise).toFixed(0);
  say(
    `floor ${floor.toFixed(1)}: noise ${hourly(words)} words, ${hourly(messages)} messages an hour; speech ${((100 * wrong) / of).toFixed(1)} % word error, ${written} words written; alone ${answered.length} of ${alone.length} answered, ${heard.length} right`,
  );
}
