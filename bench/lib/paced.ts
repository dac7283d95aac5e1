/** The daemon as it ships, with a stand-in recorder at the pace of real time, a broker and a subscriber. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import mqtt from 'mqtt';
import {
  paired,
  readMarks,
  standInRecorder,
  startBroker,
  type Mark,
} from '../../scripts/lib/stand-in.js';
import { unitEnvironment } from '../../scripts/lib/unit-environment.js';
import { quantile, type Row } from './report.js';
import { demoAudio } from './demo.js';
import { cpuSeconds, memoryOf } from './process-size.js';

const pauseMs = 1500;
const lastAnswerMs = 5000;

export async function paced(
  root: string,
  utterances: number,
  /** More of the configuration. */
  more: Readonly<Record<string, unknown>> = {},
  /** Sees the lines of the log; what it does is over when the daemon is. */
  onLine: (line: Readonly<Record<string, unknown>>, pid: number) => void = () => undefined,
  /** Sees the daemon after its last answer, before it ends. */
  look: (pid: number) => Promise<void> = () => Promise.resolve(),
): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-bench-'));
  const broker = await startBroker();
  const env = await stage(root, folder, broker.url, utterances, more);
  const subscriber = await mqtt.connectAsync(broker.url);
  const answers: { atMs: number }[] = [];
  subscriber.on('message', (topic) => {
    if (/\/(intent\/.*|rejected)$/.test(topic))
      answers.push({ atMs: performance.timeOrigin + performance.now() });
  });
  await subscriber.subscribeAsync('kikitori/bench/#');
  const began = performance.now();
  const daemon = spawn(
    process.execPath,
    [join(root, 'bin/kikitori.js'), 'run', '--config', join(folder, 'config.json')],
    { env: { ...env, ...(await unitEnvironment(root)) }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let firstFrameMs = NaN;
  daemon.stdout.on('data', (part: Buffer) => {
    if (Number.isNaN(firstFrameMs) && part.includes('"event":"mic.up"'))
      firstFrameMs = performance.now() - began;
  });
  createInterface({ input: daemon.stdout }).on('line', (line) =>
    onLine(JSON.parse(line) as Record<string, unknown>, daemon.pid ?? 0),
  );
  const closed = new Promise((resolve) => daemon.once('close', resolve));
  let marks: Mark[] = [];
  while (marks.length < utterances && daemon.exitCode === null && daemon.signalCode === null) {
    await sleep(500);
    marks = await readMarks(folder);
  }
  await sleep(lastAnswerMs);
  const { peakMb, cpuSeconds } = await costOf(daemon.pid ?? 0);
  const seconds = (performance.now() - began) / 1000;
  await look(daemon.pid ?? 0);
  daemon.kill('SIGTERM');
  await closed;
  await subscriber.endAsync();
  await broker.close();
  await rm(folder, { recursive: true, force: true });
  const latencies = paired(marks, answers).flatMap((answer, i) =>
    answer === undefined ? [] : [answer.atMs - (marks[i]?.endedAtMs ?? NaN)],
  );
  process.stderr.write(`${latencies.length} of ${marks.length} utterances answered\n`);
  return [
    { name: 'paced, start included', unit: 'of real time', values: [cpuSeconds / seconds] },
    { name: 'peak memory of the daemon', unit: 'MB', values: [peakMb], aim: '100' },
    { name: 'start to first audio', unit: 's', values: [firstFrameMs / 1000], aim: '1.5' },
    { name: 'end of speech to MQTT, p50', unit: 'ms', values: [quantile(latencies, 0.5)] },
    {
      name: 'end of speech to MQTT, p95',
      unit: 'ms',
      values: [quantile(latencies, 0.95)],
      aim: '700',
    },
  ];
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function costOf(pid: number): Promise<{ peakMb: number; cpuSeconds: number }> {
  return { peakMb: (await memoryOf(pid)).peakMb, cpuSeconds: await cpuSeconds(pid) };
}

async function stage(
  root: string,
  folder: string,
  url: string,
  utterances: number,
  more: Readonly<Record<string, unknown>>,
) {
  const played = await demoAudio(root, utterances);
  const config = {
    device: { id: 'bench' },
    model: { path: join(root, 'models/kikitori-en') },
    grammar: { path: join(root, 'config/sentences.yaml') },
    publish: { mqtt: { url } },
    state: { dir: join(folder, 'state') },
    ...more,
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  return standInRecorder(root, folder, played, pauseMs);
}
