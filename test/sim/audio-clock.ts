import type { Clock } from '../../src/runtime/clock.js';

/**
 * Time goes on as audio comes, at a stated rate: a microphone whose days pass in minutes. `heard` is told of every
 * chunk, and what is due by then happens before the next one.
 */
export class AudioClock implements Clock {
  private samples = 0;
  private readonly due = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  constructor(private readonly rateHz: number) {}
  now = () => this.monotonic();
  monotonic = () => (1000 * this.samples) / this.rateHz;
  after(ms: number, callback: () => void): () => void {
    const timer = { dueMs: this.monotonic() + ms, callback };
    this.due.add(timer);
    return () => this.due.delete(timer);
  }
  heard(samples: number): void {
    this.samples += samples;
    const now = this.monotonic();
    for (const timer of [...this.due].sort((a, b) => a.dueMs - b.dueMs))
      if (timer.dueMs <= now && this.due.delete(timer)) timer.callback();
  }
}
