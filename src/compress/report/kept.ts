import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { atomicWrite } from '../../runtime/atomic-write.js';

/** How far a report is. */
export interface Progress {
  readonly progress: (line: string) => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

/** Says how far it is and how long it will take, at most every few seconds. */
export class Remaining {
  private done = 0;
  private skipped = 0;
  private saidMs = -Infinity;
  private readonly beganMs: number;

  constructor(
    private readonly of: number,
    private readonly options: Progress,
  ) {
    this.beganMs = options.nowMs();
  }

  skip(clips: number): void {
    this.done += clips;
    this.skipped += clips;
  }

  step(what: string): void {
    this.done++;
    const now = this.options.nowMs();
    if (now - this.saidMs < 5000) return;
    this.saidMs = now;
    const each = (now - this.beganMs) / Math.max(1, this.done - this.skipped);
    const left = ((this.of - this.done) * each) / 1000;
    this.options.progress(
      `${what}: ${this.done} of ${this.of} clips, ${left < 90 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`} left`,
    );
  }
}

/** A measurement from the folder, or made and put there: whole or not at all. */
export async function kept<T>(
  folder: string,
  key: readonly string[],
  clock: Remaining,
  clips: number,
  make: () => Promise<T>,
): Promise<T> {
  const name = createHash('sha256').update(key.join('\n')).digest('hex').slice(0, 32);
  const path = join(folder, 'partial', `${name}.json`);
  const old = await readFile(path, 'utf8').catch(() => undefined);
  if (old !== undefined) {
    try {
      const value = JSON.parse(old) as { value: T };
      clock.skip(clips);
      return value.value;
    } catch {
      // Not ours or damaged: measured again.
    }
  }
  const value = await make();
  // What could not be measured is tried again the next time.
  if (value !== null) await atomicWrite(path, JSON.stringify({ key, value }), 0o644);
  return value;
}
