/**
 * A real daemon with the model that ships and every port open, before a crowd: a thousand connections on each port at
 * once, some silent, some half-way, some deaf, and a flood over MQTT; amid it orders are spoken. Is each still heard, how
 * late, and what of memory and descriptors is left afterwards?
 * usage: node dist/bench/hostile.js [--connections N] [--utterances N] [--json]
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import {
  paired,
  readMarks,
  standInRecorder,
  startBroker,
  type Mark,
} from '../scripts/lib/stand-in.js';
import { unitEnvironment } from '../scripts/lib/unit-environment.js';
import { demoAudio } from './lib/demo.js';
import { sizeOf } from './lib/process-size.js';
import { numberArgument, quantile, report } from './lib/report.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pauseMs = 1500;
const settleMs = 15_000;
const lastAnswerMs = 5000;
const collectMs = 3000;
const longBytes = 8e6;
const connections = numberArgument('connections', 1000);
const utterances = numberArgument('utterances', 11);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const folder = await mkdtemp(join(tmpdir(), 'kikitori-hostile-'));
const broker = await startBroker();
// As many before the crowd comes, and as many amid it.
const played = await demoAudio(root, 2 * utterances);
const local = '127.0.0.1:0';
await writeFile(
  join(folder, 'config.json'),
  JSON.stringify({
    device: { id: 'bench' },
    model: { path: join(root, 'models/kikitori-en') },
    grammar: { path: join(root, 'config/sentences.yaml') },
    publish: {
      mqtt: { url: broker.url },
      homeAssistant: { enabled: true },
      hermes: { enabled: true },
      sparkplug: { enabled: true, group: 'hall' },
    },
    ...{ page: { listen: local }, metrics: { listen: local }, wyoming: { listen: local } },
    state: { dir: join(folder, 'state') },
    capture: { stallAfterMs: '20s', backoffMinMs: 100, backoffMaxMs: 500 },
  }),
);
const env = await standInRecorder(root, folder, played, pauseMs);
const subscriber = await mqtt.connectAsync(broker.url);
const answers: { atMs: number }[] = [];
subscriber.on('message', () => answers.push({ atMs: performance.timeOrigin + performance.now() }));
await subscriber.subscribeAsync(['kikitori/bench/intent/#', 'kikitori/bench/rejected']);
const daemon = spawn(
  process.execPath,
  [
    ...['--expose-gc', "--import=data:text/javascript,process.on('SIGUSR2',()=>{gc();gc()})"],
    ...[join(root, 'bin/kikitori.js'), 'run', '--config', join(folder, 'config.json')],
  ],
  { env: { ...env, ...(await unitEnvironment(root)) }, stdio: ['ignore', 'pipe', 'inherit'] },
);
const closed = new Promise((resolve) => daemon.once('close', resolve));
const ports = new Map<string, number>();
let lines = 0;
createInterface({ input: daemon.stdout }).on('line', (text) => {
  lines++;
  const { event, name, port } = JSON.parse(text) as Record<string, unknown>;
  if (event === 'http.listening') ports.set(String(name), Number(port));
  if (event === 'wyoming.listening') ports.set('wyoming', Number(port));
});
const pid = daemon.pid ?? 0;
const marks = async (count: number): Promise<Mark[]> => {
  for (;;) {
    const now = await readMarks(folder);
    if (now.length >= count || daemon.exitCode !== null) return now;
    await sleep(200);
  }
};

await marks(utterances);
const before = await sizeOf(pid);
const linesBefore = lines;
const sockets: Socket[] = [];
const state = { flooding: true, flooded: 0, refused: 0 };
const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
const firsts: Readonly<Record<string, readonly string[]>> = {
  page: [
    get('/api/events'),
    get('/api/grammar').repeat(200),
    'POST /api/sentence HTT',
    '\0\xff',
    '',
  ],
  metrics: [get('/metrics'), get('/metrics').repeat(200), 'GET /met', '\0\xff', ''],
  wyoming: ['{"type": "describe"}\n'.repeat(200), '{"type": "des', '\0\xff\n', ''],
};
for (let i = 0; i < connections; i++)
  for (const [name, port] of ports) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.on('close', () => state.refused++);
    const first = firsts[name] ?? [''];
    socket.write(first[i % first.length] ?? '');
    // Two of three do not read.
    if (i % 3 === 0) socket.resume();
    sockets.push(socket);
  }
const flood = (async () => {
  const client = await mqtt.connectAsync(broker.url);
  for (const topic of ['kikitori/bench/request/listen', 'homeassistant/status'])
    await client.publishAsync(topic, Buffer.alloc(longBytes));
  const topics = [
    ...['kikitori/bench/request/none', 'homeassistant/status', 'hermes/asr/startListening'],
    'spBv1.0/hall/NCMD/bench',
  ];
  while (state.flooding) {
    for (const topic of topics) await client.publishAsync(topic, '{"siteId": "other"}');
    state.flooded += topics.length;
    await sleep(1);
  }
  await client.endAsync();
})();
const all = await marks(2 * utterances);
await sleep(lastAnswerMs);
state.flooding = false;
await flood;
const amid = await sizeOf(pid);
const refused = state.refused;
for (const socket of sockets) socket.destroy();
await sleep(settleMs);
const after = await sizeOf(pid);
// A quiet process collects seldom: what is really held shows after a collection.
daemon.kill('SIGUSR2');
await sleep(collectMs);
const collected = await sizeOf(pid);
const alive = daemon.exitCode === null;
daemon.kill('SIGTERM');
await closed;
await subscriber.endAsync(true);
await broker.close();
await rm(folder, { recursive: true, force: true });

const late = (from: number, to: number) =>
  paired(all, answers)
    .slice(from, to)
    .flatMap((answer, i) =>
      answer === undefined ? [] : [answer.atMs - (all[from + i]?.endedAtMs ?? NaN)],
    );
const [calm, crowded] = [late(0, utterances), late(utterances, 2 * utterances)];
process.stderr.write(
  `${alive ? 'the daemon is alive' : 'THE DAEMON HAS ENDED'}; answered ${calm.length} of ${utterances} before, ` +
    `${crowded.length} of ${utterances} amid ${sockets.length} connections on ${ports.size} ports ` +
    `(${refused} let go of) and ${state.flooded} messages; ${lines - linesBefore} lines of log\n`,
);
report(
  'hostile',
  [
    { name: 'end of speech to MQTT before, p50', unit: 'ms', values: [quantile(calm, 0.5)] },
    { name: 'end of speech to MQTT amid it, p50', unit: 'ms', values: [quantile(crowded, 0.5)] },
    { name: 'end of speech to MQTT amid it, p95', unit: 'ms', values: [quantile(crowded, 0.95)] },
    ...(['rssMb', 'peakMb', 'files'] as const).flatMap((key) =>
      (
        [
          ['before', before],
          ['amid it', amid],
          ['after it', after],
          ['after a collection', collected],
        ] as const
      ).map(([when, size]) => ({
        name: `${{ rssMb: 'memory', peakMb: 'peak memory', files: 'open files' }[key]} ${when}`,
        unit: key === 'files' ? '' : 'MB',
        values: [size[key]],
      })),
    ),
  ],
  { connections, utterances },
);
process.exitCode = alive && crowded.length >= calm.length ? 0 : 1;
