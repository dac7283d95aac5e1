import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../runtime/atomic-write.js';
import { codeOf } from '../runtime/errors.js';
import type { Letter } from './letter-file.js';

/** What a person finds in the file: one JSON object a line. */
export interface Rejected extends Letter {
  readonly setAsideAt: string;
  readonly why: string;
}

/** Of one file; there is one before it, so twice this is kept. */
const fileBytesMax = 1_000_000;
const newline = 0x0a;

export const setAsideName = 'set-aside.log';

/**
 * Letters that no broker took, kept for a person: they are not sent again. When the file is full it
 * becomes `set-aside.log.1`, and what that one held is gone.
 */
export class SetAside {
  private constructor(
    private readonly dir: string,
    private readonly maxBytes: number,
    private lines: { current: number; before: number },
    private bytes: number,
    /** The file ends in a line that a power cut left unfinished. */
    private torn: boolean,
  ) {}

  /** A file that cannot be read counts as empty; nothing that is said stands in the way of the start. */
  static async open(dir: string, maxBytes = fileBytesMax): Promise<SetAside> {
    const path = join(dir, setAsideName);
    const [current, before] = await Promise.all([read(path), read(`${path}.1`)]);
    return new SetAside(
      dir,
      maxBytes,
      { current: linesIn(current), before: linesIn(before) },
      current.length,
      current.length > 0 && current.at(-1) !== newline,
    );
  }

  get path(): string {
    return join(this.dir, setAsideName);
  }

  /** Letters in both files. */
  get count(): number {
    return this.lines.current + this.lines.before;
  }

  /** On the disk when it resolves. One at a time. */
  async add(letter: Rejected): Promise<void> {
    const text = `${JSON.stringify(letter)}\n`;
    if (this.bytes > 0 && this.bytes + Buffer.byteLength(text) > this.maxBytes) {
      await rename(this.path, `${this.path}.1`);
      this.lines = { current: 0, before: this.lines.current };
      this.bytes = 0;
      this.torn = false;
    }
    const line = Buffer.from(`${this.torn ? '\n' : ''}${text}`);
    const file = await open(this.path, 'a', 0o600);
    try {
      await file.appendFile(line);
      await file.sync();
    } catch (error) {
      // A line that is cut off must not run into the next.
      await file.truncate(this.bytes).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
    if (this.bytes === 0) await syncFolder(this.dir);
    this.bytes += line.length;
    this.torn = false;
    this.lines = { ...this.lines, current: this.lines.current + 1 };
  }
}

/** Of earlier runs and this one, without opening anything for writing. */
export async function setAsideIn(dir: string): Promise<number> {
  return (await SetAside.open(dir)).count;
}

async function read(path: string): Promise<Buffer> {
  return readFile(path).catch((error: unknown) => {
    if (codeOf(error) === undefined) throw error;
    return Buffer.alloc(0);
  });
}

function linesIn(data: Buffer): number {
  let count = 0;
  for (let at = data.indexOf(newline); at >= 0; at = data.indexOf(newline, at + 1)) count++;
  return count;
}
