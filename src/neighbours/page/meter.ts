import type { Chunk } from '../../records.js';

/** Shown so often: smooth to the eye, and little for a board. */
const everyMs = 125;
/** The quietest of so much time is the noise: as long as a breath between sentences. */
const noiseMs = 4000;
const lowestDb = -90;
/** Samples this near full scale are cut off. */
const clipped = 0.99;

export interface Level {
  /** Of the last moment, root mean square below full scale. */
  readonly db: number;
  /** When nobody speaks. */
  readonly noiseDb: number;
  readonly clipped: boolean;
}

/** Level and noise of the microphone, for the eye; numbers only, no audio. */
export class Meter {
  private squares = 0;
  private samples = 0;
  private peak = 0;
  private readonly recent: number[] = [];

  /** A level each eighth of a second, else null. */
  feed({ samples, gapBefore }: Chunk, rateHz: number): Level | null {
    if (gapBefore) this.recent.length = 0;
    let { squares, peak } = this;
    // By number: walked value by value each would be an object of its own.
    for (let i = 0; i < samples.length; i++) {
      const v = samples[i] ?? 0;
      squares += v * v;
      peak = Math.max(peak, Math.abs(v));
    }
    this.squares = squares;
    this.peak = peak;
    this.samples += samples.length;
    if (this.samples < (everyMs / 1000) * rateHz) return null;
    const power = this.squares / this.samples;
    const db = Math.max(lowestDb, 10 * Math.log10(power + 1e-12));
    this.recent.push(db);
    if (this.recent.length > noiseMs / everyMs) this.recent.shift();
    const level = {
      db: Number(db.toFixed(1)),
      noiseDb: Number(Math.min(...this.recent).toFixed(1)),
      clipped: this.peak >= clipped,
    };
    this.squares = this.samples = this.peak = 0;
    return level;
  }
}
