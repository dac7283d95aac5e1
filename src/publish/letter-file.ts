import { createHash } from 'node:crypto';
import { copyFile, link, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../runtime/atomic-write.js';

/** A message that must not be lost, exactly as it will be sent. */
export interface Letter {
  readonly topic: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Where a letter's line lies in the file. */
export interface Place {
  readonly offset: number;
  readonly bytes: number;
}

export interface FoundLetter extends Place {
  readonly number: number;
  /** Wall clock of its acceptance, Unix ms. */
  readonly acceptedAtMs: number;
}

/** What was in a file when it was opened. */
export interface Contents {
  /** In order of acceptance, without those that were done. */
  readonly letters: readonly FoundLetter[];
  /** No number up to this one may be used again. */
  readonly highest: number;
  /** Lines that were neither a letter nor done: the file was damaged. */
  readonly badLines: number;
}

interface Line {
  /** number of a letter */
  readonly n?: number;
  readonly at?: number;
  readonly topic?: string;
  readonly payload?: Readonly<Record<string, unknown>>;
  /** numbers of letters that the broker has */
  readonly done?: readonly number[];
}

const newline = 0x0a;
const readBytes = 1 << 20;
const lineBytesMax = 1 << 20;
const checkCharacters = 8;

/** Check of a line: eight hexadecimal digits of SHA-256. */
const checkOf = (json: string | Buffer) =>
  createHash('sha256').update(json).digest('hex').slice(0, checkCharacters);

const lineOf = (content: Line) => {
  const json = JSON.stringify(content);
  return `${checkOf(json)} ${json}\n`;
};

export const letterLine = (number: number, acceptedAtMs: number, { topic, payload }: Letter) =>
  lineOf({ n: number, at: acceptedAtMs, topic, payload });

export const doneLine = (numbers: readonly number[]) => lineOf({ done: numbers });

/** The content of a line without its newline, or undefined when it is not what was written. */
function parseLine(line: Buffer): Line | undefined {
  const json = line.subarray(checkCharacters + 1);
  if (line.toString('latin1', 0, checkCharacters) !== checkOf(json)) return undefined;
  try {
    const value: unknown = JSON.parse(json.toString('utf8'));
    return isLine(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isNumber = (value: unknown) => typeof value === 'number' && value >= 0;
const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A letter, or letters that are done. A right check alone says only that somebody wrote it. */
function isLine(value: unknown): value is Line {
  if (!isObject(value)) return false;
  const { n, at = 0, topic, payload, done } = value as Readonly<Record<string, unknown>>;
  if (done !== undefined) return Array.isArray(done) && done.every(isNumber);
  return isNumber(n) && typeof at === 'number' && typeof topic === 'string' && isObject(payload);
}

/**
 * An append-only file of letters and of letters that are done. Each line has its own check:
 *
 *     <check> {"n":7,"at":…,"topic":…,"payload":…}
 *     <check> {"done":[5,6]}
 *
 * A last line without its end is what a power cut leaves of a letter that was not accepted yet. Any other line that fails
 * its check is damage, and is counted.
 */
export class LetterFile {
  private constructor(
    readonly path: string,
    private handle: FileHandle,
    /** End of the last whole line: the next one is written here, over whatever a failed write left. */
    private end: number,
  ) {}

  /** Whether the file is sure to be found under its name after a loss of power. */
  private named = false;

  /** Opens or makes the file. A damaged one is moved to `asidePath`; its good letters go into a new file. */
  static async open(
    path: string,
    asidePath: string,
  ): Promise<{ file: LetterFile; contents: Contents }> {
    const handle = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return open(path, 'wx+', 0o600);
    });
    try {
      const { contents, end } = await scan(handle);
      const file = new LetterFile(path, handle, end);
      if (contents.badLines === 0) {
        await handle.truncate(end).catch(() => undefined);
        return { file, contents };
      }
      let letters = contents.letters;
      await file.rewrite(
        letters,
        (places) => {
          letters = letters.map((letter, i) => ({ ...letter, ...places[i] }));
        },
        asidePath,
      );
      return { file, contents: { ...contents, letters } };
    } catch (error) {
      await handle.close().catch(() => undefined);
      throw error;
    }
  }

  get bytes(): number {
    return this.end;
  }

  /** Appends whole lines; with `sync` they are on the disk when it resolves. A failure changes nothing. */
  async append(lines: readonly string[], sync: boolean): Promise<Place[]> {
    const data = Buffer.from(lines.join(''), 'utf8');
    try {
      await writeAll(this.handle, data, this.end);
      if (sync) {
        await this.handle.datasync();
        await this.keepName();
      }
    } catch (error) {
      await this.handle.truncate(this.end).catch(() => undefined);
      throw error;
    }
    let offset = this.end;
    const places = lines.map((line) => {
      const place = { offset, bytes: Buffer.byteLength(line) };
      offset += place.bytes;
      return place;
    });
    this.end = offset;
    return places;
  }

  async read({ offset, bytes }: Place): Promise<Letter | undefined> {
    const line = await readAt(this.handle, offset, bytes);
    const content = parseLine(line.subarray(0, -1));
    if (content?.topic === undefined || content.payload === undefined) return undefined;
    return { topic: content.topic, payload: content.payload };
  }

  /**
   * Replaces the file by one with only these letters. The old one is kept at `asidePath`, when given. `onSwapped` is called
   * at the moment from which only the new places hold.
   */
  async rewrite(
    letters: readonly Place[],
    onSwapped: (places: readonly Place[]) => void,
    asidePath?: string,
  ): Promise<void> {
    const temporary = `${this.path}.tmp`;
    const next = await open(temporary, 'w+', 0o600);
    const places: Place[] = [];
    let end = 0;
    try {
      for (const { offset, bytes } of letters) {
        await writeAll(next, await readAt(this.handle, offset, bytes), end);
        places.push({ offset: end, bytes });
        end += bytes;
      }
      await next.sync();
      if (asidePath !== undefined) await keep(this.path, asidePath);
      await rename(temporary, this.path);
    } catch (error) {
      await next.close().catch(() => undefined);
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    // From here on the old file has no name: what is written to it would be gone.
    const old = this.handle;
    this.handle = next;
    this.end = end;
    this.named = false;
    onSwapped(places);
    await old.close().catch(() => undefined);
    await this.keepName();
  }

  /** What is in a new file is on the disk when its name is, too. */
  private async keepName(): Promise<void> {
    if (this.named) return;
    await syncFolder(dirname(this.path));
    this.named = true;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

/** Under a second name, while the first one still holds: at no moment is there no file. */
async function keep(path: string, asidePath: string): Promise<void> {
  await rm(asidePath, { force: true });
  // A file system without links.
  await link(path, asidePath).catch(() => copyFile(path, asidePath));
}

async function writeAll(handle: FileHandle, data: Buffer, at: number): Promise<void> {
  for (let written = 0; written < data.length;) {
    const { bytesWritten } = await handle.write(data, written, data.length - written, at + written);
    written += bytesWritten;
  }
}

async function readAt(handle: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const line = Buffer.alloc(bytes);
  for (let got = 0; got < bytes;) {
    const { bytesRead } = await handle.read(line, got, bytes - got, offset + got);
    if (bytesRead === 0) break;
    got += bytesRead;
  }
  return line;
}

async function scan(handle: FileHandle): Promise<{ contents: Contents; end: number }> {
  const letters = new Map<number, FoundLetter>();
  const done = new Set<number>();
  let highest = 0;
  let badLines = 0;
  let end = 0;
  let rest = Buffer.alloc(0);
  let overlong = 0; // bytes of a line too long to be one of ours, not kept
  const chunk = Buffer.alloc(readBytes);
  for (let at = 0; ;) {
    const { bytesRead } = await handle.read(chunk, 0, readBytes, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    for (let stop = rest.indexOf(newline); stop >= 0; stop = rest.indexOf(newline)) {
      const content = overlong > 0 ? undefined : parseLine(rest.subarray(0, stop));
      const bytes = overlong + stop + 1;
      if (content?.done !== undefined) for (const n of content.done) done.add(n);
      else if (content?.n !== undefined)
        letters.set(content.n, {
          number: content.n,
          acceptedAtMs: content.at ?? 0,
          offset: end,
          bytes,
        });
      else badLines++;
      end += bytes;
      overlong = 0;
      rest = rest.subarray(stop + 1);
    }
    if (rest.length > lineBytesMax) {
      overlong += rest.length;
      rest = Buffer.alloc(0);
    }
  }
  for (const n of [...letters.keys(), ...done]) highest = Math.max(highest, n);
  const live = [...letters.values()].filter(({ number }) => !done.has(number));
  return {
    contents: { letters: live.sort((a, b) => a.number - b.number), highest, badLines },
    end,
  };
}
