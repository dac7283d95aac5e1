/**
 * What compressing costs before fine-tuning, and what helps: `node dist/bench/ratios.js DENSE DATA WORK [--limit 35]
 * [--seconds 600] [--part curve|bytes] [--ratios 1.5,2,3,...] [--refitted 3,5,10] [--alone] [--svg FILE] [--raise-db 15]
 * [--tuned NAME=FILE] [--network NAME=FILE[=FILE]]`. DATA has clips.tsv with sets reader, arctic-slt, arctic-bdl and
 * kathleen under dev/, and train/ for calibration; WORK keeps what is done, so that a run that was cut off goes on.
 *
 * - curve: the published method, data-aware and data-aware refitted (`model compress --refit`) at each ratio and at the
 *   published ranks of tau 0.60; with --alone also without parts of the refitting. Then each --tuned NAME=FILE: a network
 *   of one of these sizes that was trained on. With --ratios 0 those alone.
 * - bytes: weights in 8 bits, and in 4 to nearest, by least squares and as trained, with what a bundle then stores, of each
 *   --network NAME=FILE[=FILE.trained]; and what zlib and brotli make of the file.
 *
 * Phone errors: greedy, no grammar, no prior; in brackets the paired 95 % interval of what was added.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withRaisedFloor } from '../src/compress/adjust.js';
import {
  encodeCheckpoint,
  parameterCount,
  parseCheckpoint,
  readCheckpoint,
  type Checkpoint,
  type NetworkCheckpoint,
} from '../src/compress/checkpoint.js';
import {
  analysisOf,
  audioFeeds,
  explainedRank,
  factorize,
  measureCosts,
  parameters,
  prepare,
  refit,
  withinBudget,
  type Analysis,
  type RefitOptions,
} from '../src/compress/factorize/index.js';
import { pairedDifference, rateOf, type Part } from '../src/measure/evaluate/paired.js';
import type { Feed } from '../src/compress/import/index.js';
import { speechChain } from '../src/compress/speech-chain.js';
import { promptsOf } from '../src/cli/shared/prompts.js';
import { sha256 } from '../src/bundle/index.js';
import { Engine } from '../src/engine/engine.js';
import { curveChart, type Series } from '../src/measure/chart/charts.js';
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import { atomicWrite } from '../src/runtime/atomic-write.js';
import { byteRows, print } from './lib/byte-rows.js';
import { phoneParts, promptRows } from './lib/heard.js';
import { commit, machine, numberArgument } from './lib/report.js';

const [densePath = '', data = '', work = ''] = process.argv.slice(2);
const argument = (name: string, otherwise: string) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : (process.argv[at + 1] ?? otherwise);
};
const given = (name: string) => process.argv.filter((_, i) => process.argv[i - 1] === `--${name}`);
const networks = given('network');
const limit = numberArgument('limit', 35);
const seconds = numberArgument('seconds', 600);
const tau = 0.6;
const ratios = argument('ratios', '1.5,2,3,4,5,6.7,8,10,15,20')
  .split(',')
  .map(Number)
  .filter((v) => v > 0);
const refits = argument('refitted', ratios.join())
  .split(',')
  .map(Number)
  .filter((v) => v > 0);
await mkdir(work, { recursive: true });

const dense = withRaisedFloor(await readCheckpoint(densePath), numberArgument('raise-db', 15));
const sets = await promptsOf(
  {
    prompts: join(data, 'clips.tsv'),
    set: ['reader', 'arctic-slt', 'arctic-bdl', 'kathleen'],
    only: 'dev/',
    limit: `${limit}`,
  },
  '',
);
const prompts = await promptRows(sets, dense, work);
const { lexicon } = await Engine.open({ modelPath: 'models/kikitori-en' });

const say = (line: string) => void process.stderr.write(`${line}\n`);

/** What was worked out before, from its file, or worked out and kept. */
async function kept<T>(name: string, make: () => Promise<T>): Promise<T> {
  const path = join(work, `${name}.json`);
  const old = await readFile(path, 'utf8').catch(() => undefined);
  if (old !== undefined) return JSON.parse(old) as T;
  const value = await make();
  await atomicWrite(path, JSON.stringify(value), 0o644);
  return value;
}

const heardBy = (network: NetworkCheckpoint): Promise<Part[]> => {
  const digest = sha256(encodeCheckpoint({ ...dense, ...network, training: {} })).slice(0, 16);
  return kept(`parts-${limit}-${digest}`, () => phoneParts(network, prompts, lexicon));
};

