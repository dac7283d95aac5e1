/** What scripts/recorder-faults runs: how soon a lost microphone is told and heard again, and what ten thousand cost. */
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { commit, machine } from '../../bench/lib/report.js';
import { Capture, type CaptureOptions } from '../../src/capture/index.js';
import { systemClock, type Clock } from '../../src/runtime/clock.js';
import { AudioClock } from '../sim/audio-clock.js';
import { Daemon, type DaemonOptions } from '../sim/daemon.js';
import { MicSim, until, type MicRun } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { toneBundle, toneGrammar } from '../sim/tone-bundle.js';

const toldWithinMs = 3000;
const backWithinMs = 5000;
const outageMs = 20_000;
const restarts = Number(process.argv[2] ?? 10_000);
const gigabytes = Number(process.argv[3] ?? 2.2);
const { cpu, cores, node, loadBefore } = machine();
const print = (text: string) => process.stdout.write(`${text}\n`);
print(
  `recorder faults at ${commit()}; ${cpu}, ${cores} cores, Node ${node}, load ${loadBefore} before`,
);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
let late = 0;

// The daemon, with the times that it ships with.

const folder = await mkdtemp(join(tmpdir(), 'kikitori-recorder-'));
const broker = await Mosquitto.open();
const subscriber = await Subscriber.open(broker.url, 'kikitori/board/#');
const mic = await MicSim.create({});
const options: DaemonOptions = {
  url: broker.url,
  model: (await toneBundle(join(folder, 'tones.tar'), { version: '1.0.0' })).path,
  grammar: toneGrammar,
  mic,
  capture: { stallAfterMs: 2000, backoffMinMs: 500, backoffMaxMs: 3500 },
  watched: false,
};
let daemon = await Daemon.start(options);
/** What MQTT said of the microphone, and when. */
const states: { mic: string; atMs: number }[] = [];
const heardEvents: string[] = [];
subscriber.client.on('message', (topic, payload) => {
  const json = JSON.parse(payload.toString()) as { mic?: string; event?: string; after?: string };
  if (topic.endsWith('/health')) states.push({ mic: json.mic ?? '', atMs: Date.now() });
  if (topic.endsWith('/event'))
    heardEvents.push([json.event, json.after].filter(Boolean).join(' '));
});
const stateAfter = async (mic: string, afterMs: number): Promise<number> => {
  const found = () => states.find((s) => s.mic === mic && s.atMs >= afterMs);
  await until(`${mic} on MQTT`, () => found() !== undefined);
  return (found()?.atMs ?? NaN) - afterMs;
};
const figure = (name: string, toldMs: number | null, backMs: number) => {
  const isLate = (toldMs ?? 0) > toldWithinMs || backMs > backWithinMs;
  if (isLate) late++;
  const told = toldMs === null ? '      ' : `${(toldMs / 1000).toFixed(2)} s`;
  print(
    `  ${name.padEnd(34)} told after ${told}, heard again after ${(backMs / 1000).toFixed(2)} s${isLate ? '  LATE' : ''}`,
  );
};
const stopRecorder = async () => {
  for (const pid of await mic.alive()) process.kill(pid, 'SIGKILL');
};
const nextStart = async (action: () => Promise<void>) => {
  const before = (await mic.starts()).length;
  await action();
  await until('the next recorder', async () => (await mic.starts()).length > before);
};
const begins = async (run: MicRun) => {
  await mic.set(run);
  await nextStart(stopRecorder);
};
await stateAfter('up', 0);

/** The pauses are short again once a recorder has worked for 5 s. */
const works = () => sleep(6000);

async function breaks(name: string, run: MicRun): Promise<void> {
  const before = (await mic.marks()).length;
  const broke = async () => (await mic.marks())[before]?.atMs;
  // On a busy machine the stand-in may be given up before it has begun: once more then.
  for (let tries = 0; tries < 5 && (await broke()) === undefined; tries++) {
    await works();
    await begins(run);
    await mic.set({});
    for (let i = 0; i < 100 && (await broke()) === undefined; i++) await sleep(100);
  }
  const brokeMs = (await broke()) ?? NaN;
  const toldMs = await stateAfter('lost', brokeMs);
  figure(name, toldMs, await stateAfter('up', brokeMs + toldMs));
}
await breaks('exits with 0', { afterMs: 1500, status: 0 });
await breaks('exits with 1', { afterMs: 1500, status: 1, stderr: 'arecord: xrun\n' });
await breaks('is killed', { afterMs: 1500, fault: 'kill' });
await breaks('hangs', { afterMs: 1500, fault: 'stall' });
await breaks('hangs, deaf to SIGTERM', { afterMs: 1500, fault: 'stall', deaf: true });
await breaks('floods', { afterMs: 1500, fault: 'flood' });
await breaks('gives another rate and says so', {
  afterMs: 1500,
  fault: 'none',
  stderr: 'Warning: rate is not accurate (requested = 16000Hz, got = 48000Hz)\n',
});

