/** A microphone for tests: a recorder program first in PATH that does what each start is told to. */
import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeWav } from '../../src/audio/index.js';
import { patienceMs } from './patience.js';

const program = fileURLToPath(new URL('mic-program.js', import.meta.url));

/** What one start of the recorder does. */
export interface MicRun {
  /** WAV files (16 kHz mono) and pauses in ms, one after the other; a negative pause is digital silence. */
  readonly play?: readonly (string | number)[];
  /** Constant samples, one a channel, instead of sound. */
  readonly value?: readonly number[];
  readonly channels?: number;
  readonly noisePeak?: number;
  /** After the last item. */
  readonly then?: 'noise' | 'zeros' | 'end';
  /** As fast as it goes, instead of in real time. */
  readonly fast?: boolean;
  /** Breaks down after this much audio. */
  readonly afterMs?: number;
  /** none: only what it says on stderr. */
  readonly fault?: 'exit' | 'kill' | 'stall' | 'flood' | 'none';
  readonly status?: number;
  readonly stderr?: string;
  /** As arecord: what finds no room in the pipe is lost, and that is said. */
  readonly overruns?: boolean;
  /** Does not care for SIGTERM. */
  readonly deaf?: boolean;
}

export class MicSim {
  private saidCount = 0;

  private constructor(
    readonly folder: string,
    /** For the process that records. */
    readonly env: Readonly<Record<string, string>>,
  ) {}

  /** One entry a start; the last one is for all starts after it. */
  static async create(...runs: MicRun[]): Promise<MicSim> {
    const folder = await mkdtemp(join(tmpdir(), 'kikitori-mic-'));
    await mkdir(join(folder, 'bin'));
    for (const name of ['arecord', 'rec', 'sox']) {
      const path = join(folder, 'bin', name);
      await writeFile(path, `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
      await chmod(path, 0o755);
    }
    const mic = new MicSim(folder, {
      KIKITORI_MIC_SIM: folder,
      PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`,
    });
    await mic.set(...runs);
    return mic;
  }

  async set(...runs: MicRun[]): Promise<void> {
    await writeFile(join(this.folder, 'runs.json'), JSON.stringify(runs));
  }

  /** Says it now, into the recorder that runs. */
  async say(samples: Float32Array): Promise<void> {
    const path = join(this.folder, `said-${this.saidCount++}.wav`);
    await writeFile(path, encodeWav(samples, 16000));
    await appendFile(join(this.folder, 'say.txt'), `${path}\n`);
  }

  /** All that was said so far is in the pipe, which a busy machine does later than the clock says. */
  async played(): Promise<void> {
    const last = join(this.folder, `said-${this.saidCount - 1}.wav`);
    await until('it is said', async () =>
      (await readFile(join(this.folder, 'played.txt'), 'utf8').catch(() => '')).includes(last),
    );
  }

  /** Every start of the recorder so far. */
  async starts(): Promise<
    { pid: number; args: string[]; soxOptions?: string; audioDevice?: string }[]
  > {
    const text = await readFile(join(this.folder, 'starts.jsonl'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map(
        (line) =>
          JSON.parse(line) as {
            pid: number;
            args: string[];
            soxOptions?: string;
            audioDevice?: string;
          },
      );
  }

  /** When recorders broke down or fell silent, Unix ms, oldest first. */
  async marks(): Promise<{ what: 'broke' | 'zeros' | 'sound'; atMs: number }[]> {
    const text = await readFile(join(this.folder, 'marks.jsonl'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { what: 'broke' | 'zeros' | 'sound'; atMs: number });
  }

  /** Recorders that still run: none may be left behind. */
  async alive(): Promise<number[]> {
    return (await this.starts()).map((s) => s.pid).filter(isAlive);
  }

  /** Puts the recorder into the environment of this process too, for capture in the same process. */
  install(): () => void {
    const before = { ...process.env };
    Object.assign(process.env, this.env);
    return () => {
      process.env['PATH'] = before['PATH'];
      delete process.env['KIKITORI_MIC_SIM'];
    };
  }

  async remove(): Promise<void> {
    for (const pid of await this.alive()) process.kill(pid, 'SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Resolves when `condition` holds; looks often, gives up late: what it waits for has its own time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const giveUp = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > giveUp) throw new Error(`waited ${patienceMs / 1000} s for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