/** Calibration data, kept: decoding is what takes longest. */
async function readPieces(): Promise<Float32Array[]> {
  const path = join(work, `pieces-${seconds}.f32`);
  const lengths = await kept(`pieces-${seconds}`, async () => {
    const chosen = { seconds, random: randomFrom(1) };
    const { feeds } = await audioFeeds(dense, join(data, 'train'), chosen);
    const all = feeds.map((f) => f['features']?.data ?? new Float32Array(0));
    await writeFile(
      path,
      Buffer.concat(all.map((d) => new Uint8Array(d.buffer, d.byteOffset, d.byteLength))),
    );
    return all.map((d) => d.length);
  });
  const bytes = await readFile(path);
  const joined = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let at = 0;
  return lengths.map((length) => joined.slice(at, (at += length)));
}
let piecesRead: ReturnType<typeof readPieces> | undefined;
const pieces = () => (piecesRead ??= readPieces());

/** As the dense graph takes them. */
const calls = async (): Promise<Feed[]> =>
  (await pieces()).map((data) => ({
    features: { dims: [data.length / dense.inputs, 1, dense.inputs], data },
    ...Object.fromEntries(
      dense.layers.flatMap((cells, l) =>
        ['h', 'c'].map((n) => [`${n}${l}`, { dims: [1, 1, cells], data: new Float32Array(cells) }]),
      ),
    ),
  }));

async function network(name: string, make: () => Promise<NetworkCheckpoint>): Promise<Checkpoint> {
  const path = join(work, `${name}-${seconds}.safetensors`);
  const old = await readFile(path).catch(() => undefined);
  if (old !== undefined) return parseCheckpoint(old, path);
  const made: Checkpoint = { ...dense, ...(await make()), quantization: undefined };
  await writeFile(path, encodeCheckpoint(made));
  return made;
}

const chain = await speechChain(dense);
const analyses = new Map<string, Promise<Analysis>>();
async function analyse(method: 'paper' | 'data-aware'): Promise<Analysis> {
  const feeds = await calls();
  const { analysis } = await prepare(chain, {
    ...{ method, feeds, loss: 'softmax' as const, outputs: ['logits'] },
    progress: say,
  });
  return analysisOf(dense, analysis);
}
const analysisBy = (method: 'paper' | 'data-aware') => {
  const known = analyses.get(method) ?? analyse(method);
  analyses.set(method, known);
  return known;
};

const publishedRanks = async () => ({
  layers: (await analysisBy('paper')).layers.map((basis) => explainedRank(basis.gains, tau)),
  input: 0,
});

async function cut(method: 'paper' | 'data-aware', at: number | 'tau'): Promise<Checkpoint> {
  return network(`${method}-${at}`, async () => {
    const analysis = await analysisBy(method);
    if (at === 'tau') return factorize(analysis, await publishedRanks());
    const budget = { price: parameters, limit: parameterCount(dense) / at, multiple: 8 };
    return factorize(analysis, withinBudget(analysis, budget).ranks);
  });
}

const costs = () =>
  kept(`costs-${seconds}`, async () => {
    const inputs = (await pieces()).slice(0, 40);
    const values = inputs.map((data) => ({
      dims: [data.length / dense.inputs, 1, dense.inputs],
      data,
    }));
    const { layers, output } = await measureCosts(dense, values, 'softmax', randomFrom(1));
    return { layers: layers.map((v) => Array.from(v)), output: Array.from(output) };
  });

const refitted = async (at: number | 'tau', name = 'refitted', options: RefitOptions = {}) =>
  network(`${name}-${at}`, async () => {
    const all = { progress: say, costs: await costs(), ...options };
    const { network: fitted } = await refit(
      dense,
      await cut('data-aware', at),
      await pieces(),
      all,
    );
    return fitted;
  });

const percent = (v: number) => `${(100 * v).toFixed(1)} %`;
const points = (v: number) => (100 * v).toFixed(1);
const wanted = await heardBy(dense);

function pairs(before: readonly Part[], after: readonly Part[]): string {
  const { value, low, high } = pairedDifference(before, after);
  return `${points(value)} (${points(low)} to ${points(high)})`;
}

const added = (parts: readonly Part[]) => pairs(wanted, parts);

