import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { DropReason, OutboxOptions } from '../../src/publish/index.js';
import type { TestClock } from './test-clock.js';

const folders: string[] = [];
t.teardown(async () => {
  for (const path of folders) await rm(path, { recursive: true, force: true });
});

/** A folder for an outbox, gone after the tests of the file. */
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kikitori-outbox-'));
  folders.push(path);
  return path;
}

/** Options of an outbox, and what it told. `nextReady`: the next time that it says so. */
export function options(dir: string, clock: TestClock, more: Partial<OutboxOptions> = {}) {
  const dropped: [number, DropReason][] = [];
  const disk: [string | null, number][] = [];
  let ready = 0;
  let onReady: () => void = () => undefined;
  const all: OutboxOptions = {
    dir,
    maxBytes: 1_000_000,
    maxAgeMs: 86_400_000,
    clock,
    onDropped: (count, why) => dropped.push([count, why]),
    onSetAside: () => undefined,
    onDisk: (why, waiting) => disk.push([why, waiting]),
    onReady: () => {
      ready++;
      onReady();
    },
    ...more,
  };
  const nextReady = () => new Promise<void>((resolve) => (onReady = resolve));
  return { all, dropped, disk, ready: () => ready, nextReady };
}
