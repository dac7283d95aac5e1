/**
 * The demo: an MQTT broker in this process, the daemon as it ships in another, a stand-in for
 * `arecord` that plays synthesised sentences at real-time pace, and a subscriber that shows what
 * a machine on the network would receive.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Aedes } from 'aedes';
import mqtt from 'mqtt';

const root = fileURLToPath(new URL('../../', import.meta.url));
const withMicrophone = process.argv.includes('--mic');
const totalTimeoutMs = withMicrophone ? 0 : 120_000;
const show = (line: string) => process.stdout.write(`${line}\n`);

interface Sentence {
  readonly file: string;
  readonly expect: string;
  readonly text: string;
}

/** What the subscriber cares about in intent and rejected payloads. */
interface Received {
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

async function startBroker(): Promise<{ port: number; close: () => Promise<void> }> {
  const broker = await Aedes.createBroker();
  const server = createServer(broker.handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        broker.close(() => server.close(() => resolve()));
      }),
  };
}

/** A folder first in PATH whose `arecord` is our player, and the playlist it plays. */
async function standInRecorder(
  folder: string,
  played: readonly Sentence[],
): Promise<NodeJS.ProcessEnv> {
  const program = join(folder, 'arecord');
  await writeFile(
    program,
    `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'scripts/demo-recorder.js')}" "$@"\n`,
  );
  await chmod(program, 0o755);
  const playlist = join(folder, 'playlist.txt');
  const lines = played.flatMap(({ file }) => [join(root, 'demo/audio', file), '1500']);
  await writeFile(playlist, `1500\n${lines.join('\n')}\n`);
  return {
    ...process.env,
    PATH: `${folder}${delimiter}${process.env.PATH ?? ''}`,
    KIKITORI_DEMO_PLAYLIST: playlist,
  };
}

function configuration(port: number, folder: string): string {
  return JSON.stringify({
    device: { id: 'demo' },
    model: { path: join(root, 'models/kikitori-en') },
    grammar: { path: join(root, 'config/sentences.yaml') },
    capture: { source: 'recorder', recorder: 'arecord' },
    publish: { mqtt: { url: `mqtt://127.0.0.1:${port}` } },
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

async function main(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-demo-'));
  const broker = await startBroker();
  const played = withMicrophone ? [] : await sentences();
  await writeFile(join(folder, 'config.json'), configuration(broker.port, folder));
  const subscriber = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`);
  const received: Received[] = [];
  let wake: () => void = () => undefined;
  let daemonEnded = false;
  subscriber.on('message', (topic, payload) => {
    const message = JSON.parse(payload.toString()) as Received;
    if (topic.includes('/intent/') || topic.endsWith('/rejected')) {
      show(
        row(withMicrophone ? '' : (played[received.length]?.text ?? '(nothing was said)'), message),
      );
      received.push(message);
      wake();
    }
  });
  await subscriber.subscribeAsync(['kikitori/demo/intent/#', 'kikitori/demo/rejected']);

  show('A daemon hears; a subscriber of kikitori/demo/# receives:\n');
  show(
    `${'said'.padEnd(44)} ${'heard'.padEnd(44)} ${'intent and slots'.padEnd(44)}  conf  latency`,
  );
  const env = withMicrophone ? process.env : await standInRecorder(folder, played);
  const daemon = spawn(
    process.execPath,
    [join(root, 'bin/kikitori.js'), 'run', '--config', join(folder, 'config.json')],
    { env, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const ended = new Promise<void>((resolve) => {
    daemon.on('close', () => {
      daemonEnded = true;
      wake();
      resolve();
    });
  });
  let timedOut = false;
  const limit =
    totalTimeoutMs === 0
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          wake();
        }, totalTimeoutMs);
  process.once('SIGINT', () => {
    timedOut = true;
    wake();
  });
  while (!timedOut && !daemonEnded && (withMicrophone || received.length < played.length)) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  clearTimeout(limit);
  daemon.kill('SIGTERM');
  await ended;
  await subscriber.endAsync();
  await broker.close();
  await rm(folder, { recursive: true, force: true });
  return withMicrophone ? 0 : verdict(played, received);
}

function verdict(played: readonly Sentence[], received: readonly Received[]): number {
  const right = played.filter((sentence, i) => {
    const message = received[i];
    return sentence.expect === 'refused'
      ? message?.reason !== undefined
      : message?.intent === sentence.expect && message.reason === undefined;
  }).length;
  show(`\n${right} of ${played.length} as expected, ${received.length} messages received.`);
  if (received.length < played.length) {
    show('Fewer messages than sentences: see the log lines above.');
    return 1;
  }
  show(`
What next:
  ./scripts/demo --mic                      hear your own microphone (say what config/sentences.yaml allows)
  node bin/kikitori.js grammar sample config/sentences.yaml
  node bin/kikitori.js transcribe --grammar config/sentences.yaml FILE.wav
  sudo ./scripts/install                    install the service; then edit /etc/kikitori`);
  return right === played.length ? 0 : 1;
}

process.exitCode = await main();
