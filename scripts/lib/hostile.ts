/**
 * `hostile.ts [--seed N] TEST...`: each test file while its processes are stopped (SIGSTOP) for up to two seconds now
 * and then, all at once or some of them, and run in between: a machine about ten times slower, whose processes take
 * turns in every order. Costs the machine nothing. tap itself runs on.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';

const [stopMs, runMs] = [
  [20, 2000],
  [10, 300],
] as const;
const mark = 'KIKITORI_HOSTILE';
const args = process.argv.slice(2);
const seedAt = args.indexOf('--seed');
const seed = seedAt < 0 ? 1 : Number(args.splice(seedAt, 2)[1]);
if (args.length === 0 || !Number.isInteger(seed))
  throw new Error('which tests? hostile.ts [--seed N] TEST...');

/** Processes of the test: they inherit the mark, or the parent. Those that are stopped already are the test's matter. */
function processes(name: string): number[] {
  const found = new Set<number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const marked = readFileSync(`/proc/${entry}/environ`, 'latin1').includes(`${mark}=${name}\0`);
      if (!'TtZX'.includes(state) && (marked || found.has(Number(parent))))
        found.add(Number(entry));
    } catch {
      // It has ended.
    }
  }
  return [...found];
}

function tell(pids: readonly number[], signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of pids)
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended.
    }
}

async function run(file: string, random: () => number): Promise<number> {
  const between = ([low, high]: readonly [number, number]) => low * (high / low) ** random();
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const name = `${process.pid}-${Math.floor(1e9 * random())}`;
  const options = ['--disable-coverage', '--timeout=3600', `--test-env=${mark}=${name}`];
  const tap = spawn('npx', ['tap', ...options, file], { stdio: ['ignore', 'inherit', 'inherit'] });
  let status: number | undefined;
  tap.once('close', (code) => (status = code ?? 1));
  let stopped: number[] = [];
  const giveBack = () => tell(stopped, 'SIGCONT');
  process.once('exit', giveBack);
  while (status === undefined) {
    const all = processes(name);
    const share = random() < 0.5 ? 1 : random();
    stopped = all.filter(() => random() <= share);
    tell(stopped, 'SIGSTOP');
    await sleep(between(stopMs));
    giveBack();
    stopped = [];
    await sleep(between(runMs));
  }
  process.off('exit', giveBack);
  return status;
}

const failed: string[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
for (const file of args) {
  const began = performance.now();
  const status = await run(file, randomFrom(seed));
  if (status !== 0) failed.push(file);
  const seconds = Math.round((performance.now() - began) / 1000);
  process.stdout.write(`${status === 0 ? 'holds' : 'FAILS'} ${file} ${seconds} s\n`);
}
process.exitCode = failed.length === 0 ? 0 : 1;
