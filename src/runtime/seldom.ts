import type { Clock } from './clock.js';

/** For lines of the log that somebody else can cause: so many at once, then one each so many ms. */
export class Seldom {
  private left: number;
  private atMs: number;
  private leftOut = 0;

  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly atOnce: number,
    private readonly everyMs: number,
  ) {
    this.left = atOnce;
    this.atMs = clock.monotonic();
  }

  /** How many were left out before this one; null: this one too. */
  take(): number | null {
    const now = this.clock.monotonic();
    this.left = Math.min(this.atOnce, this.left + (now - this.atMs) / this.everyMs);
    this.atMs = now;
    if (this.left < 1) {
      this.leftOut++;
      return null;
    }
    this.left--;
    const { leftOut } = this;
    this.leftOut = 0;
    return leftOut;
  }
}
