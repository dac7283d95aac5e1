import type { Clock } from '../../src/runtime/clock.js';

/** A clock that stands still until it is advanced; timers due fire in order. */
export class TestClock implements Clock {
  private wallMs: number;
  private elapsedMs = 0;
  private nextId = 0;
  private readonly timers = new Map<number, { dueMs: number; callback: () => void }>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.wallMs = startMs;
  }

  now(): number {
    return this.wallMs + this.elapsedMs;
  }

  monotonic(): number {
    return this.elapsedMs;
  }

  after(ms: number, callback: () => void): () => void {
    const id = this.nextId++;
    this.timers.set(id, { dueMs: this.elapsedMs + ms, callback });
    return () => this.timers.delete(id);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.timers.size;
  }

  /** The wall clock jumps (NTP, no RTC); durations do not. */
  jumpWall(ms: number): void {
    this.wallMs += ms;
  }

  /** Moves time on, firing due timers in order and letting promises settle between them. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.elapsedMs + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const due = [...this.timers.entries()]
        .filter(([, t]) => t.dueMs <= untilMs)
        .sort((a, b) => a[1].dueMs - b[1].dueMs || a[0] - b[0])[0];
      if (due === undefined) break;
      this.timers.delete(due[0]);
      this.elapsedMs = Math.max(this.elapsedMs, due[1].dueMs);
      due[1].callback();
    }
    this.elapsedMs = untilMs;
  }
}
