/**
 * `hostile.ts [--seed N] TEST...`: each test file while its processes are stopped (SIGSTOP) for up to two seconds now
 * and then, all at once or some of them, and run a little in between. To them it is a machine some five times slower,
 * on which any of them may be late. It costs the machine nothing. tap itself runs on.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';

const stopMs = { from: 20, to: 2000 };
const runMs = { from: 10, to: 300 };
const mark = 'KIKITORI_HOSTILE';
let stopped: readonly number[] = [];

/** Processes of a test have inherited the mark. Those that are stopped already are the test's own matter. */
function processesOf(name: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`${mark}=${name}\0`))
          return false;
        return /^State:\s+[RSD]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
      } catch {
        return false; // It has ended.
      }
    })
    .map(Number);
}

function tell(pids: readonly number[], signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of pids)
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended.
    }
}

function goOn(): void {
  tell(stopped, 'SIGCONT');
  stopped = [];
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The status of tap. */
async function run(file: string, random: () => number): Promise<number> {
  const between = ({ from, to }: { from: number; to: number }) => from * (to / from) ** random();
  const name = `${process.pid}-${Math.floor(1e9 * random())}`;
  const options = ['--disable-coverage', '--timeout=3600', `--test-env=${mark}=${name}`];
  const tap = spawn('npx', ['tap', ...options, file], { stdio: ['ignore', 'inherit', 'inherit'] });
  let status: number | undefined;
  tap.once('close', (code) => (status = code ?? 1));
  while (status === undefined) {
    const share = random() < 0.5 ? 1 : random();
    stopped = processesOf(name).filter(() => random() <= share);
    tell(stopped, 'SIGSTOP');
    await sleep(between(stopMs));
    goOn();
    await sleep(between(runMs));
  }
  return status;
}

const files = process.argv.slice(2);
const seedAt = files.indexOf('--seed');
const seed = seedAt < 0 ? 1 : Number(files.splice(seedAt, 2)[1]);
if (files.length === 0 || !Number.isInteger(seed)) {
  process.stderr.write('which tests? scripts/hostile [--seed N] TEST...\n');
  process.exit(2);
}
process.once('exit', goOn);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
for (const file of files) {
  const beganMs = performance.now();
  const holds = (await run(file, randomFrom(seed))) === 0;
  if (!holds) process.exitCode = 1;
  const seconds = Math.round((performance.now() - beganMs) / 1000);
  process.stdout.write(`${holds ? 'holds' : 'FAILS'} ${file} ${seconds} s\n`);
}
