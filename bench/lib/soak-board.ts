/** The daemon of a soak with everything around it: real mosquitto, signed repository, all neighbours, audio by a pipe. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { unitEnvironment } from '../../scripts/lib/unit-environment.js';
import { Mosquitto, Subscriber } from '../../test/sim/mosquitto.js';
import { cpuSeconds, sizeOf } from './process-size.js';
import { SoakRepository } from './soak-repository.js';

export const device = 'soak';
/** The daemon has told the broker of this connection that it is there: requests are heard from then on. */
export const online = 'state online';
const on = (topic: string) => `kikitori/${device}/${topic}`;
const local = '127.0.0.1:0';
/** Generous: the machine may be busy. */
const limitMs = 300_000;
const lastLines = 40;

type Line = Readonly<Record<string, unknown>>;
type Settings = Readonly<Record<string, unknown>>;

export interface Size {
  readonly rssMb: number;
  /** The most at any moment since its start. */
  readonly peakMb: number;
  readonly descriptors: number;
  readonly children: number;
  readonly cpuSeconds: number;
}

export class SoakBoard {
  /** What it said that it had accepted: id, and what of it is judged. */
  readonly accepted: {
    readonly id: string;
    readonly intent: string;
    readonly latencyMs: number;
  }[] = [];
  rejected = 0;
  /** id -> topics on which it came, duplicates too. */
  readonly arrived = new Map<string, string[]>();
  /** Lines of the log by event, and `online`, counted. */
  readonly events = new Map<string, number>();
  /** Lines that somebody should look at today. */
  readonly errors: string[] = [];
  private readonly answers = new Map<string, Line>();
  private readonly last: string[] = [];
  private readonly ports = new Map<string, number>();
  private readonly leave = new AbortController();
  private asked = 0;
  private goOn: () => void = () => undefined;

  private constructor(
    private readonly folder: string,
    private readonly settings: Settings,
    readonly broker: Mosquitto,
    readonly repository: SoakRepository,
    private readonly subscriber: Subscriber,
    private readonly child: ChildProcess,
    private readonly onLine: (text: string) => void,
  ) {
    subscriber.client.on('message', (topic, payload, { retain }) =>
      this.came(topic, payload.toString(), retain),
    );
    for (const event of ['drain', 'close', 'error']) child.stdin?.on(event, () => this.goOn());
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on('line', (text) => this.said(text));
  }

