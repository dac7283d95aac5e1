/** Runs the daemon without a microphone and the clients of scripts/wyoming against it; scripts/wyoming-test prepares them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { encodeWav, readAudioFile } from '../src/audio/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const data = process.env['KIKITORI_DATA'] ?? join(root, '../shared/data');
const readyMs = 300_000;
let failed = 0;

function check(name: string, right: boolean, got: unknown = ''): void {
  if (!right) failed++;
  process.stdout.write(`${right ? 'ok' : 'NOT OK'}: ${name}${right ? '' : `: ${String(got)}`}\n`);
}

interface Running {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** The daemon as it ships, hearing for others; without a broker it keeps what it says. */
async function daemon(folder: string, grammar: string): Promise<Running> {
  const path = join(folder, `config-${Math.floor(performance.now())}.json`);
  const config = {
    device: { id: 'test' },
    capture: { source: 'none' },
    grammar: { path: grammar },
    recognizer: { wake: { phrase: 'give me the status report' } },
    publish: { mqtt: { url: 'mqtt://127.0.0.1:9' } },
    state: { dir: `${path}.state` },
    wyoming: { listen: '127.0.0.1:0' },
  };
  await writeFile(path, JSON.stringify(config));
  const child = spawn(process.execPath, [join(root, 'bin/kikitori.js'), 'run', '--config', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<number>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the daemon did not start')), readyMs);
    const seen = { port: 0 };
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as { event?: string; port?: number };
      if (line.event === 'wyoming.listening') seen.port = line.port ?? 0;
      if (line.event !== 'agent.ready') return;
      clearTimeout(late);
      resolve(seen.port);
    });
  });
  return { port, stop: () => ended(child) };
}

async function ended(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  if (child.exitCode === null) await once(child, 'close');
}

interface Line {
  readonly info?: { readonly asr: readonly { readonly requires_external_vad: boolean }[] };
  readonly text?: string;
  readonly intent?: string;
  readonly detected?: string | null;
  readonly slots?: Readonly<Record<string, unknown>>;
}

