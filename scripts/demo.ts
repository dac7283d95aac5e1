/**
 * The demo: an MQTT broker in this process, the daemon as it ships in another, a stand-in for
 * `arecord` that plays synthesised sentences at real-time pace, and a subscriber that shows what
 * a machine on the network would receive.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import { paired, readMarks, standInRecorder, startBroker, type Mark } from './lib/stand-in.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const withMicrophone = process.argv.includes('--mic');
const totalTimeoutMs = withMicrophone ? 0 : 120_000;
const pauseMs = 1500;
/** After the last sentence, time for its answer. */
const lastAnswerMs = 5000;
const show = (line: string) => process.stdout.write(`${line}\n`);

interface Sentence {
  readonly file: string;
  readonly expect: string;
  readonly text: string;
}

/** What the subscriber cares about in intent and rejected payloads. */
interface Received {
  readonly atMs: number;
  readonly text?: string;
  readonly intent?: string;
  readonly slots?: Record<string, unknown>;
  readonly confidence?: number;
  readonly latencyMs?: number;
  readonly reason?: string;
}

async function sentences(): Promise<Sentence[]> {
  const table = await readFile(join(root, 'demo/sentences.tsv'), 'utf8');
  return table
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [file = '', , expect = '', text = ''] = line.split('\t');
      return { file, expect, text };
    });
}

function configuration(url: string, folder: string): string {
  return JSON.stringify({
    device: { id: 'demo' },
    model: { path: join(root, 'models/kikitori-en') },
    grammar: { path: join(root, 'config/sentences.yaml') },
    capture: { source: 'recorder', recorder: 'arecord' },
    publish: { mqtt: { url } },
    state: { dir: join(folder, 'state') },
    log: { level: 'warn' },
  });
}

function row(said: string, received: Received): string {
  const slots = Object.entries(received.slots ?? {})
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
  const verdict =
    received.reason === undefined ? (received.intent ?? '') : `refused: ${received.reason}`;
  return [
    said.padEnd(44),
    (received.reason === undefined ? (received.text ?? '') : '-').padEnd(44),
    `${verdict} ${slots}`.trim().padEnd(44),
    (received.confidence ?? 0).toFixed(2).padStart(5),
    received.latencyMs === undefined
      ? ''
      : `${String(Math.round(received.latencyMs))} ms`.padStart(8),
  ].join(' ');
}

const now = () => performance.timeOrigin + performance.now();
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Shows each answer beside what was said before it, until all was said and answered, or `over()`. */
async function follow(
  folder: string,
  played: readonly Sentence[],
  received: readonly Received[],
  over: () => boolean,
): Promise<Mark[]> {
  let shown = 0;
  for (;;) {
    const marks = await readMarks(folder);
    for (; shown < received.length; shown++) {
      const message = received[shown] as Received;
      const before = marks.filter((m) => m.endedAtMs < message.atMs).length;
      show(row(played[before - 1]?.text ?? '', message));
    }
    const last = marks.at(-1);
    const answered = paired(marks, received).at(-1) !== undefined;
    const late = last !== undefined && now() > last.endedAtMs + lastAnswerMs;
    if (over() || (!withMicrophone && marks.length === played.length && (answered || late)))
      return marks;
    await sleep(100);
  }
}

async function main(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-demo-'));
  const broker = await startBroker();
  const played = withMicrophone ? [] : await sentences();
  const files = played.map(({ file }) => join(root, 'demo/audio', file));
  await writeFile(join(folder, 'config.json'), configuration(broker.url, folder));
  const subscriber = await mqtt.connectAsync(broker.url);
  const received: Received[] = [];
  subscriber.on('message', (topic, payload) => {
    if (topic.includes('/intent/') || topic.endsWith('/rejected'))
      received.push({ ...(JSON.parse(payload.toString()) as Received), atMs: now() });
  });
  await subscriber.subscribeAsync(['kikitori/demo/intent/#', 'kikitori/demo/rejected']);

  show('A daemon hears; a subscriber of kikitori/demo/# receives:\n');
  show(
    `${'said'.padEnd(44)} ${'heard'.padEnd(44)} ${'intent and slots'.padEnd(44)}  conf  latency`,
  );
  const env = withMicrophone ? process.env : await standInRecorder(root, folder, files, pauseMs);
  const daemon = spawn(
    process.execPath,
    [join(root, 'bin/kikitori.js'), 'run', '--config', join(folder, 'config.json')],
    { env, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  let over = false;
  const ended = new Promise<void>((resolve) => {
    daemon.on('close', () => {
      over = true;
      resolve();
    });
  });
  const limit = totalTimeoutMs === 0 ? undefined : setTimeout(() => (over = true), totalTimeoutMs);
  process.once('SIGINT', () => (over = true));
  const marks = await follow(folder, played, received, () => over);
  clearTimeout(limit);
  daemon.kill('SIGTERM');
  await ended;
  await subscriber.endAsync();
  await broker.close();
  await rm(folder, { recursive: true, force: true });
  return withMicrophone ? 0 : verdict(played, paired(marks, received));
}

function verdict(played: readonly Sentence[], answers: readonly (Received | undefined)[]): number {
  const wrong = played.filter((sentence, i) => {
    const message = answers[i];
    return sentence.expect === 'refused'
      ? message?.intent !== undefined && message.reason === undefined
      : message?.intent !== sentence.expect || message.reason !== undefined;
  });
  show(`\n${played.length - wrong.length} of ${played.length} as expected.`);
  if (answers.length < played.length)
    show('Not all sentences were played: see the log lines above.');
  show(`
What next:
  ./scripts/demo --mic                      hear your own microphone (say what config/sentences.yaml allows)
  node bin/kikitori.js grammar sample config/sentences.yaml
  node bin/kikitori.js transcribe --grammar config/sentences.yaml FILE.wav
  sudo ./scripts/install                    install the service; then edit /etc/kikitori`);
  return wrong.length === 0 ? 0 : 1;
}

process.exitCode = await main();