  static async start(
    root: string,
    /** Sees each line of the log. */
    onLine: (text: string) => void,
  ): Promise<SoakBoard> {
    const folder = await mkdtemp(join(tmpdir(), 'kikitori-soak-'));
    // What waits for the subscriber while the broker restarts is on its disk.
    const broker = await Mosquitto.open({
      config: [
        ...['allow_anonymous true', 'max_inflight_messages 0', 'max_queued_messages 0'],
        ...['persistence true', 'persistence_location {folder}/'],
      ],
    });
    const repository = await SoakRepository.start(root, folder);
    const subscriber = await Subscriber.open(broker.url, on('#'), {
      clean: false,
      clientId: 'soak-subscriber',
    });
    const program = join(folder, 'answer');
    await writeFile(program, '#!/bin/sh\nexec cat >/dev/null\n');
    await chmod(program, 0o755);
    const settings = {
      device: { id: device },
      model: { path: join(root, 'models/kikitori-en') },
      grammar: { path: join(folder, 'sentences.yaml') },
      capture: { source: 'stdin' },
      // A minute of audio takes about a second.
      publish: {
        healthMs: '1s',
        mqtt: { url: broker.url },
        homeAssistant: { enabled: true },
        hermes: { enabled: true },
        sparkplug: { enabled: true, group: 'hall' },
      },
      ...{ page: { listen: local }, metrics: { listen: local }, wyoming: { listen: local } },
      feedback: { program },
      update: {
        ...{ url: repository.url, rootPath: repository.rootPath, checkEveryMs: '60s' },
        limits: { selftestMs: '300s' },
        // Over before the next one is offered.
        trial: { utterances: 20, durationMs: '30s' },
      },
      state: { dir: join(folder, 'state') },
    };
    await writeFile(
      join(folder, 'sentences.yaml'),
      await readFile(join(root, 'config/sentences.yaml')),
    );
    await writeFile(join(folder, 'config.json'), JSON.stringify(settings));
    const { NODE_OPTIONS: _, ...env } = process.env;
    const child = spawn(
      process.execPath,
      [join(root, 'bin/kikitori.js'), 'run', '--config', join(folder, 'config.json')],
      {
        env: { ...env, ...(await unitEnvironment(root)) },
        stdio: ['pipe', 'pipe', 'inherit'],
        // A group of its own: whatever it leaves behind is found by it.
        detached: true,
      },
    );
    const board = new SoakBoard(folder, settings, broker, repository, subscriber, child, onLine);
    await board.until('it hears', () => board.count('agent.ready') > 0);
    void board.watchPage();
    return board;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  count(event: string): number {
    return this.events.get(event) ?? 0;
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const end = performance.now() + limitMs;
    while (!condition()) {
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`the daemon has ended by itself\n${this.last.join('\n')}`);
      if (performance.now() > end)
        throw new Error(`waited ${limitMs} ms until ${what}\n${this.last.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Once more than now, after the action. */
  async causes(event: string, action: () => Promise<unknown>): Promise<void> {
    const before = this.count(event);
    await action();
    await this.until(event, () => this.count(event) > before);
  }

  /** Waits while the pipe is full: audio goes no faster than it is heard. */
  async hear(bytes: Buffer): Promise<void> {
    const { stdin } = this.child;
    if (stdin === null || stdin.write(bytes)) return;
    await new Promise<void>((resolve) => {
      this.goOn = resolve;
    });
  }

  async ask(name: string, payload: Settings): Promise<Line> {
    const transaction = `soak-${++this.asked}`;
    await this.subscriber.publish(on(`request/${name}`), { ...payload, transaction });
    await this.until(`an answer to ${name}`, () => this.answers.has(transaction));
    const answer = this.answers.get(transaction) ?? {};
    this.answers.delete(transaction);
    if (answer['status'] !== 'ok')
      throw new Error(`${name} ${JSON.stringify(payload)}: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Other sections than before, then SIGHUP. */
  async configure(more: Settings): Promise<void> {
    await this.writeConfig(JSON.stringify({ ...this.settings, ...more }));
  }

  async writeConfig(text: string): Promise<void> {
    await writeFile(join(this.folder, 'config.json'), text);
    process.kill(this.pid, 'SIGHUP');
  }

  async writeSentences(change: (text: string) => string): Promise<void> {
    const path = join(this.folder, 'sentences.yaml');
    await writeFile(path, change(await readFile(path, 'utf8')));
  }

  async restartBroker(): Promise<void> {
    await this.broker.stop();
    await this.broker.start();
    await this.until('the subscriber is back', () => this.subscriber.client.connected);
  }

  /** Prometheus asks, and a satellite looks in. */
  async visit(): Promise<void> {
    const metrics = this.ports.get('metrics');
    await fetch(`http://127.0.0.1:${metrics}/metrics`, { headers: { connection: 'close' } }).then(
      (response) => response.text(),
    );
    const socket = connect(this.ports.get('wyoming') ?? 0, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('{"type": "describe"}\n');
    await new Promise((resolve) => {
      socket.once('data', resolve);
      socket.once('close', resolve);
    });
    socket.destroy();
  }

  async size(): Promise<Size> {
    const { pid } = this;
    const { rssMb, peakMb, files } = await sizeOf(pid);
    return {
      ...{ rssMb, peakMb, descriptors: files },
      children: (await ofParent(pid)).length,
      cpuSeconds: await cpuSeconds(pid),
    };
  }

  /** Nothing that it accepted is under way. */
  async delivered(): Promise<void> {
    await this.until('all has arrived', () => this.missing().length === 0);
  }

  missing(): string[] {
    return this.accepted.flatMap(({ id }) =>
      ['transcript', 'intent'].flatMap((topic) =>
        this.arrived.get(id)?.includes(topic) === true ? [] : [`${topic} ${id}`],
      ),
    );
  }

  /** Status of its end, and the processes that it left behind. */
  async stop(): Promise<{ status: number | null; left: number }> {
    const { pid } = this;
    const closed = new Promise<number | null>((resolve) => this.child.once('close', resolve));
    this.leave.abort();
    process.kill(pid, 'SIGTERM');
    const status = await closed;
    return { status, left: (await ofGroup(pid)).length };
  }

  async remove(): Promise<void> {
    if (this.child.exitCode === null) this.child.kill('SIGKILL');
    await this.subscriber.close();
    await this.broker.close();
    await this.repository.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  private said(text: string): void {
    this.onLine(text);
    this.last.push(text);
    if (this.last.length > lastLines) this.last.shift();
    const line = JSON.parse(text) as Line;
    const event = String(line['event']);
    this.happened(event);
    if (line['level'] === 'error' || Number(line['level']) >= 50) this.errors.push(text);
    if (event === 'heard.accepted')
      this.accepted.push({
        id: String(line['id']),
        intent: String(line['intent']),
        latencyMs: Number(line['latencyMs']),
      });
    if (event === 'heard.rejected') this.rejected++;
    if (event === 'http.listening') this.ports.set(String(line['name']), Number(line['port']));
    if (event === 'wyoming.listening') this.ports.set('wyoming', Number(line['port']));
  }

  private happened(event: string): void {
    this.events.set(event, this.count(event) + 1);
  }

  private came(topic: string, text: string, retained: boolean): void {
    // Kept ones may be of the connection before.
    if (topic === on('state') && !retained && text.includes('online')) this.happened(online);
    const [, kind] = /\/(transcript|intent)(?:\/|$)/.exec(topic) ?? [];
    if (kind !== undefined) {
      const { id } = JSON.parse(text) as { id: string };
      this.arrived.set(id, [...(this.arrived.get(id) ?? []), kind]);
    }
    if (topic.includes('/response/')) {
      const answer = JSON.parse(text) as Line;
      this.answers.set(String(answer['transaction']), answer);
    }
    // The subscriber keeps all that came: of a day that would be much.
    this.subscriber.messages.splice(0);
  }

  /** A browser that follows. */
  private async watchPage(): Promise<void> {
    const { signal } = this.leave;
    await this.until('the page', () => this.ports.has('page'));
    try {
      const url = `http://127.0.0.1:${this.ports.get('page')}/api/events`;
      const reader = (await fetch(url, { signal })).body?.getReader();
      while ((await reader?.read())?.done === false);
    } catch (error) {
      if (!signal.aborted) this.errors.push(`the page: ${String(error)}`);
    }
  }
}

/** pid of each process for which the fields after its name in /proc/PID/stat satisfy. */
async function processes(wanted: (fields: readonly string[]) => boolean): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return wanted(fields) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

const ofParent = (pid: number) => processes((fields) => Number(fields[1]) === pid);
const ofGroup = (pid: number) =>
  processes((fields) => Number(fields[2]) === pid || Number(fields[3]) === pid);
