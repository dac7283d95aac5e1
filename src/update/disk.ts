import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { atomicWrite, makeFolder, syncFolder } from '../runtime/atomic-write.js';
import { codeOf } from '../runtime/errors.js';

/**
 * Everything that the update stage changes on disk goes through these four, each of which happens
 * wholly or not at all; tests cut the power between any two.
 */
export interface Disk {
  write(path: string, data: string): Promise<void>;
  /** Renames; over a border between file systems it copies first. */
  move(from: string, to: string): Promise<void>;
  /** A file or a folder; nothing is fine too. */
  remove(path: string): Promise<void>;
  folder(path: string): Promise<void>;
}

export const realDisk: Disk = {
  write: (path, data) => atomicWrite(path, data),
  async move(from, to) {
    await syncFile(from);
    try {
      await rename(from, to);
    } catch (error) {
      if (codeOf(error) !== 'EXDEV') throw error;
      const near = `${to}.moving`;
      try {
        await copyFile(from, near, constants.COPYFILE_FICLONE);
        await syncFile(near);
        await rename(near, to);
      } finally {
        await rm(near, { force: true });
      }
      await rm(from, { force: true });
    }
    await syncFolder(dirname(to));
  },
  async remove(path) {
    await rm(path, { recursive: true, force: true });
    await syncFolder(dirname(path));
  },
  folder: (path) => makeFolder(path),
};

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    if ((await file.stat()).isFile()) await file.sync();
  } finally {
    await file.close();
  }
}

/** A small text file, or null when there is none. Larger ones are not read: '' stands for unreadable. */
export async function readSmall(path: string, bytesMax = 256 * 1024): Promise<string | null> {
  try {
    if ((await stat(path)).size > bytesMax) return '';
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
    return '';
  }
}

export async function sha256OfFile(path: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of createReadStream(path)) {
    hash.update(part as Buffer);
    bytes += (part as Buffer).length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

export function diskReason(error: unknown): 'disk-full' | null {
  const codes = ['ENOSPC', 'EDQUOT', 'disk-full'];
  const inner = error instanceof Error ? codeOf(error.cause) : undefined;
  return codes.includes(codeOf(error) ?? '') || codes.includes(inner ?? '') ? 'disk-full' : null;
}
