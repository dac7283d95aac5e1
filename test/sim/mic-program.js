#!/usr/bin/env node
// Stands in for arecord, rec and sox in tests; mic-sim.ts puts it first in PATH. Writes raw S16LE, whatever
// its arguments say, and does what the next line of $KIKITORI_MIC_SIM/runs.json asks of this start of it.
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.env.KIKITORI_MIC_SIM;
const starts = join(folder, 'starts.jsonl');
const runs = JSON.parse(readFileSync(join(folder, 'runs.json'), 'utf8'));
let earlier = 0;
try {
  earlier = readFileSync(starts, 'utf8').trim().split('\n').length;
} catch {
  // The first start.
}
const run = runs[Math.min(earlier, runs.length - 1)] ?? {};
const { play = [], value, channels = 1, noisePeak = 6, then = 'noise' } = run;
const {
  afterMs = Infinity,
  fault = 'exit',
  status = 1,
  stderr = '',
  deaf = false,
  fast = false,
  overruns = false,
} = run;
const { SOX_OPTS: soxOptions, AUDIODEV: audioDevice } = process.env;
appendFileSync(
  starts,
  `${JSON.stringify({ pid: process.pid, args: process.argv.slice(2), soxOptions, audioDevice })}\n`,
);

const rateHz = 16000;
const blockSamples = 800;
let seed = 1;
const noise = () => {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return ((seed >> 8) % (2 * noisePeak + 1)) - noisePeak;
};

function* clip(path) {
  const bytes = readFileSync(path);
  for (let at = bytes.indexOf('data') + 8; at + 1 < bytes.length; at += 2)
    yield Math.max(-32768, Math.min(32767, bytes.readInt16LE(at) + noise()));
}

// What the test wants to be said now: one path a line. A new start of the recorder begins with what none before it said to its end: on a
// busy machine it may be restarted for its slowness, and what was to be said must not be lost with it.
const [sayings, playedFile] = ['say.txt', 'played.txt'].map((name) => join(folder, name));
const linesOf = (path) => {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
};
let saidAlready = linesOf(playedFile).length;
function said() {
  const lines = linesOf(sayings);
  const now = lines.slice(saidAlready);
  saidAlready = Math.max(saidAlready, lines.length);
  return now;
}

/** One value a frame; `value` is a constant for each channel instead. */
function* samples() {
  for (const item of play) {
    if (typeof item === 'string') yield* clip(item);
    else {
      if (item < 0) mark('zeros');
      for (let i = 0; i < (Math.abs(item) * rateHz) / 1000; i++) yield item < 0 ? 0 : noise();
      if (item < 0) mark('sound');
    }
  }
  while (then === 'noise') {
    for (const path of said()) {
      yield* clip(path);
      appendFileSync(playedFile, `${path}\n`);
    }
    for (let i = 0; i < blockSamples; i++) yield noise();
  }
  while (then === 'zeros') yield 0;
}

const source = samples();
const began = performance.now();
let written = 0;
let broken = false;
let warned = false;
let lostMs = 0;

function block() {
  const bytes = Buffer.alloc(2 * channels * blockSamples);
  let filled = 0;
  for (; filled < blockSamples; filled++) {
    const next = source.next();
    if (next.done) break;
    for (let c = 0; c < channels; c++)
      bytes.writeInt16LE(value === undefined ? next.value : value[c], 2 * (filled * channels + c));
  }
  return bytes.subarray(0, 2 * channels * filled);
}

/** When what happened, for tests that measure. */
const mark = (what) =>
  appendFileSync(join(folder, 'marks.jsonl'), `${JSON.stringify({ what, atMs: Date.now() })}\n`);

function breakDown() {
  if (warned) return;
  mark('broke');
  if (fault === 'none') {
    process.stderr.write(stderr);
    warned = true;
    return;
  }
  broken = true;
  if (stderr !== '') process.stderr.write(stderr);
  if (fault === 'exit') setTimeout(() => process.exit(status), 5);
  if (fault === 'kill') process.kill(process.pid, 'SIGKILL');
  if (fault === 'flood') {
    const flood = () => {
      while (process.stdout.write(Buffer.alloc(65536, 7)));
      process.stdout.once('drain', flood);
    };
    flood();
  }
  // 'stall': stays, and writes nothing.
}

function tick() {
  const due = fast ? written + rateHz : ((performance.now() - began) / 1000) * rateHz;
  while (!broken && written + blockSamples <= due) {
    const bytes = block();
    if (bytes.length === 0) process.exit(0);
    if (overruns && process.stdout.writableLength > 0) {
      lostMs += (1000 * blockSamples) / rateHz;
      written += blockSamples;
      continue;
    }
    if (lostMs > 0) process.stderr.write(`overrun!!! (at least ${lostMs.toFixed(3)} ms long)\n`);
    lostMs = 0;
    // Odd pieces: a pipe knows nothing of samples.
    process.stdout.write(bytes.subarray(0, 333));
    process.stdout.write(bytes.subarray(333));
    written += blockSamples;
    if ((1000 * written) / rateHz >= afterMs) breakDown();
  }
  setTimeout(tick, 20);
}
process.stdout.on('error', () => process.exit(0));
process.on('SIGTERM', () => {
  if (!deaf) process.exit(0);
});
if (afterMs === 0) breakDown();
tick();
