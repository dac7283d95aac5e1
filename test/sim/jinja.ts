/** Jinja, the templates of Home Assistant, by Debian's python3-jinja2 in a process of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const python = '/usr/bin/python3';
const program = fileURLToPath(new URL('jinja.py', import.meta.url));

/** Why a test that needs Jinja is skipped; false when it is there. Under CI its absence is a failure. */
export function noJinja(): string | false {
  const there = spawnSync(python, ['-c', 'import jinja2']).status === 0;
  return there || process.env['CI'] === 'true' ? false : 'no python3-jinja2';
}

export class Jinja {
  private readonly child = spawn(python, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
  private readonly waiting: ((line: string) => void)[] = [];

  constructor() {
    createInterface({ input: this.child.stdout }).on('line', (line) =>
      this.waiting.shift()?.(line),
    );
  }

  /** `value` is a message, `state` what the entity is until then. */
  async render(template: string, value: string, state = 'unknown'): Promise<string> {
    const answer = new Promise<string>((resolve) => this.waiting.push(resolve));
    this.child.stdin.write(`${JSON.stringify({ template, value, state })}\n`);
    const { text, error } = JSON.parse(await answer) as { text?: string; error?: string };
    if (text === undefined) throw new Error(`${template}: ${error ?? ''}: ${value}`);
    return text;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.child.once('close', resolve));
    this.child.stdin.end();
    await closed;
  }
}
