import { spawn, type ChildProcess } from 'node:child_process';
import type { Clock } from '../../runtime/clock.js';

/** A process that even SIGKILL does not end is let go after this. */
const letGoMs = 1000;
const keptErrorBytes = 1024;

export interface OneProgramOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly limitMs: number;
  readonly clock: Clock;
  /** Just before it is started; the function given back is called when it is over. */
  readonly onStart?: () => () => void;
  /** Why it did not do its work, or null when it did. */
  readonly onEnd: (why: string | null) => void;
}

/**
 * A program started without a shell, given something to read, with a time limit. One at a time: of what comes
 * meanwhile the newest waits. It is ended with the processes that it started, also when it ends by itself.
 */
export class OneProgram {
  private running: { readonly child: ChildProcess; readonly over: Promise<void> } | null = null;
  private next: string | Uint8Array | null = null;
  private closed = false;

  constructor(private readonly options: OneProgramOptions) {}

  give(input: string | Uint8Array): void {
    if (this.closed) return;
    if (this.running !== null) this.next = input;
    else this.start(input);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.next = null;
    if (this.running === null) return;
    killAll(this.running.child);
    await this.running.over;
  }

  private start(input: string | Uint8Array): void {
    const { command, args, onStart } = this.options;
    const onOver = onStart?.();
    // A group of its own, and nothing of this process's secrets in its environment.
    const child = spawn(command, args, {
      detached: true,
      cwd: '/',
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LANG: process.env['LANG'] },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    const over = this.watch(child).then((why) => {
      this.running = null;
      onOver?.();
      if (this.closed) return;
      this.options.onEnd(why);
      const { next } = this;
      this.next = null;
      if (next !== null) this.start(next);
    });
    this.running = { child, over };
    // A program that does not read is no fault.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  }

  /** Resolves when it is over, with what was wrong. */
  private watch(child: ChildProcess): Promise<string | null> {
    const { limitMs, clock, command } = this.options;
    let errors = '';
    let late = false;
    child.stderr?.on('data', (part: Buffer) => {
      errors = (errors + part.toString()).slice(-keptErrorBytes);
    });
    return new Promise((resolve) => {
      let cancelLetGo: () => void = () => undefined;
      const end = (why: string | null) => {
        cancelLimit();
        cancelLetGo();
        child.stderr?.destroy();
        resolve(why);
      };
      const ended = (status: number | null, signal: NodeJS.Signals | null) => {
        const said = errors.trim().split('\n').at(-1) ?? '';
        const how = status === null ? `by ${String(signal)}` : `with status ${status}`;
        if (late) end(`not done within ${limitMs} ms, and ended`);
        else end(status === 0 ? null : `ended ${how}${said === '' ? '' : `: ${said}`}`);
      };
      const letGo = (status: number | null, signal: NodeJS.Signals | null) => {
        cancelLetGo();
        cancelLetGo = clock.after(letGoMs, () => ended(status, signal));
      };
      const cancelLimit = clock.after(limitMs, () => {
        late = true;
        killAll(child);
        letGo(null, 'SIGKILL');
      });
      child.once('error', (error: NodeJS.ErrnoException) =>
        end(error.code === 'ENOENT' ? `${command} is not there` : error.message),
      );
      child.once('exit', (status, signal) => {
        killAll(child);
        letGo(status, signal);
      });
      child.once('close', ended);
    });
  }
}

function killAll({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // None is left.
  }
}
