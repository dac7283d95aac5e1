/**
 * What each neighbour costs, side by side: a daemon with all of them off, and beside it at the same time three that have
 * one each, or all; each hears a stand-in microphone at the pace of real time. Metrics are asked for every 5 s, the page
 * is open once.
 * usage: node dist/bench/neighbours.js [--utterances N] [--rounds N] [--json]
 */
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { readMarks, standInRecorder, startBroker } from '../scripts/lib/stand-in.js';
import { unitEnvironment } from '../scripts/lib/unit-environment.js';
import { demoAudio } from './lib/demo.js';
import { cpuSeconds, memoryOf } from './lib/process-size.js';
import { numberArgument, report, type Row } from './lib/report.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pauseMs = 1500;
const scrapeMs = 5000;
const lastAnswerMs = 3000;
const startMsMax = 180_000;
const besideOff = 3;
const local = '127.0.0.1:0';

type Settings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const alone: Readonly<Record<string, Settings>> = {
  feedback: { feedback: { sounds: 'all' } },
  'Home Assistant': { publish: { homeAssistant: { enabled: true } } },
  Hermes: { publish: { hermes: { enabled: true } } },
  'Sparkplug B': { publish: { sparkplug: { enabled: true, group: 'hall' } } },
  metrics: { metrics: { listen: local } },
  page: { page: { listen: local } },
  Wyoming: { wyoming: { listen: local } },
};
const everything = Object.values(alone).reduce<Settings>(
  (all, one) => ({ ...all, ...one, publish: { ...all['publish'], ...one['publish'] } }),
  {},
);
const settings: Readonly<Record<string, Settings>> = { off: {}, ...alone, all: everything };

/** Says after a collection what it holds, when it is asked by a signal. */
const probe = `data:text/javascript,import{writeFileSync}from'node:fs';process.on('SIGUSR2',()=>{gc();writeFileSync(process.env.KIKITORI_BENCH_MEMORY,JSON.stringify(process.memoryUsage()))})`;

