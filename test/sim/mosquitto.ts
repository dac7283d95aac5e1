/** A real mosquitto with its own port and folder, that a test may stop, kill, freeze and bring back. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { patienceMs } from './patience.js';

const program = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find((p) => existsSync(p));

/**
 * Below the ports that Linux gives to whoever names none (from 32,768): no connection and no server of another test
 * takes one between the look and its use. Each process begins elsewhere.
 */
const ports = { from: 10_000, count: 20_000 };
let nextPort = process.pid * 61;

/** A port at which nobody listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = ports.from + (nextPort++ % ports.count);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise<void>((resolve) => server.close(() => resolve()));
    return port;
  }
}

export interface MosquittoOptions {
  /** Lines of mosquitto.conf besides the listener; `{folder}` is replaced. */
  readonly config?: readonly string[];
  readonly scheme?: 'mqtt' | 'mqtts';
  /** Files put into its folder before it starts. */
  readonly files?: Readonly<Record<string, string>>;
  /** false: only the port and the folder, nothing listens until `start()`. */
  readonly started?: boolean;
}

export class Mosquitto {
  private child: ChildProcess | null = null;
  private output = '';

  private constructor(
    readonly port: number,
    readonly folder: string,
    readonly url: string,
  ) {}

  static async open(options: MosquittoOptions = {}): Promise<Mosquitto> {
    const folder = await mkdtemp(join(tmpdir(), 'kikitori-broker-'));
    const port = await freePort();
    for (const [name, content] of Object.entries(options.files ?? {}))
      await writeFile(join(folder, name), content, { mode: 0o600 });
    const lines = [
      `listener ${port} 127.0.0.1`,
      'user root', // started as root it would become mosquitto, who may not read this folder
      'log_dest stderr',
      ...(options.config ?? ['allow_anonymous true']),
    ].map((line) => line.replaceAll('{folder}', folder));
    await writeFile(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`);
    const broker = new Mosquitto(port, folder, `${options.scheme ?? 'mqtt'}://127.0.0.1:${port}`);
    if (options.started !== false) await broker.start();
    return broker;
  }

  async start(): Promise<void> {
    if (program === undefined) throw new Error('mosquitto is not installed');
    const child = spawn(program, ['-c', join(this.folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child = child;
    child.stderr?.on('data', (part: Buffer) => {
      this.output = (this.output + part.toString()).slice(-4096);
    });
    const until = performance.now() + patienceMs;
    while (!(await this.answers())) {
      if (child.exitCode !== null || performance.now() > until)
        throw new Error(`mosquitto did not start: ${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** SIGTERM: says goodbye and, with persistence, saves. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGCONT');
    child.kill(signal);
    await closed;
  }

  async kill(): Promise<void> {
    await this.stop('SIGKILL');
  }

  /** It reads its access list again. */
  hangUp(): void {
    this.child?.kill('SIGHUP');
  }

  /** Connections stay and nothing answers. */
  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  private answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  }
}

export interface Message {
  readonly topic: string;
  readonly text: string;
  readonly json: Record<string, unknown>;
  readonly retained: boolean;
  readonly qos: number;
}

/** A subscriber that remembers all and can wait for what comes. */
export class Subscriber {
  readonly messages: Message[] = [];
  private wake: () => void = () => undefined;

  private constructor(readonly client: MqttClient) {
    client.on('message', (topic, payload, packet) => {
      const text = payload.toString();
      let json: Record<string, unknown> = {};
      try {
        json = JSON.parse(text) as Record<string, unknown>;
      } catch {
        // Not everything that a test sends is JSON.
      }
      this.messages.push({ topic, text, json, retained: packet.retain, qos: packet.qos });
      this.wake();
    });
    client.on('error', () => undefined);
  }

  static async open(url: string, topic = '#', options: IClientOptions = {}): Promise<Subscriber> {
    const client = mqtt.connect(url, { reconnectPeriod: 200, connectTimeout: 5000, ...options });
    const subscriber = new Subscriber(client);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no connection')), patienceMs);
      client.once('connect', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    await client.subscribeAsync(topic, { qos: 1 });
    return subscriber;
  }

  /** The first message, also of those already here, that satisfies; fails after the limit. */
  async find(wanted: (m: Message) => boolean, limitMs = patienceMs): Promise<Message> {
    const found = await this.until(() => this.messages.find(wanted), limitMs);
    if (found === undefined)
      throw new Error(
        `no such message within ${limitMs} ms; got ${this.messages.map((m) => `${m.topic} ${m.text}`).join('\n')}`,
      );
    return found;
  }

  async until<T>(look: () => T | undefined | false, limitMs = patienceMs): Promise<T | undefined> {
    const end = performance.now() + limitMs;
    for (;;) {
      const found = look();
      if (found !== undefined && found !== false) return found;
      const leftMs = end - performance.now();
      if (leftMs <= 0) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, 200));
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  topics(topic: string): Message[] {
    return this.messages.filter((m) => m.topic === topic);
  }

  async publish(topic: string, value: unknown, retain = false): Promise<void> {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    await this.client.publishAsync(topic, text, { qos: 1, retain });
  }

  async close(): Promise<void> {
    await this.client.endAsync(true);
  }
}
