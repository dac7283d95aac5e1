/**
 * The smallest Silero detectors at no loss: `node dist/bench/silero-small.js MODELS DATA [--recordings 120] [--held 240]
 * [--seconds 180] [--only v5] [--out FOLDER]`. DATA has clips.tsv, noise/noises.tsv and what they name, each in parts
 * train and dev. Each detector is compressed by `model compress`'s data-aware method to several budgets, at both
 * sample rates, and put in 8 bits. The smallest files whose loss on the train part is at most 0.1 points of the area
 * under the ROC curve and 0.5 of frame F1 at 0.5, and at most 0.5 and 2 (upper ends of the 95 % intervals of a paired
 * bootstrap over recordings), are then heard on the dev part, beside the original.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resample } from '../src/audio/index.js';
import { inBytes, openForBytes } from '../src/compress/bytes/index.js';
import { fit } from '../src/compress/factorize/budget.js';
import { parametersFor } from '../src/compress/factorize/choose.js';
import { cutAt, prepare, recordings } from '../src/compress/factorize/index.js';
import {
  inTurn,
  readOnnx,
  recordedCalls,
  rewrite,
  Runner,
  takeForeign,
  type Calls,
  type CallShape,
  type ForeignModel,
} from '../src/compress/import/index.js';
import { detections, type Detection, type Scored } from '../src/measure/evaluate/detection.js';
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import { commit, machine, numberArgument } from './lib/report.js';
import { frameLabels, labelled, type Labelled } from './lib/rooms.js';
import { sileroVersions, type SileroVersion } from './lib/silero.js';

const [models = '', data = ''] = process.argv.slice(2);
const argument = (name: string) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};
const shares = [0.5, 0.35, 0.22];
/** How much may be lost, at the upper end of the interval: hardly anything, and little. */
const tiers = [
  { area: 0.001, f1: 0.005 },
  { area: 0.005, f1: 0.02 },
];
const out = argument('out');

const shapeOf = (version: SileroVersion, rate: number, carry: boolean): CallShape => ({
  audio: {
    name: 'input',
    window: (version.frame * rate) / 16000,
    context: (version.context * rate) / 16000,
  },
  fixed: new Map([['sr', rate]]),
  carried: new Map(carry ? Object.entries(version.next) : []),
});

/** Scores of every recording, and the processor's time for a frame, in microseconds. */
async function heard(
  version: SileroVersion,
  model: ForeignModel,
  network: Uint8Array,
  all: readonly Labelled[],
  rate: number,
): Promise<{ series: Scored[]; each: number }> {
  const runner = await Runner.open(network);
  const shape = shapeOf(version, rate, false);
  const series: Scored[] = [];
  let [frames, spent] = [0, 0];
  for (const { samples, clean } of all) {
    const sound = rate === 16000 ? samples : resample(samples, 16000, rate);
    const calls = await recordedCalls(model, [sound], shape);
    const scores: number[] = [];
    const began = process.cpuUsage();
    await inTurn(runner, calls, shapeOf(version, rate, true).carried, {}, (given) =>
      scores.push(given.get('output')?.data[0] ?? NaN),
    );
    const { user } = process.cpuUsage(began);
    spent += user;
    frames += scores.length;
    series.push({ scores, labels: frameLabels(clean, version.frame).slice(0, scores.length) });
  }
  await runner.close();
  return { series, each: spent / frames };
}

interface Candidate {
  readonly name: string;
  readonly network: Uint8Array;
  readonly recurrent: number;
}

async function candidates(version: SileroVersion, path: string): Promise<Candidate[]> {
  const bytes = await readOnnx(path);
  const foreign = await takeForeign(bytes, path);
  const sounds = await recordings(join(data, 'train'), {
    seconds: numberArgument('seconds', 180),
    rateHz: 16000,
    random: randomFrom(1),
  });
  const noisy = (await labelled(data, 'train', 24, randomFrom(7))).map((l) => l.samples);
  const each = await Promise.all(
    [16000, 8000].map((rate) =>
      recordedCalls(
        foreign.model,
        [...sounds, ...noisy].map((s) => (rate === 16000 ? s : resample(s, 16000, rate))),
        shapeOf(version, rate, true),
      ),
    ),
  );
  const calls: Calls = {
    feeds: each.flatMap((c) => c.feeds),
    begins: new Set(each.flatMap((c) => [...c.begins])),
  };
  const { analysis } = await prepare(
    { foreign },
    {
      method: 'data-aware',
      feeds: calls.feeds,
      loss: { scale: new Float64Array(0) },
      outputs: ['output'],
    },
  );
  const price = parametersFor({ foreign });
  const dense = price.fixed + foreign.plan.matrices.reduce((s, m) => s + m.weight.data.length, 0);
  const small = shares.flatMap((share): Candidate[] => {
    const limit = share * dense;
    try {
      const { ranks, spent } = fit(analysis, { price, limit, multiple: 4, plain: true });
      const name = `ranks ${ranks.filter((_, v) => foreign.plan.vectors[v]?.input !== true).join(' ')}`;
      return [{ name, network: rewrite(foreign, cutAt(analysis, ranks)), recurrent: spent }];
    } catch {
      return [];
    }
  });
  const floats = [{ name: 'as it is', network: bytes, recurrent: dense }, ...small];
  const few: Calls = { feeds: calls.feeds.filter((_, i) => i % 4 === 0), begins: calls.begins };
  const eight: Candidate[] = [];
  for (const { name, network, recurrent } of floats) {
    const opened = await openForBytes(network, name);
    const { onnx } = await inBytes(opened, few, { rule: 'mse', keep: new Set() });
    eight.push({ name: `${name}, 8 bits`, network: onnx, recurrent });
  }
  return [...floats, ...eight];
}

