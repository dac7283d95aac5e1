import { dirname, resolve } from 'node:path';
import { readAudioFile } from '../../audio/index.js';
import { AmongOthers, count, noCounts, type AmongCounts } from '../../measure/evaluate/among.js';
import { parseLabels } from '../../measure/evaluate/labels.js';
import { hearAgain, withLooks } from '../../measure/evaluate/network.js';
import { randomFrom, wilson } from '../../measure/evaluate/statistics.js';
import { Engine, readText } from '../../engine/engine.js';
import { KikitoriError } from '../../runtime/errors.js';
import { jsonLine, numberOption, parse, usageError, type CommandRun } from '../shared/command.js';
import { commonOptions, conditionsOf, noiseOptions, percent } from './options.js';

const usage = `kikitori evaluate --among N --labels FILE.tsv [--match REGEX] [--noise PATH... --snr DB...] [--limit N] [--model DIR|FILE] [--min-confidence P] [--min-certainty P] [--clips] [--json]

Recorded sentences, each recognised under a grammar of its own: what was said and N other sentences of the same folder.
Right, right and accepted, wrong and accepted, of each folder and of all. --limit: clips of each folder.`;

interface Chosen {
  readonly file: string;
  readonly set: string;
  readonly text: string;
}

export const run: CommandRun = async (argv, io) => {
  const { values } = parse(
    argv,
    {
      ...commonOptions,
      ...noiseOptions,
      among: { type: 'string' },
      labels: { type: 'string' },
      match: { type: 'string', default: '' },
      'min-confidence': { type: 'string' },
      'min-certainty': { type: 'string' },
      clips: { type: 'boolean', default: false },
    },
    usage.split('\n')[0] ?? '',
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const others = numberOption('among', values.among);
  if (others === undefined || values.labels === undefined)
    throw usageError('--among and --labels go together', usage.split('\n')[0] ?? '');
  const engine = await Engine.open({ modelPath: String(values.model) });
  const { manifest } = engine.bundle;
  const rateHz = manifest.features.sampleRateHz;
  const thresholds = {
    minConfidence: numberOption('min-confidence', values['min-confidence']),
    minCertainty: numberOption('min-certainty', values['min-certainty']),
  };
  const all = await readSpoken(values.labels, values.match);
  const among = new AmongOthers(all, engine.lexicon, others);
  const chosen = ofEachSet(
    all.filter(({ text }) => among.pronounceable(text)),
    numberOption('limit', values.limit),
  );
  for (const condition of await conditionsOf(values, rateHz, usage.split('\n')[0] ?? '')) {
    const random = randomFrom(5);
    const sets = new Map<string, AmongCounts>([['all', noCounts()]]);
    for (const [i, clip] of chosen.entries()) {
      const { samples } = await readAudioFile(resolve(dirname(values.labels), clip.file), {
        rateHz,
      });
      const grammar = among.grammar(clip, random);
      const looks = await withLooks(engine, condition.mixed(samples, random));
      const heard = await hearAgain(manifest, looks, grammar, thresholds);
      for (const set of [clip.set, 'all']) {
        const counts = sets.get(set) ?? noCounts();
        count(counts, heard, clip.text);
        sets.set(set, counts);
      }
      if (values.clips)
        jsonLine(io, {
          condition: condition.name,
          file: clip.file,
          said: clip.text,
          heard: heard.text,
          confidence: heard.confidence,
          accepted: heard.accepted,
          reason: heard.reason,
          evidence: heard.evidence,
        });
      if (i % 50 === 49) io.stderr.write(`${condition.name}: ${i + 1} of ${chosen.length}\n`);
    }
    for (const [set, counts] of [...sets].sort(([a], [b]) => a.localeCompare(b)))
      if (values.json === true) jsonLine(io, { condition: condition.name, set, ...counts });
      else io.stdout.write(`${condition.name}, ${set}: ${human(counts)}\n`);
  }
  return 0;
};

function human({ said, right, rightAccepted, wrongAccepted }: AmongCounts): string {
  const share = (n: number) => percent(wilson(n, said));
  return `${said} sentences, right ${share(right)}, right and accepted ${share(rightAccepted)}, wrong and accepted ${share(wrongAccepted)}`;
}

async function readSpoken(path: string, match: string): Promise<Chosen[]> {
  const pattern = new RegExp(match);
  const rows = parseLabels(await readText(path, 'a table of clips'), path);
  const spoken = rows.flatMap(({ file, text }) =>
    pattern.test(file) && text !== undefined && text !== '' && text !== '?'
      ? [{ file, set: dirname(file), text }]
      : [],
  );
  if (spoken.length > 0) return spoken;
  throw new KikitoriError('no clip with a text was found', {
    kind: 'input',
    where: path,
    expected: `rows whose file matches "${match}"`,
  });
}

/** `limit` of each folder, spread over it. */
function ofEachSet(clips: readonly Chosen[], limit: number | undefined): Chosen[] {
  const sets = new Map<string, Chosen[]>();
  for (const clip of clips) sets.set(clip.set, [...(sets.get(clip.set) ?? []), clip]);
  return [...sets.values()].flatMap((all) => {
    const kept = Math.min(limit ?? all.length, all.length);
    return Array.from({ length: kept }, (_, i) => all[Math.floor((i * all.length) / kept)]).filter(
      (c) => c !== undefined,
    );
  });
}
