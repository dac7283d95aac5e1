import type { Chunk } from '../records.js';

/** The wall clock of a sample, reckoned back from the newest chunk: clocks may jump, the stream does not. */
export class StreamClock {
  private newest: Chunk | null = null;

  constructor(
    private readonly rateHz: () => number,
    private readonly now: () => number,
  ) {}

  /** Before its samples are heard. */
  received(chunk: Chunk): void {
    this.newest = chunk;
  }

  /** Unix ms; now while there was no audio. */
  wallOf(sample: number): number {
    const { newest } = this;
    if (newest === null) return this.now();
    const samplesAgo = newest.firstSample + newest.samples.length - sample;
    return newest.receivedAtMs - (1000 * samplesAgo) / this.rateHz();
  }
}