const points = (v: number | undefined) => `${(100 * (v ?? NaN)).toFixed(2)}`;
const loss = (less: Detection['areaLess']) =>
  less === undefined ? '' : `${points(less.value)} (${points(less.low)} to ${points(less.high)})`;
const within = (d: Detection, most: (typeof tiers)[number]) =>
  -(d.areaLess?.low ?? NaN) <= most.area && -(d.f1Less?.low ?? NaN) <= most.f1;
const say = (line: string) => void process.stdout.write(`${line}\n`);
const header = [
  '| network | recurrent parameters | file, bytes | AUC, % | its difference | F1, % | its difference | us a frame |',
  '|---|--:|--:|--:|--:|--:|--:|--:|',
].join('\n');

const m = machine();
say(
  `silero-small at ${commit()}; ${m.cpu}, ${m.cores} cores, Node ${m.node}, load ${m.loadBefore} before`,
);
const train = await labelled(data, 'train', numberArgument('recordings', 120), randomFrom(2));
const dev = await labelled(data, 'dev', numberArgument('held', 240), randomFrom(3));
const minutes = (all: readonly Labelled[]) =>
  (all.reduce((sum, l) => sum + l.samples.length, 0) / 16000 / 60).toFixed(1);
say(
  `train: ${train.length} recordings, ${minutes(train)} minutes; dev: ${dev.length}, ${minutes(dev)}`,
);

for (const version of sileroVersions.filter((v) => v.file.includes(argument('only') ?? ''))) {
  const path = join(models, version.file);
  const { model } = await takeForeign(await readOnnx(path), path);
  const all = await candidates(version, path);
  const table = async (some: readonly Candidate[], on: readonly Labelled[], rate: number) => {
    const results: Awaited<ReturnType<typeof heard>>[] = [];
    for (const { network } of some) results.push(await heard(version, model, network, on, rate));
    const figures = detections(
      results.map((r) => r.series),
      0.5,
    );
    say(header);
    some.forEach(({ name, network, recurrent }, i) => {
      const f = figures[i];
      if (f === undefined) return;
      say(
        `| ${name} | ${recurrent.toLocaleString('en')} | ${network.length.toLocaleString('en')} | ${points(f.area)} | ${loss(f.areaLess)} | ${points(f.f1)} | ${loss(f.f1Less)} | ${results[i]?.each.toFixed(0) ?? ''} |`,
      );
    });
    return figures;
  };
  say(`\n${version.name}, train, 16 kHz`);
  const figures = await table(all, train, 16000);
  const chosen = new Set<Candidate>();
  for (const most of tiers) {
    const able = all.filter((_, i) => i > 0 && within(figures[i] ?? { area: NaN, f1: NaN }, most));
    const [smallest] = able.sort((a, b) => a.network.length - b.network.length);
    if (smallest !== undefined) chosen.add(smallest);
    say(
      `loses at most ${points(most.area)} points of AUC and ${points(most.f1)} of F1: ${smallest?.name ?? 'none'}`,
    );
  }
  const [original] = all;
  if (original === undefined) throw new Error('the original is there');
  for (const rate of [16000, 8000]) {
    say(`\n${version.name}, dev, ${rate / 1000} kHz`);
    await table([original, ...chosen], dev, rate);
  }
  if (out !== undefined) {
    await mkdir(out, { recursive: true });
    for (const { name, network } of chosen)
      await writeFile(join(out, `${version.name}-${name.replace(/[ ,]+/g, '-')}.onnx`), network);
  }
}
