/**
 * A day of a board, faster than real time: the daemon as it ships with all its neighbours, a real mosquitto and a signed
 * repository hears orders, talk, machines and quiet through a pipe, as fast as it can; each hour of audio it is reloaded,
 * reconfigured, updated, rolled back, and loses its broker twice. Does memory grow, do descriptors, is a transcript lost,
 * does it become slower? Its timers run by the clock: health is published each second here, each minute of audio or so.
 * Ends with a table, and with status 1 when something is not as docs/reliability.md promises. Verdicts hang on counts,
 * memory and processor time, not on how busy the machine is.
 * SIGINT ends the day at this minute; what was played is judged.
 * usage: node dist/bench/soak.js [--hours N] [--seed N] [--noise FOLDER] [--out FOLDER] [--only DEEDS] [--times N]
 *   --noise   recordings of noise; without it noise is made
 *   --only    to find what grows: of an hour's deeds those whose names hold one of these words ("update,roll"); "none": audio alone
 *   --times   those deeds so many times an hour
 *   --out     where soak.svg, soak.json (every sample) and daemon.log are written
 * Needs mosquitto.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { report } from './lib/report.js';
import { SoakAudio, rateHz } from './lib/soak-audio.js';
import { SoakBoard } from './lib/soak-board.js';
import { soakChart } from './lib/soak-chart.js';
import { judge, longHours, windowsOf, type Sample } from './lib/soak-judge.js';
import { chosenDeeds } from './lib/soak-plan.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { values } = parseArgs({
  options: {
    ...{ hours: { type: 'string', default: '24' }, seed: { type: 'string', default: '1' } },
    ...{ noise: { type: 'string' }, out: { type: 'string' } },
    ...{ only: { type: 'string' }, times: { type: 'string', default: '1' } },
  },
});
const [hours, seed, times] = [Number(values.hours), Number(values.seed), Number(values.times)];
if (!(hours > 0) || !Number.isInteger(seed) || !(times >= 1))
  throw new Error('--hours, --seed, --times: expected a number');
const chosen = chosenDeeds(values.only);
const hourMs = 3_600_000;
const totalMs = hours * hourMs;
/** A run of less than an hour holds the deeds of one. */
const roundMs = Math.min(hourMs, totalMs) / times;
const windowMs = hours >= longHours ? hourMs : totalMs / 12;
const sampleMs = Math.min(60_000, windowMs / 2);
const began = performance.now();
const secondsSoFar = () => Math.round((performance.now() - began) / 1000);

const audio = await SoakAudio.open(root, seed, values.noise);
if (values.out !== undefined) await mkdir(values.out, { recursive: true });
const log =
  values.out === undefined ? undefined : createWriteStream(join(values.out, 'daemon.log'));