/** What the protocol's own client says of each file. */
async function clientSays(port: number, mode: string, files: readonly string[]): Promise<Line[]> {
  const program = join(root, 'scripts/wyoming/client.py');
  const child = spawn('python3', [program, '127.0.0.1', String(port), mode, ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: Line[] = [];
  for await (const line of createInterface({ input: child.stdout }))
    lines.push(JSON.parse(line) as Line);
  const [info, ...heard] = lines;
  check(`${mode}: it says of itself what the client knows`, info?.info?.asr.length === 1);
  check(`${mode}: every file is answered`, heard.length === files.length, heard.length);
  return heard;
}

async function demo(folder: string): Promise<void> {
  const rows = (await readFile(join(root, 'demo/sentences.tsv'), 'utf8')).trim().split('\n');
  const sentences = rows.slice(1).map((row) => row.split('\t'));
  const files = sentences.map(([file = '']) => join(root, 'demo/audio', file));
  const { port, stop } = await daemon(folder, join(root, 'config/sentences.yaml'));
  try {
    for (const mode of ['order', 'file', 'open']) {
      const heard = await clientSays(port, mode, files);
      sentences.forEach(([file = '', , expect = ''], i) => {
        const got = heard[i]?.text === '' ? 'refused' : heard[i]?.intent;
        check(`${mode}: ${file} ${expect}`, got === expect, JSON.stringify(heard[i]));
      });
    }
    const woken = await clientSays(port, 'wake', files);
    sentences.forEach(([file = '', , expect = ''], i) => {
      const wanted = expect === 'StatusReport' ? 'give_me_the_status_report' : null;
      check(`wake: ${file} ${wanted ?? 'not'}`, woken[i]?.detected === wanted, woken[i]?.detected);
    });
  } finally {
    await stop();
  }
}

async function orders(folder: string): Promise<void> {
  const from = join(data, 'dev/orders');
  if (!existsSync(from)) {
    process.stdout.write(`skipped: no recorded orders in ${from}\n`);
    return;
  }
  type Meaning = { intent: string; slots: Record<string, unknown> };
  const wanted = JSON.parse(await readFile(`${from}.json`, 'utf8')) as Record<string, Meaning>;
  const names = (await readdir(from)).filter((name) => name in wanted);
  const files: string[] = [];
  for (const name of names) {
    const { samples } = await readAudioFile(join(from, name), { rateHz: 16_000, channel: 'mix' });
    const file = join(folder, `${name}.wav`);
    await writeFile(file, encodeWav(samples, 16_000));
    files.push(file);
  }
  const { port, stop } = await daemon(folder, `${from}.yaml`);
  try {
    const heard = await clientSays(port, 'order', files);
    const key = (slots: Readonly<Record<string, unknown>> = {}) =>
      JSON.stringify(Object.entries(slots).sort(([a], [b]) => (a < b ? -1 : 1)));
    const right = names.filter((name, i) => {
      const [want, got] = [wanted[name], heard[i]];
      return got?.intent === want?.intent && key(got?.slots) === key(want?.slots);
    }).length;
    process.stdout.write(`${right} of ${names.length} recorded orders are right\n`);
    check('nine of ten recorded orders are right', right >= 0.9 * names.length, right);
  } finally {
    await stop();
  }
}

/** What a site writes for intents that Home Assistant has no word for. */
const homeConfiguration = (port: number) => `
homeassistant: {name: test, latitude: 1, longitude: 1, elevation: 0, unit_system: metric, time_zone: UTC, country: GB}
http: {server_host: 127.0.0.1, server_port: ${port}}
api:
config:
conversation:
logger: {default: warning}
input_boolean:
  workshop: {name: Workshop}
intent_script:
  LightOn:
    action:
      - service: input_boolean.turn_on
        data: {entity_id: "input_boolean.{{ area }}"}
    speech: {text: "{{ area }} on"}
`;

async function homeAssistant(home: string, folder: string): Promise<void> {
  const base = `http://127.0.0.1:${httpPort}`;
  const cfg = join(home, 'wyoming-cfg');
  await rm(cfg, { recursive: true, force: true });
  await mkdir(cfg);
  await writeFile(join(cfg, 'configuration.yaml'), homeConfiguration(httpPort));
  await cp(join(root, 'scripts/wyoming/home-assistant.py'), join(cfg, 'check.py'));
  for (const file of ['03.wav', '05.wav', '10.wav'])
    await cp(join(root, 'demo/audio', file), join(cfg, file));
  const inside = (...command: string[]) =>
    spawn('chroot', [home, '/ha/bin/python', ...command], {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: '/root' },
    });
  const { port, stop } = await daemon(folder, join(root, 'config/sentences.yaml'));
  const hass = inside('-m', 'homeassistant', '--config', '/wyoming-cfg');
  const complaints: string[] = [];
  createInterface({ input: hass.stderr as NodeJS.ReadableStream }).on('line', (line) => {
    if (/wyoming|intent_script|assist_pipeline/i.test(line)) complaints.push(line);
  });
  try {
    const until = performance.now() + readyMs;
    for (;;) {
      const there = await fetch(`${base}/api/onboarding`).catch(() => null);
      if (there?.ok === true) break;
      if (performance.now() > until || hass.exitCode !== null)
        throw new Error('Home Assistant did not start');
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    const files = ['03.wav', '05.wav', '10.wav'].map((file) => `/wyoming-cfg/${file}`);
    const checks = inside('/wyoming-cfg/check.py', base, String(port), ...files);
    checks.stderr?.pipe(process.stderr);
    const [status] = (await once(checks, 'close')) as [number | null];
    check('Home Assistant does what is asked of it', status === 0, status);
    check('and its log has no complaint', complaints.length === 0, complaints.join('\n'));
  } finally {
    await ended(hass);
    await stop();
    await rm(cfg, { recursive: true, force: true });
  }
}

const httpPort = 20_000 + (process.pid % 10_000);
const [home] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'kikitori-wyoming-'));
try {
  await demo(folder);
  await orders(folder);
  if (home === undefined) process.stdout.write('skipped: no Home Assistant was named\n');
  else await homeAssistant(home, folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.stdout.write(`${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
