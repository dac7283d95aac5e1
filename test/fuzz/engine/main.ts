/** scripts/fuzz: see there. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { namesIn, targetIn } from '../targets.js';
import { Branches } from './branches.js';
import { writeCorpus } from './corpus.js';
import { judge } from './judge.js';
import { fuzz, type Fuzzed } from './loop.js';
import { bytesMax, type Target } from './target.js';

const memoryBytesMax = 2e9;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
    finds: { type: 'string', default: '50' },
    // Milliseconds of the processor, generous.
    hang: { type: 'string', default: '30000' },
    // Another folder of targets, for the fuzzer's own tests.
    targets: { type: 'string', default: 'test/fuzz/targets' },
  },
});
const hangMs = Number(values.hang);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = `${root}tmp/fuzz`;
const targetNames = namesIn(join(root, values.targets));
const loadTarget = (name: string) => targetIn(join(root, values.targets), name);
const say = (line: string) => process.stdout.write(`${line}\n`);
mkdirSync(folder, { recursive: true });
const names = positionals.filter((p) => targetNames.includes(p));
const files = positionals.filter((p) => !targetNames.includes(p));
process.exitCode = await (files.length > 0 && names.length === 1
  ? again(names[0] ?? '', files)
  : files.length > 0
    ? unknown(files)
    : names.length === 1
      ? one(names[0] ?? '')
      : all(names.length > 0 ? names : targetNames));

async function unknown(words: readonly string[]): Promise<number> {
  say(`there is no target ${words.join(', ')}; expected ${targetNames.join(', ')}`);
  return 2;
}

/** Each in a process of its own: what one breaks the next does not inherit. */
async function all(which: readonly string[]): Promise<number> {
  let failed = 0;
  for (const name of which) {
    const options = ['--seconds', values.seconds, '--seed', values.seed];
    const { status } = spawnSync(
      process.execPath,
      [
        ...process.execArgv,
        process.argv[1] ?? '',
        name,
        ...options,
        ...(values.keep ? ['--keep'] : []),
      ],
      { stdio: 'inherit' },
    );
    if (status !== 0) failed++;
  }
  say(failed === 0 ? 'nothing found' : `${failed} of ${which.length} targets found something`);
  return failed === 0 ? 0 : 1;
}

/** Inputs of files, as they were found. */
async function again(name: string, paths: readonly string[]): Promise<number> {
  const target = await loadTarget(name);
  let failed = 0;
  for (const path of paths) {
    const find = await judge(target, readFileSync(path));
    say(`${path}: ${find?.what ?? 'as it must be'}`);
    if (find !== undefined) failed++;
  }
  return failed === 0 ? 0 : 1;
}

async function one(name: string): Promise<number> {
  const target = await loadTarget(name);
  const before = watched(target);
  const fuzzed = await fuzz(target, {
    seconds: Number(values.seconds),
    seed: Number(values.seed),
    findsMax: Number(values.finds),
    branches: Branches.open(),
    before,
    onFind: ({ what }, input) => say(`FOUND in ${name}: ${what}\n  ${written(name, input)}`),
  });
  before(Buffer.alloc(0));
  report(target, fuzzed);
  if (values.keep) writeCorpus(target, fuzzed.kept);
  process.exit(fuzzed.finds.length === 0 ? 0 : 1);
}

/** Starts the thread that ends the process when an execution does not end; returns what it is told of each input. */
function watched(target: Target): (input: Buffer) => void {
  const beats = new SharedArrayBuffer(8);
  const shared = new SharedArrayBuffer(bytesMax(target) + 65_536);
  const beat = new Int32Array(beats);
  const copy = new Uint8Array(shared);
  new Worker(new URL('./watch.js', import.meta.url), {
    workerData: { beats, input: shared, hangMs, memoryBytesMax, folder, name: target.name },
    execArgv: [],
  }).unref();
  return (input) => {
    copy.set(input.subarray(0, copy.length));
    Atomics.store(beat, 1, Math.min(input.length, copy.length));
    Atomics.add(beat, 0, 1);
  };
}

/** Where a find lies. */
function written(name: string, input: Buffer): string {
  const path = `${folder}/${name}-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`;
  writeFileSync(path, input);
  return path;
}

function report(target: Target, { executions, processorMs, finds, coverage, kept }: Fuzzed): void {
  for (const { input, what } of finds)
    say(`  ${written(target.name, input)}: ${what.split('\n')[0]}`);
  const sum = (of: 'ran' | 'of') => coverage.reduce((total, c) => total + c[of], 0);
  for (const { file, ran, of } of coverage) say(`  ${file}: ${ran} of ${of} branches`);
  const seconds = processorMs / 1000;
  say(
    `${target.name}: ${executions} executions in ${seconds.toFixed(0)} s of the processor ` +
      `(${Math.round(executions / seconds)} a second), ${sum('ran')} of ${sum('of')} branches, ` +
      `${kept.length} inputs, ${finds.length} found`,
  );
}
