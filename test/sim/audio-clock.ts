import type { Clock } from '../../src/runtime/clock.js';

/** Time goes on as audio comes, at a stated rate: a microphone whose days pass in minutes. */
export class AudioClock implements Clock {
  /** Samples so far. */
  heard = () => 0;
  constructor(private readonly rateHz: number) {}
  now = () => this.monotonic();
  monotonic = () => (1000 * this.heard()) / this.rateHz;
  after(ms: number, callback: () => void): () => void {
    const dueMs = this.monotonic() + ms;
    const timer = setInterval(() => {
      if (this.monotonic() < dueMs) return;
      clearInterval(timer);
      callback();
    }, 1);
    return () => clearInterval(timer);
  }
}
