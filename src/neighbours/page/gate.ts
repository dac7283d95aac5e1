import type { Clock } from '../../runtime/clock.js';
import { sleep } from '../../runtime/clock.js';

/** After work that took so long, nothing for this many times as long: hearing comes first. */
const restFactor = 3;
/** Waiting at once; more are told to come again. */
const waitingMax = 4;

/** Work that holds up hearing while it is done: one at a time, when no audio waits, and with rests between. */
export class Gate {
  private line: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  constructor(
    private readonly clock: Clock,
    private readonly spare: () => Promise<void>,
  ) {}

  /** Null when too many wait. */
  async through<T>(work: () => T | Promise<T>): Promise<{ readonly done: T } | null> {
    if (this.waiting >= waitingMax) return null;
    this.waiting++;
    const turn = this.line.then(async () => {
      await this.spare();
      return this.timed(work);
    });
    this.line = turn.then(
      ({ tookMs }) => sleep(this.clock, restFactor * tookMs),
      () => undefined,
    );
    try {
      return { done: (await turn).value };
    } finally {
      this.waiting--;
    }
  }

  private async timed<T>(work: () => T | Promise<T>): Promise<{ value: T; tookMs: number }> {
    const begin = this.clock.monotonic();
    const value = await work();
    return { value, tookMs: this.clock.monotonic() - begin };
  }
}
