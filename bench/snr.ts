/**
 * Orders right against the level of the noise, as a picture: what `kikitori evaluate --json` measured, beside what others published for the
 * same benchmark (docs/peers.md).
 *
 *   node bin/kikitori.js evaluate ... --noise noise/dev --snr 24,18,12,9,6,3,0 --json orders > run.jsonl
 *   node dist/bench/snr.js run.jsonl docs/snr.svg
 */
import { readFile, writeFile } from 'node:fs/promises';
import { percent } from '../src/cli/evaluate/options.js';
import { snrChart, type SnrLine } from '../src/measure/chart/charts.js';
import { wilson, type Interval } from '../src/measure/evaluate/statistics.js';

/** One condition of `evaluate --json`. */
interface Measured {
  readonly snrDb: number | null;
  readonly commands: number;
  readonly right: Interval;
}

const at = [6, 9, 12, 15, 18, 21, 24];
const published = (name: string, percents: readonly number[]): SnrLine => ({
  name,
  points: percents.map((p, i) => ({ snrDb: at[i] ?? 0, right: p / 100 })),
});
/** Picovoice's speech-to-intent benchmark, kitchen noise; read off its published figures. */
const peers = [
  published('Picovoice Rhino', [96, 97, 98, 99, 99, 99, 99]),
  published('Microsoft LUIS', [86, 89, 90, 91, 92, 93, 93]),
  published('Amazon Lex', [80, 84, 85, 87, 87, 87, 88]),
  published('IBM Watson', [72, 84, 89, 93, 95, 95, 96]),
  published('Google Dialogflow', [70, 78, 78, 80, 81, 82, 83]),
];

const [runPath, outPath] = process.argv.slice(2);
if (runPath === undefined || outPath === undefined) throw new Error('usage: snr RUN.jsonl OUT.svg');
const counts = new Map<number, { right: number; commands: number }>();
for (const line of (await readFile(runPath, 'utf8')).split('\n')) {
  if (!line.startsWith('{')) continue;
  const { snrDb, right, commands } = JSON.parse(line) as Partial<Measured>;
  if (snrDb == null || right === undefined || commands === undefined) continue;
  const before = counts.get(snrDb) ?? { right: 0, commands: 0 };
  counts.set(snrDb, {
    right: before.right + Math.round(right.value * commands),
    commands: before.commands + commands,
  });
}
const own = [...counts].map(([snrDb, { right, commands }]) => {
  const interval = wilson(right, commands);
  return { snrDb, right: interval.value, ...interval };
});
own.sort((a, b) => a.snrDb - b.snrDb);
const svg = await snrChart(
  [{ name: 'kikitori', points: own }, ...peers],
  'Spoken orders of strangers, every slot right',
);
if (svg === undefined) throw new Error('the packages that draw are not installed: npm ci');
await writeFile(outPath, svg);
for (const point of own) process.stdout.write(`${point.snrDb} dB: ${percent(point)}\n`);
