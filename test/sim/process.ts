/** A child process of a test: its lines are remembered and can be waited for; it ends with the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { patienceMs } from './patience.js';

export class Child {
  readonly lines: string[] = [];
  errors = '';
  private wake: () => void = () => undefined;
  private readonly ended: Promise<number | null>;
  over = false;

  private constructor(readonly child: ChildProcess) {
    let rest = '';
    child.stdout?.on('data', (part: Buffer) => {
      const pieces = (rest + part.toString()).split('\n');
      rest = pieces.pop() ?? '';
      this.lines.push(...pieces);
      this.wake();
    });
    child.stderr?.on('data', (part: Buffer) => {
      this.errors = (this.errors + part.toString()).slice(-20_000);
    });
    this.ended = new Promise((resolve) =>
      child.once('close', (status) => {
        this.over = true;
        this.wake();
        resolve(status);
      }),
    );
  }

  /** Node as it ships: tap loads itself into every process that it sees begin, which costs 30 MB and its time. */
  static node(args: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
    return Child.run('env', ['-u', 'NODE_OPTIONS', process.execPath, ...args], env);
  }

  static run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
    return new Child(
      spawn(program, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, TAP: undefined, ...env },
      }),
    );
  }

  /** The first line that contains the text, from line `from` on; fails when there is none for long, or the process ends. */
  async line(text: string | RegExp, from = 0): Promise<string> {
    const end = performance.now() + patienceMs;
    for (;;) {
      const found = this.lines
        .slice(from)
        .find((line) => (typeof text === 'string' ? line.includes(text) : text.test(line)));
      if (found !== undefined) return found;
      const leftMs = end - performance.now();
      if (leftMs <= 0 || this.over)
        throw new Error(
          `no line ${String(text)}${this.over ? ', the process has ended' : ''}; got\n${this.lines.slice(-40).join('\n')}\n${this.errors}`,
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, 500));
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async exit(): Promise<number | null> {
    return this.ended;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    if (!this.over) this.child.kill(signal);
    return this.ended;
  }
}
