import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/**
 * Collects garbage now, all of it, in which time nothing else runs. For after something large
 * was given up: the engine counts only small objects when it decides to look, not the megabytes of
 * buffers that hang on them, and would let several models' worth lie.
 */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
    setFlagsFromString('--no-expose-gc');
  }
  collect();
}

/** V8 itself begins a collection at about 5 MB. */
const looseBytesMax = 8_000_000;

/**
 * Keeps buffers that nobody needs any more below a limit. V8 collects them beside the program, in threads that wait while
 * other processes have the processor; until then they pile up, and glibc keeps the most that they ever were. Beyond the
 * limit they are collected at once.
 */
export class BufferLimit {
  private leastBytes = Infinity;

  constructor(
    /** So much more than the least there was. */
    private readonly moreBytesMax = looseBytesMax,
    private readonly bytes: () => number = () => getHeapStatistics().external_memory,
    private readonly collect: () => void = collectGarbage,
  ) {}

  /** Some tens of milliseconds where the limit is reached, else nothing. */
  check(): void {
    const bytes = this.bytes();
    this.leastBytes = Math.min(this.leastBytes, bytes);
    if (bytes - this.leastBytes <= this.moreBytesMax) return;
    this.collect();
    // What is still there is in use, such as a larger model.
    this.leastBytes = this.bytes();
  }
}
