import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { codeOf, KikitoriError } from '../../runtime/errors.js';
import { isAlive } from '../../runtime/is-alive.js';

/** Where the Python trainer is, and what it is called with. */
export interface Trainer {
  readonly python: string;
  /** The folder that holds `kikitori_trainer`. */
  readonly folder: string;
  /** A TOML file of it: data, augmentation, sampling. */
  readonly config: string;
  /** Every line that it prints. */
  readonly log: (line: string) => void;
}

export interface TrainerRun {
  readonly command: 'prepare' | 'fit';
  readonly config: string;
  /** Killed after this. */
  readonly secondsMax: number;
  /** A file that holds the id of the process while it runs. */
  readonly pidFile: string;
  /** What a line of its log says. */
  readonly onStep?: (step: { readonly step: number; readonly minutes: number }) => void;
}

/** A trainer of a search that was killed goes when its parent is gone; this long is waited for it. */
const leftoverMs = 10_000;
const lastLines = 8;

/** Runs the trainer to its end, in a process group of its own that ends with this process. */
export async function runTrainer(trainer: Trainer, run: TrainerRun): Promise<void> {
  const { python, folder } = trainer;
  const module = join(folder, 'kikitori_trainer');
  if ((await stat(module).catch(() => undefined)) === undefined) {
    throw new KikitoriError('the trainer is not here', {
      kind: 'input',
      where: module,
      expected: "the folder kikitori_trainer of this project's repository",
      hint: 'give --trainer DIR',
    });
  }
  await waitForLeftover(run.pidFile);
  const argv = ['-u', '-m', 'kikitori_trainer', run.command, run.config];
  const path = [folder, process.env['PYTHONPATH'] ?? ''].filter((p) => p !== '').join(delimiter);
  const child = spawn(python, [...argv, '--with-parent', `${process.pid}`], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONPATH: path },
  });
  if (child.pid !== undefined) await atomicWrite(run.pidFile, `${child.pid}\n`, 0o644);
  const said: string[] = [];
  const read = (stream: NodeJS.ReadableStream) =>
    createInterface({ input: stream }).on('line', (line) => {
      trainer.log(line);
      const step = stepOf(line);
      if (step !== undefined) return run.onStep?.(step);
      said.push(line);
      if (said.length > lastLines) said.shift();
    });
  read(child.stdout);
  read(child.stderr);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, run.secondsMax * 1000);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (status !== 0) throw failed(run, late, status, said);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new KikitoriError(`there is no program "${python}"`, {
      kind: 'input',
      hint: 'install Python 3 and PyTorch (trainer/README.md), or give --python',
    });
  } finally {
    clearTimeout(timer);
  }
}

function failed(run: TrainerRun, late: boolean, status: number | null, said: readonly string[]) {
  const how = late
    ? `did not end within ${Math.round(run.secondsMax / 60)} minutes`
    : `ended with status ${status ?? 'of a signal'}`;
  return new KikitoriError(`the trainer ${how}: ${said.join(' | ') || 'it said nothing'}`, {
    kind: 'input',
    where: run.config,
    hint: 'search.log has all that it said',
  });
}

function stepOf(line: string): { step: number; minutes: number } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { step, minutes } = JSON.parse(line) as { step?: unknown; minutes?: unknown };
    return typeof step === 'number' && typeof minutes === 'number' ? { step, minutes } : undefined;
  } catch {
    return undefined;
  }
}

async function waitForLeftover(pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  for (let waitedMs = 0; isAlive(pid) && (await isTrainer(pid)); waitedMs += 200) {
    if (waitedMs >= leftoverMs)
      throw new KikitoriError(`a trainer of this search still runs as process ${pid}`, {
        kind: 'input',
        where: pidFile,
      });
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Process ids are used again: another program of that number is none of ours. */
async function isTrainer(pid: number): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return command.includes('kikitori_trainer');
}

export interface FineTuning {
  /** The configuration with data, augmentation and sampling. */
  readonly base: string;
  readonly out: string;
  readonly start: string;
  readonly teacher: string;
  /** Share of the loss that is the divergence from the teacher's posteriors; 0: CTC alone, no teacher. */
  readonly distillation: number;
  readonly quantised: boolean;
  readonly minutes: number;
  readonly steps: number;
  readonly learningRate: number;
}

/** The trainer's file for one fine-tuning: what is lost and how it is learned, all else from the base. */
export function fineTuningToml(f: FineTuning): string {
  const text = (value: string) => JSON.stringify(value);
  return `# Written by kikitori model search.
base = ${text(f.base)}
out = ${text(f.out)}
start = ${text(f.start)}

[distillation]
teacher = ${text(f.distillation > 0 ? f.teacher : '')}
weight = ${f.distillation}

[sampling]
warmupBatches = 0

[quantisation]
enabled = ${f.quantised}

[training]
steps = ${f.steps}
minutes = ${f.minutes}
learningRate = ${f.learningRate}
warmupSteps = ${Math.min(f.quantised ? 20 : 50, Math.ceil(f.steps / 10))}
holdShare = 0.2
${f.quantised ? '# float32 products hold 8-bit integers exactly\nbf16 = false\n' : ''}`;
}
