import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, basename, resolve } from 'node:path';
import { codeOf } from './errors.js';
import { isAlive } from './is-alive.js';

/**
 * Replaces a file so that a power cut leaves either the old or the new one, never a mixture:
 * temporary file in the same folder, fsync, rename, fsync of the folder.
 */
export async function atomicWrite(
  path: string,
  data: string | Uint8Array,
  mode = 0o640,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const file = await open(temporary, 'w', mode);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
  await removeStray(path);
}

/** Files of which this process has looked for what earlier ones left. */
const looked = new Set<string>();
const lookedMax = 1000;

/** A loss of power in the middle of a write leaves its temporary file, under the id of a process that is no more. */
async function removeStray(path: string): Promise<void> {
  if (looked.has(path)) return;
  if (looked.size >= lookedMax) looked.clear();
  looked.add(path);
  const folder = dirname(path);
  const begin = `.${basename(path)}.`;
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = Number(
      /^(\d+)\.tmp$/.exec(name.startsWith(begin) ? name.slice(begin.length) : '')?.[1],
    );
    if (pid > 0 && pid !== process.pid && !isAlive(pid))
      await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}

/** Makes renames and removals in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes a folder, and those above it that are missing; each survives a power cut once this resolves. */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  const first = await mkdir(path, { recursive: true, ...(mode === undefined ? {} : { mode }) });
  if (first === undefined) return;
  const top = dirname(resolve(first));
  for (let made = resolve(path); made !== top; made = dirname(made))
    await syncFolder(dirname(made)).catch(unlessUnreadable);
}

/** A folder that may be entered and not read cannot be synced by this user. */
function unlessUnreadable(error: unknown): void {
  if (!['EACCES', 'EPERM'].includes(codeOf(error) ?? '')) throw error;
}
