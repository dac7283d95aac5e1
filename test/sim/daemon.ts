/** The daemon as it ships, in a process of its own, with a stand-in recorder and a folder of its own. */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import mqtt, { type MqttClient } from 'mqtt';
import { contractFaultOf } from './schemas.js';
import type { MicSim } from './mic-sim.js';
import { Child } from './process.js';
import { patienceMs } from './patience.js';

export const program = fileURLToPath(new URL('../../bin/kikitori.js', import.meta.url));

/** Tests of the program need it built; ./scripts/test does that first. */
export const builtAlready = existsSync(
  fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url)),
);

const leaveLimitMs = 5000;
const everything = 'kikitori/board/#';

export interface DaemonOptions {
  readonly url: string;
  readonly model: string;
  readonly grammar: string;
  readonly mic?: MicSim;
  readonly capture?: Readonly<Record<string, unknown>>;
  readonly recognizer?: Readonly<Record<string, unknown>>;
  readonly log?: Readonly<Record<string, unknown>>;
  readonly update?: Readonly<Record<string, unknown>>;
  readonly metrics?: Readonly<Record<string, unknown>>;
  readonly wyoming?: Readonly<Record<string, unknown>>;
  readonly feedback?: Readonly<Record<string, unknown>>;
  /** Keys of `publish` besides the broker's address. */
  readonly publish?: Readonly<Record<string, unknown>>;
  readonly page?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of node itself. */
  readonly nodeArgs?: readonly string[];
  /** false: nobody else may connect to this broker, and what is published is not held against the contract. */
  readonly watched?: false;
}

export class Daemon {
  private constructor(
    readonly folder: string,
    readonly grammarPath: string,
    readonly configPath: string,
    readonly child: Child,
    private readonly watch: ContractWatch | null,
  ) {}

  static async start(options: DaemonOptions, folder?: string): Promise<Daemon> {
    const own = folder ?? (await mkdtemp(join(tmpdir(), 'kikitori-daemon-')));
    const grammarPath = join(own, 'sentences.yaml');
    const configPath = join(own, 'config.json');
    await writeFile(grammarPath, options.grammar);
    await writeFile(
      configPath,
      JSON.stringify({
        device: { id: 'board' },
        model: { path: options.model },
        grammar: { path: grammarPath },
        capture: { stallAfterMs: '20s', backoffMinMs: 100, backoffMaxMs: 500, ...options.capture },
        recognizer: options.recognizer ?? {},
        publish: { healthMs: '1s', mqtt: { url: options.url }, ...options.publish },
        update: options.update ?? {},
        metrics: options.metrics ?? {},
        wyoming: options.wyoming ?? {},
        feedback: options.feedback ?? {},
        page: options.page ?? {},
        state: { dir: join(own, 'state') },
        log: options.log ?? {},
      }),
    );
    const child = Child.node(
      [...(options.nodeArgs ?? []), program, 'run', '--config', configPath],
      {
        ...options.mic?.env,
        ...options.env,
      },
    );
    const watch = options.watched === false ? null : new ContractWatch(options.url, child.child);
    return new Daemon(own, grammarPath, configPath, child, watch);
  }

  /** Log lines with this event so far. */
  events(name: string): Record<string, unknown>[] {
    return this.child.lines
      .filter((line) => line.includes(`"event":"${name}"`))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async event(name: string, times = 1): Promise<Record<string, unknown>> {
    const end = performance.now() + patienceMs;
    for (;;) {
      const found = this.events(name)[times - 1];
      if (found !== undefined) return found;
      if (performance.now() > end || this.child.over)
        throw new Error(
          `no ${name} in the log:\n${this.child.lines.slice(-30).join('\n')}\n${this.child.errors}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async outbox(): Promise<string> {
    return readFile(join(this.folder, 'state', 'outbox'), 'utf8').catch(() => '');
  }

  /** Rejects when something that it published was not as docs/mqtt says. */
  async remove(): Promise<void> {
    await this.child.kill();
    await rm(this.folder, { recursive: true, force: true });
    await this.watch?.ended;
    const faults = [...(this.watch?.faults ?? [])].slice(0, 5);
    if (faults.length > 0) throw new Error(`not as docs/mqtt says:\n${faults.join('\n')}`);
  }
}

/** Everything that a daemon publishes while its broker is there, held against the contract. */
class ContractWatch {
  readonly faults = new Set<string>();
  /** When the daemon has ended and what it said has come. */
  readonly ended: Promise<void>;
  private readonly client: MqttClient;

  constructor(url: string, daemon: ChildProcess) {
    this.client = mqtt.connect(url, { reconnectPeriod: 500 });
    this.client.on('error', () => undefined);
    this.client.on('connect', () => this.client.subscribe(everything, { qos: 1 }));
    this.client.on('message', (topic, payload, { qos, retain: retained }) => {
      const text = payload.toString();
      // What a test asks may be wrong on purpose; an empty payload clears a retained message.
      if (topic.startsWith('kikitori/board/request/') || text === '') return;
      try {
        const json = JSON.parse(text) as Record<string, unknown>;
        const fault = contractFaultOf({ topic, text, json, qos, retained });
        if (fault !== '') this.faults.add(fault);
      } catch {
        this.faults.add(`${topic} is not JSON: ${text}`);
      }
    });
    this.ended = new Promise((resolve) =>
      daemon.once('close', () => void this.leave().finally(resolve)),
    );
  }

  /** The broker answers an unsubscription after what came before it. */
  private async leave(): Promise<void> {
    const limit = new Promise((resolve) => setTimeout(resolve, leaveLimitMs).unref());
    if (this.client.connected)
      await Promise.race([this.client.unsubscribeAsync(everything), limit]).catch(() => undefined);
    await this.client.endAsync(true);
  }
}