for (const [name, stderr] of [
  ['busy for 20 s', 'arecord: main:831: audio open error: Device or resource busy\n'],
  ['missing for 20 s', 'arecord: main:831: audio open error: No such file or directory\n'],
] as const) {
  await works();
  const goneMs = Date.now();
  await begins({ afterMs: 0, status: 1, stderr });
  const toldMs = await stateAfter('lost', goneMs);
  await sleep(outageMs);
  await mic.set({});
  figure(name, toldMs, await stateAfter('up', Date.now()));
}
{
  const before = (await mic.marks()).length;
  const zeros = async () => (await mic.marks()).length > before;
  for (let tries = 0; tries < 5 && !(await zeros()); tries++) {
    await works();
    await begins({ play: [1500, -180_000] });
    for (let i = 0; i < 100 && !(await zeros()); i++) await sleep(100);
  }
  const zerosMs = (await mic.marks())[before]?.atMs ?? NaN;
  const toldMs = await stateAfter('silent', zerosMs);
  const began = performance.now();
  while ((await mic.marks()).length === before + 1) {
    if (daemon.child.over || performance.now() - began > 400_000) throw new Error('it ended');
    await sleep(200);
  }
  const soundMs = (await mic.marks())[before + 1]?.atMs ?? NaN;
  figure('zeros for three minutes', toldMs, await stateAfter('up', soundMs));
}
{
  // As the unit has it: RestartSec=2.
  daemon.child.child.kill('SIGSEGV');
  await daemon.child.exit();
  const endedMs = Date.now();
  await sleep(2000);
  await until('no recorder is left behind', async () => (await mic.alive()).length === 0);
  daemon = await Daemon.start(options, daemon.folder);
  const backMs = await stateAfter('up', endedMs);
  await until('told', () => heardEvents.includes('restarted crash'));
  print(
    `  ${'native crash of the daemon'.padEnd(34)} heard again after ${(backMs / 1000).toFixed(2)} s with 2 s of pause; event "restarted" published, no recorder left behind`,
  );
}
const { length: starts } = await mic.starts();
const status = await daemon.child.kill('SIGTERM');
print(
  `  ${starts} recorders; after the stop (status ${String(status)}) ${(await mic.alive()).length} are left`,
);
await daemon.remove();
await subscriber.close();
await mic.remove();

// The capture stage alone.

const stage = (clock: Clock, onSamples: (count: number) => void) => {
  const settings: CaptureOptions = {
    ...{
      source: 'recorder',
      recorder: 'arecord',
      device: '',
      rateHz: 16000,
      channels: 1,
      channel: 0,
    },
    ...{ gainDb: 0, path: '', pace: 'realtime', silentAfterMs: 1e9, stallAfterMs: 60_000 },
    ...{ backoffMinMs: 0, backoffMaxMs: 0 },
  } as const;
  let losses = 0;
  const events = {
    onChunk: ({ samples }: { samples: Float32Array }) => onSamples(samples.length),
    onState: (state: string) => void (losses += state === 'lost' ? 1 : 0),
    onEnd: () => undefined,
  };
  const capture = new Capture(settings, 16000, events, clock, () => 0);
  return { capture, losses: () => losses };
};
const recorderIs = async (text: string) => {
  await writeFile(join(folder, 'arecord'), `#!/bin/sh\n${text}\n`);
  await chmod(join(folder, 'arecord'), 0o755);
  process.env['PATH'] = `${folder}${delimiter}${process.env['PATH'] ?? ''}`;
};
/** The fewest descriptors within half a second: a recorder that is just there has some of its own. */
const size = async () => {
  let fds = Infinity;
  for (let i = 0; i < 50; i++) {
    fds = Math.min(fds, (await readdir('/proc/self/fd')).length);
    await sleep(10);
  }
  globalThis.gc?.();
  return { mb: process.memoryUsage.rss() / 1e6, fds };
};
{
  // A tenth of a second of sound, then the end: each start is heard, and lost.
  const count = join(folder, 'count');
  await recorderIs(`echo x >> ${count}\nhead -c 3200 /dev/urandom`);
  let samples = 0;
  const { capture, losses } = stage(systemClock, (n) => (samples += n));
  const began = performance.now();
  capture.start();
  const at: { n: number; mb: number; fds: number }[] = [];
  for (const n of [Math.round(restarts / 10), Math.round(restarts / 2), restarts]) {
    while (samples < 1600 * n) await sleep(20);
    at.push({ n, ...(await size()) });
  }
  await capture.stop();
  at.push({ n: losses(), ...(await size()) });
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  print(`  ${restarts} restarts in ${seconds} s, ${losses()} times told as lost`);
  for (const { n, mb, fds } of at)
    print(`    after ${String(n).padStart(6)}: ${mb.toFixed(1)} MB, ${fds} descriptors`);
  const [first, , last] = at;
  // What is allocated in the first tenth stays; a descriptor a thousand restarts would be a leak.
  if ((last?.fds ?? 0) > (first?.fds ?? 0) + 1 || (last?.mb ?? 0) > (first?.mb ?? 0) + 10) late++;
}
{
  await recorderIs('exec yes kikitori');
  const clock = new AudioClock(16000);
  let samples = 0;
  const { capture, losses } = stage(clock, (n) => {
    samples += n;
    clock.heard(n);
  });
  capture.start();
  const passed = async (share: number) => {
    while (2 * samples < share * gigabytes * 2 ** 30 && losses() === 0) await sleep(50);
    return size();
  };
  const before = await passed(0.25);
  const after = await passed(1);
  await capture.stop();
  print(
    `  ${((2 * samples) / 2 ** 30).toFixed(2)} GiB through one recorder, ${(samples / 16000 / 3600).toFixed(1)} h of audio: ${losses()} times lost, ${(after.mb - before.mb).toFixed(1)} MB more than after a quarter of it`,
  );
  if (losses() > 0) late++;
}
await broker.close();
await rm(folder, { recursive: true, force: true });
print(late === 0 ? '  all as promised' : `  ${late} NOT as promised`);
process.exitCode = late === 0 ? 0 : 1;
