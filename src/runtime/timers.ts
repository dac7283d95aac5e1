import type { Clock } from './clock.js';

/** What is done again and again until all of it is cancelled. */
export class Timers {
  private readonly pending = new Set<() => void>();
  private cancelled = false;

  constructor(private readonly clock: Clock) {}

  every(ms: number, action: () => void): void {
    const cancel = this.clock.after(ms, () => {
      this.pending.delete(cancel);
      if (this.cancelled) return;
      action();
      this.every(ms, action);
    });
    this.pending.add(cancel);
  }

  cancel(): void {
    this.cancelled = true;
    for (const cancel of this.pending) cancel();
    this.pending.clear();
  }
}
