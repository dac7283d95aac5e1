/** Counts of instructions: the counter against loops of a known length, and what is made of its lines. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { boards, compared, costOf } from '../../bench/lib/arm-cost.js';

const parts = [
  { name: 'open', audioS: 0 },
  { name: 'whole', audioS: 2 },
  { name: 'whole', audioS: 2 },
  { name: 'end', audioS: 0 },
];
const counts = '0 10000000\n1 15000000\n2 115000000\n3 175000000\n';

void t.test('what is done once is whole, the rest is for a second of audio', (t) => {
  t.same(costOf(parts, counts), {
    'start Node and load': 10,
    open: 5,
    'whole, the first time': 50,
    whole: 30,
  });
  t.throws(() => costOf(parts, '0 1\n1 2\n'), /mark 2 was not counted/);
  t.end();
});

void t.test('dearer beyond the tolerance is said, cheaper is no failure', (t) => {
  const rows = (now: number) => compared({ whole: now }, { whole: 100 }, 0.03);
  t.match(rows(104)[0], { text: /\+4\.0 % {2}DEARER$/, dearer: true });
  t.match(rows(102)[0], { text: /\+2\.0 %$/, dearer: false });
  t.match(rows(90)[0], { text: /-10\.0 % {2}cheaper: keep it$/, dearer: false });
  t.match(compared({ whole: 1 }, undefined, 0.03)[0], { dearer: false });
  t.end();
});

void t.test('a board: instructions, divided by its clock and by those of a cycle', (t) => {
  // 120 million a second; 1.2 GHz; a third of two a cycle.
  const cost = { whole: 120, 'whole, quiet': 12, network: 24 };
  const [, pi3 = ''] = boards({ 'cortex-a53': cost });
  t.match(
    pi3,
    /Raspberry Pi 3B +whole 0\.150 \(0\.100 to 0\.200\), quiet 0\.015 .*network alone 0\.030/,
  );
  t.end();
});

/** 2 instructions a turn, between marks; a second thread runs its own 2,000,000 beside. */
const turns = 3_000_000;
const loops = `
#include <pthread.h>
#include <sys/resource.h>
static void turn(long n) { __asm__ volatile("1: dec %0\\n jnz 1b" : "+r"(n)); }
static void *other(void *no) { turn(1000000); return no; }
static void mark(int n) { getpriority(PRIO_PROCESS, 0x4b000000 + n); }
int main(void) {
  pthread_t thread;
  mark(0); turn(${turns}); mark(1); mark(2);
  pthread_create(&thread, 0, other, 0); turn(${turns}); pthread_join(thread, 0);
  mark(3);
  getpriority(PRIO_PROCESS, 0);
  return 0;
}`;

const run = (program: string, args: readonly string[]) =>
  spawnSync(program, args, { encoding: 'utf8' });
const missing =
  process.arch !== 'x64'
    ? 'the loops are for x64'
    : run('gcc', ['--version']).status !== 0
      ? 'gcc is not installed'
      : !/-plugin/.test(run('qemu-x86_64', ['-h']).stdout ?? '')
        ? 'no qemu-x86_64 that takes plugins'
        : false;

void t.test('the counter counts what is executed, of all threads', { skip: missing }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-count-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const source = fileURLToPath(new URL('../../bench/lib/count-instructions.c', import.meta.url));
  const [program, plugin, said] = ['loops', 'count.so', 'counts'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  await writeFile(`${program}.c`, loops);
  t.equal(run('gcc', ['-O1', '-static', '-pthread', '-o', program, `${program}.c`]).status, 0);
  const counted = [1, 2, 3, 4].some((version) => {
    run('gcc', ['-shared', '-fPIC', '-O2', `-DPLUGIN_VERSION=${version}`, '-o', plugin, source]);
    return run('qemu-x86_64', ['-plugin', `${plugin},to=${said},call=140`, program]).status === 0;
  });
  t.ok(counted);
  const lines = (await readFile(said, 'utf8')).trim().split('\n');
  t.same(
    lines.map((line) => line.split(' ')[0]),
    ['0', '1', '2', '3'],
    'another question is no mark',
  );
  const at = lines.map((line) => Number(line.split(' ')[1]));
  const between = (mark: number) => (at[mark + 1] ?? NaN) - (at[mark] ?? NaN);
  const around = between(1);
  t.ok(around < 1000, `${around} for two marks`);
  t.ok(Math.abs(between(0) - 2 * turns) < 1000, `${between(0)} for ${2 * turns}`);
  const both = 2 * turns + 2_000_000;
  t.ok(between(2) >= both && between(2) < both + 50_000, `${between(2)} for ${both}`);
  t.match(run('qemu-x86_64', ['-plugin', plugin, program]), {
    status: 1,
    stderr: /expected to=FILE,call=NUMBER/,
  });
});