const board = await SoakBoard.start(root, (line) => log?.write(`${line}\n`));
const samples: Sample[] = [];
const done = new Map<string, number>();
let playedMs = 0;
let enough = false;
process.on('SIGINT', () => (enough = true));
let orders = 0;
try {
  await play();
  await board.delivered();
  const atEnd = await quietSize();
  const { status, left } = await board.stop();
  const windows = windowsOf(samples, board.accepted, windowMs);
  const topics = [...board.arrived.values()].reduce((n, all) => n + all.length, 0);
  const unprovoked = board.errors.filter((line) => !line.includes('"config.refused"'));
  const verdicts = judge(windows, {
    ...{
      hours: playedMs / hourMs,
      status,
      left,
      childrenAtEnd: atEnd.children,
      errors: unprovoked.length,
    },
    accepted: board.accepted.length,
    missing: board.missing().length,
    duplicates: topics - 2 * board.arrived.size,
  });
  report(
    'soak',
    [
      { name: 'resident memory', unit: 'MB', values: windows.map((w) => w.rssMb) },
      { name: 'resident memory, the most at any moment', unit: 'MB', values: [atEnd.peakMb] },
      { name: 'descriptors', unit: '', values: windows.map((w) => w.descriptors) },
      { name: 'processor time', unit: 'of real time', values: windows.map((w) => w.rtf) },
      { name: 'fastest answers', unit: 'ms', values: windows.map((w) => w.fastestMs) },
      { name: 'answers, p50', unit: 'ms', values: windows.map((w) => w.medianMs) },
      { name: 'answers, p95', unit: 'ms', values: windows.map((w) => w.p95Ms) },
      { name: 'accepted of the orders', unit: '', values: windows.map((w) => w.acceptedShare) },
    ],
    { hours, seed, noise: values.noise !== undefined },
  );
  const print = (text: string) => process.stdout.write(`${text}\n`);
  print(
    `${(playedMs / hourMs).toFixed(1)} h of audio in ${secondsSoFar()} s; ${orders} orders, ${board.accepted.length} accepted, ${board.rejected} refused, talk and noise included`,
  );
  for (const [name, count] of done) print(`  ${name.padEnd(46)} ${count}`);
  for (const { name, found, wanted, holds } of verdicts)
    print(`  ${name.padEnd(46)} ${found}${holds ? '' : `  NOT as promised: ${wanted}`}`);
  for (const line of unprovoked.slice(0, 20)) print(`  ${line}`);
  if (values.out !== undefined) {
    const all = { hours, seed, windows, verdicts, samples };
    await writeFile(join(values.out, 'soak.json'), JSON.stringify(all));
    const svg = await soakChart(samples, windows);
    if (svg !== undefined) await writeFile(join(values.out, 'soak.svg'), svg);
  }
  process.exitCode = verdicts.every(({ holds }) => holds) ? 0 : 1;
} finally {
  await board.remove();
}

async function play(): Promise<void> {
  const due = Array.from({ length: Math.ceil(totalMs / roundMs) }, (_, hour) =>
    chosen.map(({ name, at, run }) => ({ name, hour, run, atMs: (hour + at) * roundMs })),
  ).flat();
  let work: Promise<void> = Promise.resolve();
  const failure: { error?: Error } = {};
  await sample();
  let nextSampleMs = sampleMs;
  while (playedMs < totalMs && !enough && failure.error === undefined) {
    playedMs += await hearNext();
    for (let [next] = due; next !== undefined && next.atMs <= playedMs; [next] = due) {
      due.shift();
      const { name, hour, run } = next;
      // One after the other, while audio goes on.
      work = work
        .then(async () => {
          if (enough || failure.error !== undefined) return;
          await run(board, hour);
          done.set(name, (done.get(name) ?? 0) + 1);
        })
        .catch((error: unknown) => {
          failure.error ??= error instanceof Error ? error : new Error(String(error));
        });
    }
    if (playedMs < nextSampleMs) continue;
    nextSampleMs += sampleMs;
    await board.visit();
    await sample();
  }
  // A trial that is under way ends when enough was heard.
  let atWork = true;
  const rest = work.finally(() => (atWork = false));
  while (atWork) await hearNext();
  await rest;
  if (failure.error !== undefined) throw failure.error;
}

/** Plays what comes next; its length in ms. */
async function hearNext(): Promise<number> {
  const { bytes, kind } = audio.next();
  await board.hear(bytes);
  if (kind === 'order') orders++;
  return (1000 * bytes.length) / 2 / rateHz;
}

async function sample(): Promise<void> {
  samples.push({
    ...(await board.size()),
    ...{ audioMs: playedMs, accepted: board.accepted.length, orders },
  });
  if (samples.length % 30 === 0) {
    const { rssMb, descriptors, cpuSeconds } = samples.at(-1) ?? (await board.size());
    process.stderr.write(
      `${(playedMs / hourMs).toFixed(1)} h after ${secondsSoFar()} s: ${rssMb.toFixed(1)} MB, ${descriptors} descriptors, ${cpuSeconds} s of processor, ${board.accepted.length} of ${orders} orders accepted\n`,
    );
  }
}

/** When its last helper, such as the program of an answer, has ended. */
async function quietSize() {
  let size = await board.size();
  for (let i = 0; i < 300 && size.children > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    size = await board.size();
  }
  return size;
}
