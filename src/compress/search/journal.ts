import { open, readFile } from 'node:fs/promises';
import { codeOf, KikitoriError } from '../../runtime/errors.js';

interface Line {
  readonly key: string;
  readonly seconds: number;
  readonly value: unknown;
}

/**
 * What is finished, one line a stage, each safe on disk before the next stage begins. Opened again, the
 * stages that are in it are not done again; a line cut off in the middle is a stage that is not finished.
 */
export class Journal {
  private readonly lines = new Map<string, Line>();

  private constructor(
    private readonly path: string,
    private readonly nowMs: () => number,
  ) {}

  /** @throws when the journal there is of a search with other settings. */
  static async open(
    path: string,
    settings: Readonly<Record<string, unknown>>,
    nowMs: () => number,
  ): Promise<Journal> {
    const journal = new Journal(path, nowMs);
    const [first, ...rest] = await readLines(path);
    if (first === undefined) {
      await journal.append({ format: 1, settings });
      return journal;
    }
    journal.compare((first as { settings?: Record<string, unknown> }).settings ?? {}, settings);
    for (const line of rest as Line[]) journal.lines.set(line.key, line);
    return journal;
  }

  has(key: string): boolean {
    return this.lines.has(key);
  }

  /** How long a stage took when it was done. */
  secondsOf(key: string): number | undefined {
    return this.lines.get(key)?.seconds;
  }

  /** The value of a stage; `make` runs when it is not there yet. Values go through JSON. */
  async once<T>(key: string, make: () => Promise<T>): Promise<T> {
    const known = this.lines.get(key);
    if (known !== undefined) return known.value as T;
    const beginMs = this.nowMs();
    const value = await make();
    const seconds = Number(((this.nowMs() - beginMs) / 1000).toFixed(2));
    const line = { key, seconds, value };
    await this.append(line);
    this.lines.set(key, line);
    return value;
  }

  private async append(line: object): Promise<void> {
    const file = await open(this.path, 'a', 0o644);
    try {
      // After a line that was cut off, this begins a new one.
      await file.appendFile(`\n${JSON.stringify(line)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  private compare(
    old: Readonly<Record<string, unknown>>,
    now: Readonly<Record<string, unknown>>,
  ): void {
    const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
    const faults = names.flatMap((name) => {
      const [was, is] = [old, now].map((s) => JSON.stringify(s[name]) ?? 'nothing');
      return was === is ? [] : [`${name} was ${was ?? ''}, is ${is ?? ''}`];
    });
    if (faults.length === 0) return;
    throw new KikitoriError(`another search is in this folder: ${faults.join('; ')}`, {
      kind: 'usage',
      where: this.path,
      hint: 'give the options that it began with, or another --out',
    });
  }
}

async function readLines(path: string): Promise<unknown[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line) as unknown];
    } catch {
      return [];
    }
  });
}
