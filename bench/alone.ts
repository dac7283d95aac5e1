/**
 * What the search alone hears of orders with the outputs of networks that are no bundle: float checkpoints, teachers that no device could run,
 * several together. No confidence, no other weightings and vocal tracts: a gauge for choosing, not what a device does (`kikitori evaluate`).
 *
 *   node dist/bench/alone.js inputs FOLDER --grammar F --labels F.json [--noise F... --snr 12,6] [--floor DB [--percentile 25]] RECORDINGS
 *   PYTHONPATH=trainer python3 -m kikitori_trainer hear FOLDER NAME CHECKPOINT...     (several: the mean of what they say)
 *   node dist/bench/alone.js judge FOLDER --grammar F --labels F.json [--prior 0.6] [--blank 0] NAME...
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readAudioFile } from '../src/audio/index.js';
import { conditionsOf } from '../src/cli/evaluate/options.js';
import { bestText, estimatePrior } from '../src/measure/calibrate/decoding.js';
import { labelMeaning, parseLabels } from '../src/measure/evaluate/labels.js';
import { sameMeaning } from '../src/measure/evaluate/score.js';
import { randomFrom, wilson } from '../src/measure/evaluate/statistics.js';
import { Engine } from '../src/engine/engine.js';
import { floorRows } from './lib/floor-rows.js';

/** The search asks for no levels. */
const none = new Float32Array(0);

interface Condition {
  readonly name: string;
  readonly snrDb: number | null;
}
/** Of FOLDER: index.json, `<condition>.f32` with the rows of every clip in a row, and of each network NAME/`<condition>.f32`. */
interface Index {
  readonly dim: number;
  readonly units: number;
  readonly files: readonly string[];
  readonly steps: readonly number[];
  readonly conditions: readonly Condition[];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'models/kikitori-en' },
    grammar: { type: 'string', default: '' },
    labels: { type: 'string', default: '' },
    noise: { type: 'string', multiple: true, default: [] },
    snr: { type: 'string', multiple: true, default: [] },
    floor: { type: 'string' },
    percentile: { type: 'string', default: '25' },
    prior: { type: 'string', default: '0.6' },
    blank: { type: 'string', default: '0' },
  },
});
const [action, folder, ...rest] = positionals;
if ((action !== 'inputs' && action !== 'judge') || folder === undefined || rest.length === 0)
  throw new Error('expected: inputs FOLDER RECORDINGS | judge FOLDER NAME...');
const engine = await Engine.open({ modelPath: values.model, grammarPath: values.grammar });
const labels = parseLabels(await readFile(values.labels, 'utf8'), values.labels);
await (action === 'inputs' ? inputs(folder, rest[0] ?? '') : judge(folder, rest));

async function inputs(out: string, recordings: string): Promise<void> {
  await mkdir(out, { recursive: true });
  const { features, units } = engine.bundle.manifest;
  const clips = await Promise.all(
    labels.map(
      async (l) =>
        (await readAudioFile(join(recordings, l.file), { rateHz: features.sampleRateHz })).samples,
    ),
  );
  const conditions = await conditionsOf(values, features.sampleRateHz, 'alone inputs');
  let steps: number[] = [];
  for (const { name, mixed } of conditions) {
    const random = randomFrom(1);
    const rows = clips.map((clip) => {
      const { data } = engine.frontend().feed(mixed(clip, random));
      if (values.floor === undefined) return data;
      const [aboveDb, percentile] = [Number(values.floor), Number(values.percentile)];
      return floorRows(features, data, { aboveDb, percentile });
    });
    steps = rows.map((r) => r.length / (features.stack * features.melBins));
    await writeFile(
      join(out, `${name}.f32`),
      Buffer.concat(rows.map((r) => new Uint8Array(r.buffer, r.byteOffset, r.byteLength))),
    );
  }
  const index: Index = {
    dim: features.stack * features.melBins,
    units: units.length,
    files: labels.map((l) => l.file),
    steps,
    conditions: conditions.map(({ name, snrDb }) => ({ name, snrDb })),
  };
  await writeFile(join(out, 'index.json'), JSON.stringify(index));
}

async function judge(from: string, names: readonly string[]): Promise<void> {
  const index = JSON.parse(await readFile(join(from, 'index.json'), 'utf8')) as Index;
  const grammar = await engine.compile();
  const wanted = labels.map((l) => labelMeaning(l, grammar));
  for (const name of names) {
    const outputs = async (condition: string) => {
      const bytes = await readFile(join(from, name, `${condition}.f32`));
      return new Float32Array(
        bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
      );
    };
    const quiet = await outputs('clean');
    const logPrior = estimatePrior(
      [{ logProbs: quiet, steps: quiet.length / index.units, levels: none }],
      index.units,
    );
    const decoding = {
      priorWeight: Number(values.prior),
      logPrior,
      blankBias: Number(values.blank),
    };
    const right = new Map<string, number[]>();
    for (const { name: condition, snrDb } of index.conditions) {
      const rows = await outputs(condition);
      let at = 0;
      let count = 0;
      for (const [i, steps] of index.steps.entries()) {
        const logProbs = rows.subarray(at, (at += steps * index.units));
        const text = bestText(decoding, { logProbs, steps, levels: none }, grammar);
        const [meant, meaning] = [wanted[i], labelMeaning({ file: '', text }, grammar)];
        if (meant != null && meaning != null && sameMeaning(meaning, meant)) count++;
      }
      const level = snrDb === null ? 'clean' : `${snrDb} dB`;
      right.set(level, [...(right.get(level) ?? []), count]);
    }
    const clips = index.files.length;
    const levels = [...right].map(([level, counts]) => {
      const { value, low, high } = wilson(
        counts.reduce((a, b) => a + b, 0),
        clips * counts.length,
      );
      const percent = (v: number) => (100 * v).toFixed(1);
      return `${level} ${percent(value)} (${percent(low)} to ${percent(high)})${counts.length > 1 ? ` [${counts.map((c) => percent(c / clips)).join(' ')}]` : ''}`;
    });
    process.stdout.write(`${name}: ${levels.join('; ')}\n`);
  }
}
