import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, readFile, realpath, rm, stat, type FileHandle } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join, resolve } from 'node:path';
import { atomicWrite } from './atomic-write.js';
import { codeOf, KikitoriError } from './errors.js';

/**
 * Runs `action` while no other process on this machine works on the same folder. Undefined: another one does, and
 * the action was not run. The lock is an abstract unix socket. It vanishes with its process, so a power
 * cut leaves no stale lock.
 */
export async function withLock<T>(
  folder: string,
  action: () => Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  const server = await bind(`kikitori-${digest(await realpath(folder))}`, folder);
  if (server === null) return undefined;
  try {
    return { value: await action() };
  } finally {
    await close(server);
  }
}

/** Who works with a folder. */
export interface Holder {
  readonly pid: number;
  /** ISO 8601, by that board's clock. */
  readonly since: string;
}

/** How the one before came to its end without having been asked to. */
export type Unasked = 'crash' | 'power-loss';

const holderName = 'holder.json';
const askMs = 1000;

/**
 * One process at a time works with a folder. Two locks of the kernel, both of which end with the process:
 * - An abstract unix socket. Its name is made of device and inode, so a link or another mount is the same folder.
 *   It needs no permission to read the folder.
 * - A flock of the folder. Another container sees it too.
 * Neither writes anything, so a full or read-only disk does not matter. holder.json only tells people who it is.
 */
export class FolderLock {
  private constructor(
    private readonly folder: string,
    private readonly name: Server,
    private readonly handle: FileHandle | null,
    /** null: it left as it should, or there was none. */
    readonly before: Unasked | null,
  ) {}

  /** Rejects with a KikitoriError that says who holds it. */
  static async take(folder: string, nowMs: number): Promise<FolderLock> {
    const name = await bind(await nameOf(folder), folder);
    if (name === null) throw await inUse(folder);
    // The process that holds it may end: it has nothing else to wait for.
    name.unref();
    const handle = await flock(folder);
    if (handle === 'held') {
      await close(name);
      throw await inUse(folder);
    }
    const left = await leftBehind(folder);
    const { pid } = process;
    const since = new Date(nowMs).toISOString();
    const content = { pid, since, ...lifeOf(pid), boot: bootId() };
    // Only for people: a disk that takes nothing does not matter. What cannot be replaced there is old, and says nothing.
    const before = await atomicWrite(join(folder, holderName), `${JSON.stringify(content)}\n`).then(
      () => left,
      () => null,
    );
    return new FolderLock(folder, name, handle, before);
  }

  async release(): Promise<void> {
    await rm(join(this.folder, holderName), { force: true }).catch(() => undefined);
    await this.handle?.close().catch(() => undefined);
    await close(this.name);
  }
}

/** Whoever leaves takes its file away; one that is still there under our lock is of a process that could not. */
async function leftBehind(folder: string): Promise<Unasked | null> {
  try {
    const text = await readFile(join(folder, holderName), 'utf8');
    return (JSON.parse(text) as { boot?: unknown }).boot === bootId() ? 'crash' : 'power-loss';
  } catch (error) {
    return codeOf(error) === undefined ? 'power-loss' : null;
  }
}

/** Who works with the folder now. Null: nobody. Without a pid: somebody unknown. Takes no lock. */
export async function holderOf(folder: string): Promise<Partial<Holder> | null> {
  const named = await living(folder);
  if (named !== null) return named;
  return (await answers(await nameOf(folder))) ? {} : null;
}

/** The holder that the file names, if it still runs. Its time of birth is compared: a pid is used again. */
async function living(folder: string): Promise<Holder | null> {
  try {
    const text = await readFile(join(folder, holderName), 'utf8');
    const said = JSON.parse(text) as Partial<Holder & { began: string; boot: string }>;
    const { pid, since } = said;
    if (typeof pid !== 'number' || typeof since !== 'string' || said.boot !== bootId()) return null;
    return said.began !== undefined && lifeOf(pid).began === said.began ? { pid, since } : null;
  } catch {
    return null;
  }
}

async function inUse(folder: string): Promise<KikitoriError> {
  const holder = await living(folder);
  const who = holder === null ? '' : `: process ${holder.pid}, since ${holder.since}`;
  return new KikitoriError(`another kikitori works with this folder${who}`, {
    kind: 'storage',
    where: folder,
    hint: 'stop it (systemctl stop kikitori), or set another state.dir',
  });
}

/** When the process began, in ticks since boot. Empty where /proc does not say. */
function lifeOf(pid: number): { began?: string } {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ');
    return { began: fields?.[19] };
  } catch {
    return {};
  }
}

/** Changes at every boot: tells a crash of the process from a power cut. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 40);

async function nameOf(folder: string): Promise<string> {
  const what = await stat(folder).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    () => resolve(folder),
  );
  return `kikitori-state-${digest(what)}`;
}

/** Null when another process has the name. */
async function bind(name: string, where: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy());
  try {
    await new Promise<void>((done, reject) => {
      server.once('error', reject);
      server.listen(`\0${name}`, done);
    });
    return server;
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') return null;
    throw new KikitoriError('cannot be locked', { kind: 'storage', where, cause: error });
  }
}

const close = (server: Server) => new Promise<void>((done) => server.close(() => done()));

/** Whether a process holds the name. One that does not answer in time holds it too. */
function answers(name: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(`\0${name}`);
    const end = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      done(answer);
    };
    const timer = setTimeout(() => end(true), askMs);
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/**
 * Node has no flock, so the program of that name is handed our open folder. The lock belongs to the open file
 * description and stays when the program ends. Null: no such program, the folder may not be read, or its file system
 * has no such locks.
 */
async function flock(folder: string): Promise<FileHandle | 'held' | null> {
  const handle = await open(folder, 'r').catch(() => null);
  if (handle === null) return null;
  const status = await new Promise<number | null>((done) => {
    const child = spawn('flock', ['-n', '-x', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', handle.fd],
    });
    child.once('error', () => done(null));
    child.once('close', done);
  });
  if (status === 0) return handle;
  await handle.close();
  return status === 1 ? 'held' : null;
}
