import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What systemd/kikitori.service sets for the daemon: the allocator's part of what it takes of memory. */
export async function unitEnvironment(root: string): Promise<Record<string, string>> {
  const unit = await readFile(join(root, 'systemd/kikitori.service'), 'utf8');
  return Object.fromEntries(
    [...unit.matchAll(/^Environment=(\w+)=(\S+)$/gm)].map((m) => [m[1] ?? '', m[2] ?? '']),
  );
}
