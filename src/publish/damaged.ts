import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Each may be as large as the outbox: more of them than this would fill the disk, one for each loss of power. */
const keptMax = 3;
const pattern = /^damaged-(\d+)\.log$/;

/** Where a damaged outbox is kept for a person to look at. */
export const damagedPath = (dir: string, nowMs: number) => join(dir, `damaged-${nowMs}.log`);

/** Deletes all but the newest, and this one in any case: the clock may have been set back. */
export async function keepNewestDamaged(dir: string, newestPath: string): Promise<void> {
  const stampOf = (name: string) => Number(pattern.exec(name)?.[1]);
  const others = (await readdir(dir).catch(() => []))
    .filter((name) => pattern.test(name) && join(dir, name) !== newestPath)
    .sort((a, b) => stampOf(b) - stampOf(a));
  // What cannot be deleted now is tried again with the next one.
  for (const name of others.slice(keptMax - 1))
    await rm(join(dir, name), { force: true }).catch(() => undefined);
}
