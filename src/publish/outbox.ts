import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { makeFolder } from '../runtime/atomic-write.js';
import type { Clock } from '../runtime/clock.js';
import { isDiskTrouble } from '../runtime/disk-trouble.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { damagedPath, keepNewestDamaged } from './damaged.js';
import { doneLine, LetterFile, letterLine, type Letter, type Place } from './letter-file.js';

/** full: the byte limit. old: the age limit. disk: memory is full too while the disk takes nothing. */
export type DropReason = 'full' | 'old' | 'disk' | 'too-big' | 'damaged';

export interface OutboxOptions {
  readonly dir: string;
  /** Beyond this the oldest letters are dropped and counted. The file itself is at most twice this, and 4 MB. */
  readonly maxBytes: number;
  /** Letters older than this are dropped and counted. */
  readonly maxAgeMs: number;
  readonly clock: Clock;
  readonly onDropped: (count: number, why: DropReason) => void;
  /** The file was damaged: kept under this name for a person to look at, its good letters taken over. */
  readonly onSetAside: (path: string, badLines: number) => void;
  /** The disk takes nothing (`why`), or does again (null). */
  readonly onDisk: (why: string | null, waiting: number) => void;
  /** Something new may be sent. */
  readonly onReady: () => void;
}

/** One letter that was accepted and is not acknowledged. */
export interface Waiting {
  readonly number: number;
  readonly bytes: number;
  /** Of an earlier run of the process. */
  readonly earlier: boolean;
  /** Monotonic ms when it was accepted, or found. */
  readonly sinceMs: number;
}

interface Entry extends Waiting {
  readonly ageMsWhenFound: number;
  /** In the file; null: only in memory. */
  place: Place | null;
  line: string | null;
  readonly letter: Letter | null;
}

/** A letter larger than this is no transcript. */
const letterBytesMax = 256 * 1024;
/** Letters kept in memory while the disk takes none: the oldest are dropped and counted. */
const unsavedMax = 1000;
const retryDiskMs = 1000;
/** The file is written anew when this much of it, and more than half, is done with. */
const garbageMin = 4_000_000;
const doneLineMax = 1000;
/** A letter stamped before this came from a clock that was not set: its age is counted from when it was found. */
const clockNotSetBeforeMs = Date.UTC(2025, 0, 1);

/**
 * What was accepted and is not yet acknowledged, on disk, in order. `put` resolves after fsync, one
 * for all that came in the meantime. While the disk takes nothing, letters wait in memory and may be
 * sent from there. `remove` follows the broker's acknowledgement and is not synced: a letter sent
 * twice is allowed, a lost one is not.
 */
export class Outbox {
  private readonly entries = new Map<number, Entry>();
  private incoming: Entry[] = [];
  private done: number[] = [];
  private next = 1;
  private bytes = 0;
  private file: LetterFile | null = null;
  private lock: Server | null = null;
  private diskTrouble: string | null = null;
  private writing: Promise<void> = Promise.resolve();
  private queued = false;
  private cancelRetry: () => void = () => undefined;
  private closed = false;

  private constructor(private readonly options: OutboxOptions) {}

