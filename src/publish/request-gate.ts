/** Which requests of the broker are let in: none that is switched off, and none that would leave no time to hear. */
import type { Clock } from '../runtime/clock.js';

/** What each kind of request may take of the board's time in the long run. */
export const share = 0.1;
/** So much may be taken at once. */
export const budgetMs = 60_000;
/** A request counts with the time it took, at least with this. */
export const leastMs = 100;

interface Budget {
  leftMs: number;
  atMs: number;
}

/**
 * A budget of time for each kind: a request that is done at once may come ten times in ten seconds for ever, one that
 * takes five seconds each 50 s, and hundreds or a dozen of them at once before that.
 */
export class RequestGate {
  private readonly budgets = new Map<string, Budget>();

  constructor(
    private readonly off: ReadonlySet<string>,
    private readonly clock: Pick<Clock, 'monotonic'>,
  ) {}

  /** Why not, for people; null: it is let in. */
  refuse(name: string): string | null {
    if (this.off.has(name))
      return `the request "${name}" is switched off on this device: publish.requests.${name}`;
    const { leftMs } = this.budget(name);
    if (leftMs > 0) return null;
    // A whole number of seconds, so that one who waits for so long is let in.
    return `"${name}" was asked too often: try again in ${Math.floor(-leftMs / share / 1000) + 1} s`;
  }

  /** To be called at once when it is let in; the function returned when it is done. */
  begin(name: string): () => void {
    const beginMs = this.clock.monotonic();
    this.budget(name).leftMs -= leastMs;
    return () => {
      const tookMs = this.clock.monotonic() - beginMs;
      this.budget(name).leftMs -= Math.max(0, tookMs - leastMs);
    };
  }

  private budget(name: string): Budget {
    const now = this.clock.monotonic();
    const budget = this.budgets.get(name) ?? { leftMs: budgetMs, atMs: now };
    budget.leftMs = Math.min(budgetMs, budget.leftMs + share * (now - budget.atMs));
    budget.atMs = now;
    this.budgets.set(name, budget);
    return budget;
  }
}
