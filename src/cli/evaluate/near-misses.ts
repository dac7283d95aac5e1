import { dirname, resolve } from 'node:path';
import { readAudioFile } from '../../audio/index.js';
import { makerOf, pronounceable, type SpokenClip } from '../../measure/calibrate/examples.js';
import { parseLabels } from '../../measure/evaluate/labels.js';
import {
  minimalPairs,
  sentencesGrammar,
  verdict,
  type Verdict,
} from '../../measure/evaluate/near-misses.js';
import { hearAgain, withLooks, type NetworkClip } from '../../measure/evaluate/network.js';
import { randomFrom, wilson } from '../../measure/evaluate/statistics.js';
import { installedVoices, padded, speak } from '../../measure/evaluate/synthesis.js';
import { Engine, readText } from '../../engine/engine.js';
import type { GrammarDetails } from '../../recognizer/index.js';
import { KikitoriError } from '../../runtime/errors.js';
import { jsonLine, numberOption, parse, type CommandRun, type Io } from '../shared/command.js';
import { commonOptions } from './options.js';

const usage = `kikitori evaluate --near-misses [--labels FILE.tsv --match REGEX] [--limit N] [--model DIR|FILE] [--min-confidence P] [--min-certainty P] [--json]

Commands that differ in one word, spoken by every installed synthetic voice: how often the right one
is executed, the wrong one, or none. "only the other": the one that was said is not allowed, so
whatever is executed is wrong. With --labels the same is built from recordings: one word of each
sentence is offered as a word that sounds nearly the same. --limit: recordings, or voices.`;

interface Row {
  readonly name: string;
  readonly counts: Record<Verdict, number>;
  readonly only: Record<Verdict, number>;
}

export const run: CommandRun = async (argv, io) => {
  const { values } = parse(
    argv,
    {
      ...commonOptions,
      labels: { type: 'string' },
      match: { type: 'string', default: '' },
      'min-confidence': { type: 'string' },
      'min-certainty': { type: 'string' },
    },
    usage.split('\n')[0] ?? '',
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const engine = await Engine.open({ modelPath: String(values.model) });
  const minConfidence = numberOption('min-confidence', values['min-confidence']);
  const minCertainty = numberOption('min-certainty', values['min-certainty']);
  const options = { minConfidence, minCertainty };
  const judge = async (clip: NetworkClip, grammar: GrammarDetails, said: string) =>
    verdict(await hearAgain(engine.bundle.manifest, clip, grammar, options), said);
  const limit = numberOption('limit', values.limit);
  const rows =
    values.labels === undefined
      ? await spokenPairs(engine, judge, limit)
      : await recordedPairs(engine, judge, values.labels, values.match, limit ?? 150);
  const total = rowOf('all');
  for (const row of rows)
    for (const v of ['right', 'refused', 'wrong'] as const) {
      total.counts[v] += row.counts[v];
      total.only[v] += row.only[v];
    }
  for (const row of [...rows, total]) say(io, row, values.json === true);
  return 0;
};

type Judge = (clip: NetworkClip, grammar: GrammarDetails, said: string) => Promise<Verdict>;

const rowOf = (name: string): Row => ({
  name,
  counts: { right: 0, refused: 0, wrong: 0 },
  only: { right: 0, refused: 0, wrong: 0 },
});

/** Every sentence of every pair by every voice, in the presence of all sentences. */
async function spokenPairs(
  engine: Engine,
  judge: Judge,
  limit: number | undefined,
): Promise<Row[]> {
  const voices = someOf(await installedVoices(), limit);
  if (voices.length === 0)
    throw new KikitoriError('no synthetic voice is installed', {
      kind: 'device',
      expected: 'espeak-ng, flite or festival',
    });
  const rateHz = engine.bundle.manifest.features.sampleRateHz;
  const random = randomFrom(3);
  const all = minimalPairs.flat();
  const grammar = sentencesGrammar(all, engine.lexicon);
  const rows: Row[] = [];
  for (const pair of minimalPairs) {
    const row = rowOf(pair.join(' / '));
    for (const said of pair) {
      const without = sentencesGrammar(
        all.filter((s) => s !== said),
        engine.lexicon,
      );
      for (const voice of voices) {
        const samples = padded(await speak(voice, said, { rateHz }), rateHz, random);
        const clip = await withLooks(engine, samples);
        row.counts[await judge(clip, grammar, said)]++;
        row.only[await judge(clip, without, said)]++;
      }
    }
    rows.push(row);
  }
  return rows;
}

/** Spread over the list, so that a few are not all of one program. */
function someOf<T>(all: readonly T[], limit = all.length): T[] {
  const count = Math.min(limit, all.length);
  return all.filter(
    (_, i) => Math.floor((i * count) / all.length) !== Math.floor(((i - 1) * count) / all.length),
  );
}

/** One word of each recorded sentence offered as a word that sounds nearly the same, or only that one. */
async function recordedPairs(
  engine: Engine,
  judge: Judge,
  path: string,
  match: string,
  limit: number,
): Promise<Row[]> {
  const random = randomFrom(4);
  const pattern = new RegExp(match);
  const chosen = parseLabels(await readText(path, 'a table of clips'), path)
    .filter(({ file, text }) => pattern.test(file) && text !== undefined && text !== '')
    .map((label) => ({ label, key: random() }))
    .sort((a, b) => a.key - b.key)
    .slice(0, limit);
  const clips: SpokenClip[] = [];
  for (const { label } of chosen) {
    const { samples } = await readAudioFile(resolve(dirname(path), label.file));
    clips.push({ text: label.text ?? '', clip: await withLooks(engine, samples) });
  }
  const maker = makerOf(pronounceable(clips, engine.lexicon), engine.lexicon, random);
  const row = rowOf(`recordings matching ${match}`);
  for (const { text, clip } of pronounceable(clips, engine.lexicon)) {
    const [both, other] = [maker.nearWords(text), maker.nearMiss(text)];
    if (both === undefined || other === undefined) continue;
    row.counts[await judge(clip, both, text)]++;
    row.only[await judge(clip, other, text)]++;
  }
  return [row];
}

function say(io: Io, { name, counts, only }: Row, json: boolean): void {
  const said = counts.right + counts.refused + counts.wrong;
  const executed = only.right + only.wrong;
  if (json) {
    jsonLine(io, { name, said, ...counts, onlyTheOther: { said, executed } });
    return;
  }
  const share = (n: number) => `${((100 * n) / Math.max(said, 1)).toFixed(1)} %`;
  const { low, high } = wilson(counts.wrong, said);
  const interval =
    name === 'all' ? ` (95 %: ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})` : '';
  io.stdout.write(
    `${name.padEnd(52)} said ${String(said).padStart(4)}: right ${share(counts.right).padStart(7)}, refused ${share(counts.refused).padStart(7)}, wrong ${share(counts.wrong).padStart(6)}${interval}; only the other: executed ${share(executed)}\n`,
  );
}
