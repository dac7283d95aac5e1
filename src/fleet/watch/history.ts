import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceView } from './view.js';

export interface HistoryEntry {
  readonly atMs: number;
  readonly device: string;
  readonly online: boolean | null;
  readonly model: string;
  readonly update: string;
  readonly deployment: string;
  readonly reason: string;
  readonly accepted: number | null;
  readonly rejected: number | null;
  readonly confidence: number | null;
}

const dayPattern = /^\d{4}-\d{2}-\d{2}\.jsonl$/;

/**
 * What changed on which device, one line each, one file a day; days beyond the limit are removed. The
 * store has one writer and no index: a year of a thousand devices is read in seconds, and any tool reads it.
 */
export class History {
  private readonly last = new Map<string, string>();
  private pending: Promise<void> = Promise.resolve();
  /** Why the newest line could not be written; '' when it could. */
  lastError = '';

  private constructor(
    private readonly dir: string,
    private readonly daysMax: number,
  ) {}

  static async open(dir: string, daysMax = 400): Promise<History> {
    await mkdir(dir, { recursive: true });
    return new History(dir, daysMax);
  }

  /** Keeps it if the device tells something else than at the last time. */
  add(view: DeviceView, atMs: number): void {
    const entry = entryOf(view, atMs);
    const said = JSON.stringify({ ...entry, atMs: 0, accepted: 0, rejected: 0, confidence: 0 });
    if (this.last.get(view.device) === said) return;
    this.last.set(view.device, said);
    const file = join(this.dir, `${new Date(atMs).toISOString().slice(0, 10)}.jsonl`);
    this.pending = this.pending
      .then(() => appendFile(file, `${JSON.stringify(entry)}\n`))
      .then(() => void (this.lastError = ''))
      .catch((error: unknown) => void (this.lastError = String(error)));
  }

  /** Entries in order; a line that was cut off by a crash is left out. */
  async *read(device?: string): AsyncGenerator<HistoryEntry> {
    await this.pending;
    for (const name of await this.days()) {
      for (const line of (await readFile(join(this.dir, name), 'utf8')).split('\n')) {
        const entry = parseLine(line);
        if (entry !== undefined && (device === undefined || entry.device === device)) yield entry;
      }
    }
  }

  async prune(): Promise<void> {
    const days = await this.days();
    for (const name of days.slice(0, Math.max(0, days.length - this.daysMax)))
      await rm(join(this.dir, name));
  }

  async close(): Promise<void> {
    await this.pending;
  }

  private async days(): Promise<string[]> {
    return (await readdir(this.dir)).filter((name) => dayPattern.test(name)).sort();
  }
}

function entryOf(d: DeviceView, atMs: number): HistoryEntry {
  const number = (v: unknown) => (typeof v === 'number' ? v : null);
  return {
    atMs,
    device: d.device,
    online: d.online,
    model: d.model === null ? '' : `${d.model.name} ${d.model.version}`,
    update: d.update?.state ?? '',
    deployment: d.update?.deployment ?? '',
    reason: d.update?.reason ?? '',
    accepted: number(d.health['accepted']),
    rejected: number(d.health['rejected']),
    confidence: number(d.health['confidence']),
  };
}

function parseLine(line: string): HistoryEntry | undefined {
  try {
    return line === '' ? undefined : (JSON.parse(line) as HistoryEntry);
  } catch {
    return undefined;
  }
}