interface Cost {
  readonly factor: number;
  readonly rssMb: number;
  readonly heapMb: number;
  readonly peakMb: number;
  readonly answers: number;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function cost(
  device: string,
  more: Settings,
  url: string,
  utterances: number,
  ready: Barrier,
): Promise<Cost> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-bench-'));
  const env = await stage(folder, device, more, url, utterances);
  const memory = join(folder, 'memory.json');
  const daemon = spawn(
    process.execPath,
    ['--expose-gc', `--import=${probe}`, join(root, 'bin/kikitori.js')].concat([
      ...['run', '--config', join(folder, 'config.json')],
    ]),
    {
      env: { ...env, ...(await unitEnvironment(root)), KIKITORI_BENCH_MEMORY: memory },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const closed = new Promise((resolve) => daemon.once('close', resolve));
  const leave = new AbortController();
  let up = false;
  let answers = 0;
  createInterface({ input: daemon.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Record<string, unknown>;
    if (line['event'] === 'mic.up') up = true;
    if (line['event'] === 'heard.accepted' || line['event'] === 'heard.rejected') answers++;
    if (line['event'] === 'http.listening')
      void visit(String(line['name']), Number(line['port']), leave.signal);
  });
  const pid = daemon.pid ?? 0;
  ready.all.catch(() => daemon.kill('SIGKILL'));
  const giveUp = performance.now() + startMsMax;
  while (!up && performance.now() < giveUp && daemon.exitCode === null) await sleep(50);
  ready.arrived(up);
  await ready.all;
  const [before, began] = [await cpuSeconds(pid), performance.now()];
  while ((await readMarks(folder)).length < utterances && daemon.exitCode === null)
    await sleep(500);
  await sleep(lastAnswerMs);
  const factor = ((await cpuSeconds(pid)) - before) / ((performance.now() - began) / 1000);
  const { peakMb } = await memoryOf(pid);
  daemon.kill('SIGUSR2');
  let held: NodeJS.MemoryUsage | undefined;
  for (let i = 0; i < 100 && held === undefined; i++) {
    await sleep(100);
    held = await readFile(memory, 'utf8').then(
      (text) => (text === '' ? undefined : (JSON.parse(text) as NodeJS.MemoryUsage)),
      () => undefined,
    );
  }
  leave.abort();
  daemon.kill('SIGTERM');
  await closed;
  await rm(folder, { recursive: true, force: true });
  return {
    factor,
    rssMb: (held?.rss ?? NaN) / 1e6,
    heapMb: (held?.heapUsed ?? NaN) / 1e6,
    peakMb,
    answers,
  };
}

/** Those side by side begin to be measured together: none at work while another one starts. */
class Barrier {
  readonly all: Promise<void>;
  private go: () => void = () => undefined;
  private stop: (error: Error) => void = () => undefined;
  private count = 0;

  constructor(private readonly wanted: number) {
    this.all = new Promise((resolve, reject) => {
      this.go = resolve;
      this.stop = reject;
    });
  }

  arrived(well: boolean): void {
    if (!well) this.stop(new Error(`a daemon did not start within ${startMsMax} ms`));
    if (++this.count === this.wanted) this.go();
  }
}

/** As whoever stands there would: Prometheus, and a browser that follows. */
async function visit(name: string, port: number, signal: AbortSignal): Promise<void> {
  try {
    if (name === 'metrics') {
      for (;;) {
        await (await fetch(`http://127.0.0.1:${port}/metrics`, { signal })).text();
        await sleep(scrapeMs);
      }
    }
    const { body } = await fetch(`http://127.0.0.1:${port}/api/events`, { signal });
    const reader = body?.getReader();
    while ((await reader?.read())?.done === false);
  } catch (error) {
    if (!signal.aborted) process.stderr.write(`${name}: ${String(error)}\n`);
  }
}

async function stage(
  folder: string,
  device: string,
  more: Settings,
  url: string,
  utterances: number,
) {
  const played = await demoAudio(root, utterances);
  await mkdir(join(folder, 'state'), { recursive: true });
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({
      device: { id: device },
      model: { path: join(root, 'models/kikitori-en') },
      grammar: { path: join(root, 'config/sentences.yaml') },
      state: { dir: join(folder, 'state') },
      // On a busy machine the stand-in takes its time to begin.
      capture: { stallAfterMs: '20s', backoffMinMs: 100, backoffMaxMs: 500 },
      ...more,
      publish: { ...more['publish'], mqtt: { url } },
    }),
  );
  // A loudspeaker that takes as long as the longest sound.
  await writeFile(join(folder, 'aplay'), '#!/bin/sh\ncat > /dev/null\nsleep 0.4\n');
  await chmod(join(folder, 'aplay'), 0o755);
  return standInRecorder(root, folder, played, pauseMs);
}

const utterances = numberArgument('utterances', 11);
const rounds = numberArgument('rounds', 3);
const names = Object.keys(settings).filter((name) => name !== 'off');
/** Of each, with the one without neighbours that ran beside it. */
const costs = new Map<string, { readonly one: Cost; readonly off: Cost }[]>();
for (let round = 0; round < rounds; round++) {
  // Another neighbourhood each time.
  const order = names.map((_, i) => names[(i * (round + 1) + round) % names.length] ?? '');
  const left = [...new Set([...order, ...names])];
  while (left.length > 0) {
    const batch = ['off', ...left.splice(0, besideOff)];
    const broker = await startBroker();
    const barrier = new Barrier(batch.length);
    const each = await Promise.all(
      batch.map((name, i) =>
        cost(`bench-${i}`, settings[name] ?? {}, broker.url, utterances, barrier),
      ),
    );
    await broker.close();
    const [off] = each;
    if (off === undefined) throw new Error('nothing was measured');
    each.forEach((one, i) => {
      const name = batch[i] ?? '';
      costs.set(name, [...(costs.get(name) ?? []), { one, off }]);
    });
    process.stderr.write(
      `round ${round + 1}: ${batch.map((name, i) => `${name} answered ${each[i]?.answers} of ${utterances}`).join(', ')}\n`,
    );
  }
}
const rows = (what: string, unit: string, of: (cost: Cost, off: Cost) => number): Row[] =>
  Object.keys(settings).map((name) => ({
    name: `${name}: ${what}`,
    unit,
    values: (costs.get(name) ?? []).map(({ one, off }) => of(one, off)),
  }));
const more = (what: string, unit: string, of: (cost: Cost, off: Cost) => number): Row[] =>
  rows(what, unit, of).filter(({ name }) => !name.startsWith('off:'));
report(
  'neighbours',
  [
    ...rows('processor', 'of real time', ({ factor }) => factor),
    ...more('processor beside off', 'times', ({ factor }, beside) => factor / beside.factor),
    ...rows('memory', 'MB', ({ rssMb }) => rssMb),
    ...more('memory more than off', 'MB', ({ rssMb }, beside) => rssMb - beside.rssMb),
    ...rows('heap', 'MB', ({ heapMb }) => heapMb),
    ...more('heap more than off', 'MB', ({ heapMb }, beside) => heapMb - beside.heapMb),
    ...rows('peak memory', 'MB', ({ peakMb }) => peakMb),
  ],
  { utterances, rounds },
);