  /** A disk that takes nothing does not stop it; what is no folder, or is used by another process, does. */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const outbox = new Outbox(options);
    try {
      await outbox.attach();
    } catch (error) {
      if (error instanceof KikitoriError || !isDiskTrouble(error)) {
        await outbox.close();
        if (error instanceof KikitoriError) throw error;
        throw new KikitoriError(`the outbox cannot be opened: ${messageOf(error)}`, {
          kind: 'storage',
          where: options.dir,
          hint: 'state.dir must be a folder that this user may write',
        });
      }
      // Letters that are found later come before these.
      outbox.next = options.clock.now() * 1000;
      outbox.inTrouble(error);
    }
    outbox.expire();
    return outbox;
  }

  get size(): number {
    return this.entries.size + this.incoming.length;
  }

  get sizeBytes(): number {
    return this.bytes;
  }

  /** Resolves when all of them are safe on the disk, or when the disk has refused them. */
  put(letters: readonly Letter[]): Promise<void> {
    const { clock } = this.options;
    for (const letter of letters) {
      const number = this.next++;
      const line = letterLine(number, clock.now(), letter);
      const bytes = Buffer.byteLength(line);
      if (bytes > Math.min(letterBytesMax, this.options.maxBytes)) {
        this.options.onDropped(1, 'too-big');
        continue;
      }
      const sinceMs = clock.monotonic();
      const rest = { earlier: false, sinceMs, ageMsWhenFound: 0, place: null };
      this.incoming.push({ number, bytes, line, letter, ...rest });
    }
    return this.write();
  }

  /** The broker has it. */
  remove(number: number): void {
    if (!this.forget(number)) return;
    void this.write();
  }

  has(number: number): boolean {
    return this.entries.has(number);
  }

  /** Letters in order, from `number` on. */
  *from(number: number): Generator<Waiting> {
    for (const entry of this.entries.values()) if (entry.number >= number) yield entry;
  }

  /** What to send; undefined when it was dropped in the meantime. Throws when the disk cannot be read now. */
  async read(number: number): Promise<Letter | undefined> {
    const entry = this.entries.get(number);
    if (entry?.letter) return entry.letter;
    if (entry?.place == null || this.file === null) return undefined;
    const letter = await this.file.read(entry.place);
    if (letter === undefined && this.entries.get(number) === entry) {
      this.forget(number);
      this.options.onDropped(1, 'damaged');
    }
    return letter;
  }

  /** Drops what is older than the limit. */
  expire(): void {
    const now = this.options.clock.monotonic();
    let old = 0;
    for (const entry of [...this.entries.values()]) {
      if (entry.ageMsWhenFound + now - entry.sinceMs <= this.options.maxAgeMs) break;
      this.forget(entry.number);
      old++;
    }
    if (old > 0) this.options.onDropped(old, 'old');
  }

  async close(): Promise<void> {
    this.cancelRetry();
    await this.write();
    this.closed = true;
    this.cancelRetry();
    await this.file?.close().catch(() => undefined);
    this.file = null;
    await new Promise<void>((resolve) => {
      if (this.lock === null) resolve();
      else this.lock.close(() => resolve());
    });
  }

  private async attach(): Promise<void> {
    const { dir, clock } = this.options;
    await makeFolder(dir, 0o750);
    this.lock ??= await lockFolder(dir);
    const aside = damagedPath(dir, clock.now());
    const { file, contents } = await LetterFile.open(join(dir, 'letters.log'), aside);
    this.file = file;
    const unsaved = [...this.entries];
    this.entries.clear();
    this.next = Math.max(this.next, contents.highest + 1);
    for (const { number, acceptedAtMs, offset, bytes } of contents.letters) {
      const ageMsWhenFound =
        acceptedAtMs < clockNotSetBeforeMs ? 0 : Math.max(0, clock.now() - acceptedAtMs);
      const rest = { earlier: true, sinceMs: clock.monotonic(), ageMsWhenFound };
      const place = { offset, bytes };
      this.entries.set(number, { number, bytes, place, line: null, letter: null, ...rest });
      this.bytes += bytes;
    }
    for (const [number, entry] of unsaved) this.entries.set(number, entry);
    if (contents.badLines === 0) return;
    await keepNewestDamaged(dir, aside);
    this.options.onSetAside(aside, contents.badLines);
  }

  /** One write at a time; all that comes meanwhile goes into the next one. */
  private write(): Promise<void> {
    if (!this.queued) {
      this.queued = true;
      this.writing = this.writing.then(() => {
        this.queued = false;
        return this.writeNow();
      });
    }
    return this.writing;
  }

  private async writeNow(): Promise<void> {
    if (this.closed) return;
    const fresh = this.incoming;
    this.makeRoom(fresh);
    const unsaved = [...this.entries.values()].filter(({ place }) => place === null);
    const wanted = [...unsaved, ...fresh];
    const { done } = this;
    if (wanted.length === 0 && done.length === 0 && this.file !== null) return;
    this.done = [];
    this.incoming = [];
    try {
      if (this.file === null) await this.attach();
      const lines = wanted.map(({ line }) => line ?? '');
      for (let i = 0; i < done.length; i += doneLineMax)
        lines.push(doneLine(done.slice(i, i + doneLineMax)));
      const places = await this.file?.append(lines, wanted.length > 0);
      wanted.forEach((entry, i) => {
        const place = places?.[i] ?? null;
        const saved = { ...entry, place, line: null, letter: null };
        // An unsaved one may have been sent and acknowledged while it was being written.
        if (fresh.includes(entry) || this.entries.has(entry.number)) this.remember(saved);
        else this.done.push(entry.number);
      });
      await this.tidy();
      this.outOfTrouble();
    } catch (error) {
      this.done.unshift(...done);
      for (const entry of fresh) if (!this.entries.has(entry.number)) this.remember(entry);
      this.limitUnsaved();
      this.inTrouble(error);
    }
    this.options.onReady();
  }

  private remember(entry: Entry): void {
    if (!this.entries.has(entry.number)) this.bytes += entry.bytes;
    this.entries.set(entry.number, entry);
  }

  private forget(number: number): boolean {
    const entry = this.entries.get(number);
    if (entry === undefined) return false;
    this.entries.delete(number);
    this.bytes -= entry.bytes;
    if (entry.place !== null) this.done.push(number);
    return true;
  }

  private makeRoom(fresh: readonly Entry[]): void {
    this.expire();
    const wanted = fresh.reduce((sum, { bytes }) => sum + bytes, 0);
    let full = 0;
    for (const { number } of [...this.entries.values()]) {
      if (this.bytes + wanted <= this.options.maxBytes) break;
      this.forget(number);
      full++;
    }
    if (full > 0) this.options.onDropped(full, 'full');
  }

  private limitUnsaved(): void {
    const unsaved = [...this.entries.values()].filter(({ place }) => place === null);
    const over = unsaved.slice(0, Math.max(0, unsaved.length - unsavedMax));
    for (const { number } of over) this.forget(number);
    if (over.length > 0) this.options.onDropped(over.length, 'disk');
  }

  /** Writes the file anew when most of it is done with. */
  private async tidy(): Promise<void> {
    const { file } = this;
    if (file === null) return;
    const saved = [...this.entries.values()].filter(({ place }) => place !== null);
    const live = saved.reduce((sum, { bytes }) => sum + bytes, 0);
    const garbage = file.bytes - live;
    if (garbage < garbageMin || garbage < live) return;
    const old = saved.map(({ place }) => place ?? { offset: 0, bytes: 0 });
    await file.rewrite(old, (places) => {
      saved.forEach((entry, i) => {
        entry.place = places[i] ?? null;
      });
    });
  }

  private inTrouble(error: unknown): void {
    const why = messageOf(error);
    const waiting = [...this.entries.values()].filter(({ place }) => place === null).length;
    if (this.diskTrouble === null) this.options.onDisk(why, waiting);
    this.diskTrouble = why;
    this.cancelRetry();
    this.cancelRetry = this.options.clock.after(retryDiskMs, () => void this.write());
  }

  private outOfTrouble(): void {
    if (this.diskTrouble === null) return;
    this.diskTrouble = null;
    this.options.onDisk(null, 0);
  }
}

/** A name in the kernel that ends with the process that holds it, however it ends. */
async function lockFolder(dir: string): Promise<Server> {
  const name = createHash('sha256')
    .update(await realpath(dir))
    .digest('hex')
    .slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new KikitoriError('another kikitori uses this outbox', {
              kind: 'storage',
              where: dir,
              hint: 'stop it, or set another state.dir',
            })
          : error,
      ),
    );
    server.listen(`\0kikitori-outbox-${name}`, resolve);
  });
  server.unref();
  return server;
}