/** Added errors as a share of what the published method adds, both resampled by the same clips. */
function shareOf(parts: readonly Part[], paper: readonly Part[]): string {
  const random = randomFrom(1);
  const of = (at: (i: number) => number) => {
    let [own, other] = [0, 0];
    wanted.forEach((_, i) => {
      const k = at(i);
      const before = wanted[k]?.errors ?? 0;
      own += (parts[k]?.errors ?? 0) - before;
      other += (paper[k]?.errors ?? 0) - before;
    });
    return own / other;
  };
  const draws = Array.from({ length: 2000 }, () =>
    of(() => Math.floor(random() * wanted.length)),
  ).sort((a, b) => a - b);
  return `${percent(of((i) => i))} (${points(draws[50] ?? NaN)} to ${points(draws[1950] ?? NaN)})`;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

type Row = (name: string, of: Checkpoint, paper?: readonly Part[]) => Promise<Point>;

/** At the ranks of the published rule. */
async function publishedRows(row: Row): Promise<void> {
  const paper = await cut('paper', 'tau');
  const paperParts = await heardBy(paper);
  await row('paper, tau 0.60', paper);
  await row('data-aware, tau 0.60', await cut('data-aware', 'tau'), paperParts);
  await row('refitted, tau 0.60', await refitted('tau'), paperParts);
  if (process.argv.includes('--alone')) {
    const part = async (name: string, key: string, options: RefitOptions) =>
      row(`${name}, tau 0.60`, await refitted('tau', key, options), paperParts);
    await part('without moving the blank', 'calm', { calmBlank: true });
    await part('one round', 'one', { rounds: 1 });
    await part('every step alike', 'alike', { unweighted: true });
  }
  const same = Number((parameterCount(dense) / parameterCount(paper)).toFixed(2));
  await row('data-aware, as many parameters', await cut('data-aware', same), paperParts);
}

async function curve(): Promise<void> {
  print(`dense: ${percent(rateOf(wanted))} on ${prompts.length} prompts\n`);
  print('| network | fewer | ranks | phone error | added, points | of the published method |');
  print('|---|--:|---|--:|--:|--:|');
  const row: Row = async (name, of, paper) => {
    const parts = await heardBy(of);
    const fewer = parameterCount(dense) / parameterCount(of);
    const ranks = `${of.ranks.join(' ')}, input ${of.inputRank || 'whole'}`;
    const share = paper === undefined ? '' : shareOf(parts, paper);
    print(
      `| ${name} | ${fewer.toFixed(2)}x | ${ranks} | ${percent(rateOf(parts))} | ${added(parts)} | ${share} |`,
    );
    return { x: fewer, y: rateOf(parts) };
  };
  if (ratios.length > 0) await publishedRows(row);
  const series: Record<string, Point[]> = { paper: [], 'data-aware': [], refitted: [] };
  for (const ratio of ratios) {
    for (const method of ['paper', 'data-aware', 'refitted'] as const) {
      if (method === 'refitted' && !refits.includes(ratio)) continue;
      try {
        const of = await (method === 'refitted' ? refitted(ratio) : cut(method, ratio));
        series[method]?.push(await row(`${method}, ${ratio}x`, of));
      } catch (error) {
        say(`${method}: none is ${ratio} times smaller: ${String(error)}`);
      }
    }
  }
  const svg = argument('svg', '');
  const tuned: Point[] = [];
  for (const which of given('tuned')) {
    const [name = '', file = ''] = which.split('=');
    tuned.push(await row(`fine-tuned, ${name}`, await readCheckpoint(file)));
  }
  const lines: Series[] = [
    ...Object.entries(series).map(([name, p]) => ({ name, points: p })),
    ...(tuned.length > 0 ? [{ name: 'fine-tuned', points: tuned, scatter: true }] : []),
  ];
  const drawn = await curveChart({
    title: `Phone error before and after fine-tuning, ${prompts.length} prompts`,
    ...{ x: 'times fewer parameters', y: 'phone error' },
    xTicks: [1, 2, 3, 5, 7, 10, 15, 20],
    yMax: 1,
    series: lines,
    level: { y: rateOf(wanted), name: 'dense' },
  });
  if (svg !== '' && drawn !== undefined) await atomicWrite(svg, drawn, 0o644);
}

if (argument('part', 'curve') === 'bytes')
  await byteRows({ features: dense.features, pieces, heardBy, pairs, networks });
else await curve();
print(`\n${JSON.stringify({ commit: commit(), ...machine(), limit, seconds })}`);
process.exit(0);
