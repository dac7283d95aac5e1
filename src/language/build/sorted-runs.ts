import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Keys in memory before they are sorted and written: 16 MB. */
const runKeys = 2 ** 21;
/** Keys of a run that are read at a time. */
const readKeys = 2 ** 13;

/**
 * Counts more keys than memory holds: sorted runs of (key, count) on disk, read again in order, merged. Keys are whole
 * numbers up to 2^53.
 */
export class SortedRuns {
  private readonly keys: Float64Array;
  private filled = 0;
  private readonly runs: string[] = [];

  /** @param folder where the runs lie; it belongs to the caller. */
  constructor(
    private readonly folder: string,
    private readonly perRun = runKeys,
  ) {
    this.keys = new Float64Array(perRun);
  }

  add(key: number): void {
    this.keys[this.filled] = key;
    this.filled += 1;
    if (this.filled === this.perRun) this.spill();
  }

  /** Each different key once, ascending, with its count. May be called again. */
  *merged(): Generator<readonly [key: number, count: number], void, void> {
    if (this.filled > 0) this.spill();
    const sources = this.runs.map((path) => new Run(path));
    try {
      const heap = sources.filter((run) => run.next()).sort((a, b) => a.key - b.key);
      let [top] = heap;
      while (top !== undefined) {
        const { key } = top;
        let count = 0;
        while (top?.key === key) {
          count += top.count;
          if (!top.next()) {
            const last = heap.pop() as Run;
            if (heap.length > 0) heap[0] = last;
          }
          sink(heap);
          top = heap[0];
        }
        yield [key, count];
      }
    } finally {
      for (const source of sources) source.close();
    }
  }

  remove(): void {
    for (const path of this.runs) rmSync(path, { force: true });
    this.runs.length = 0;
  }

  private spill(): void {
    const sorted = this.keys.subarray(0, this.filled).sort();
    const path = join(this.folder, `run-${this.runs.length}`);
    const file = openSync(path, 'w', 0o600);
    try {
      const pairs = new Float64Array(2 * Math.min(readKeys, this.filled));
      let used = 0;
      const flush = () => {
        const bytes = new Uint8Array(pairs.buffer, 0, used * 8);
        for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
        used = 0;
      };
      for (let i = 0; i < sorted.length;) {
        const key = sorted[i] as number;
        let end = i + 1;
        while (sorted[end] === key) end += 1;
        pairs[used] = key;
        pairs[used + 1] = end - i;
        used += 2;
        if (used === pairs.length) flush();
        i = end;
      }
      flush();
    } finally {
      closeSync(file);
    }
    this.runs.push(path);
    this.filled = 0;
  }
}

class Run {
  key = 0;
  count = 0;
  private readonly file: number;
  private readonly pairs = new Float64Array(2 * readKeys);
  private at = 0;
  private length = 0;

  constructor(path: string) {
    this.file = openSync(path, 'r');
  }

  /** False: it is at its end. */
  next(): boolean {
    if (this.at === this.length && !this.fill()) return false;
    this.key = this.pairs[this.at] as number;
    this.count = this.pairs[this.at + 1] as number;
    this.at += 2;
    return true;
  }

  close(): void {
    closeSync(this.file);
  }

  private fill(): boolean {
    const bytes = new Uint8Array(this.pairs.buffer);
    let read = 0;
    while (read < bytes.length) {
      const more = readSync(this.file, bytes, read, bytes.length - read, null);
      if (more === 0) break;
      read += more;
    }
    this.at = 0;
    this.length = read / 8;
    return read > 0;
  }
}

/** Lets the first of a heap go down to its place. */
function sink(heap: Run[]): void {
  const [item] = heap;
  if (item === undefined) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    const right = heap[child + 1];
    if (right !== undefined && right.key < (heap[child] as Run).key) child += 1;
    const below = heap[child] as Run;
    if (below.key >= item.key) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = item;
}
