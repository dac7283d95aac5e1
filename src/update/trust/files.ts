import { createReadStream } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { atomicWrite, makeFolder, syncFolder } from '../../runtime/atomic-write.js';
import { codeOf } from '../../runtime/errors.js';

/** A file that is being fetched. */
export interface PartFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Everything written so far survives a power cut. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The only way in which trust/ touches the disk, so that tests can cut the power after any operation. */
export interface Files {
  makeFolder(path: string, mode?: number): Promise<void>;
  list(path: string): Promise<string[]>;
  read(path: string): Promise<Buffer | undefined>;
  size(path: string): Promise<number | undefined>;
  stream(path: string): AsyncIterable<Uint8Array>;
  /** The old content or the new one, never a mixture. */
  replace(path: string, bytes: Uint8Array, mode?: number): Promise<void>;
  remove(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Opens for writing at the end; `size` cuts it to that many bytes first. */
  openPart(path: string, size: number): Promise<PartFile>;
  freeBytes(path: string): Promise<number>;
}

const orUndefined = (error: unknown): undefined => {
  if (codeOf(error) === 'ENOENT') return undefined;
  throw error;
};

export const realFiles: Files = {
  makeFolder: (path, mode = 0o750) => makeFolder(path, mode),
  list: async (path) => (await readdir(path).catch(orUndefined)) ?? [],
  read: (path) => readFile(path).catch(orUndefined),
  size: async (path) => (await stat(path).catch(orUndefined))?.size,
  stream: (path) => createReadStream(path) as AsyncIterable<Uint8Array>,
  replace: (path, bytes, mode) => atomicWrite(path, bytes, mode),
  remove: (path) => rm(path, { recursive: true, force: true }),
  rename: async (from, to) => {
    await rename(from, to);
    await syncFolder(dirname(to));
  },
  openPart: async (path, size) => {
    const file = await open(path, size === 0 ? 'w' : 'r+', 0o640);
    await file.truncate(size);
    let at = size;
    return {
      write: async (bytes) => {
        let done = 0;
        while (done < bytes.length) {
          const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at);
          done += bytesWritten;
          at += bytesWritten;
        }
      },
      sync: () => file.sync(),
      close: () => file.close(),
    };
  },
  freeBytes: async (path) => {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};
