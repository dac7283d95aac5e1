/** The daemon as it ships, in a process of its own, with a stand-in recorder and a folder of its own. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MicSim } from './mic-sim.js';
import { Child } from './process.js';

export const program = fileURLToPath(new URL('../../bin/kikitori.js', import.meta.url));

/** Tests of the program need it built; ./scripts/test does that first. */
export const builtAlready = existsSync(
  fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url)),
);

/** Generous: the machine may be busy. */
const eventLimitMs = 180_000;

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
  readonly env?: Readonly<Record<string, string>>;
}

export class Daemon {
  private constructor(
    readonly folder: string,
    readonly grammarPath: string,
    readonly configPath: string,
    readonly child: Child,
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
        publish: { healthMs: '1s', mqtt: { url: options.url } },
        update: options.update ?? {},
        metrics: options.metrics ?? {},
        state: { dir: join(own, 'state') },
        log: options.log ?? {},
      }),
    );
    const child = Child.node([program, 'run', '--config', configPath], {
      ...options.mic?.env,
      ...options.env,
    });
    return new Daemon(own, grammarPath, configPath, child);
  }

  /** Log lines with this event so far. */
  events(name: string): Record<string, unknown>[] {
    return this.child.lines
      .filter((line) => line.includes(`"event":"${name}"`))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async event(name: string, times = 1): Promise<Record<string, unknown>> {
    const end = performance.now() + eventLimitMs;
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

  async remove(): Promise<void> {
    await this.child.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}
