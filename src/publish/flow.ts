/** Messages that may wait for their turn; more is an error of whoever sends. */
const waitingMax = 1000;

interface Waiter {
  readonly go: () => void;
  readonly fail: (error: Error) => void;
}

/** How many messages may be unacknowledged at once; the others wait, first come first served. */
export class Flow {
  private readonly waiting: Waiter[] = [];
  private active = 0;
  private closed: Error | null = null;

  constructor(private limit: number) {}

  /** Free turns now. */
  get room(): number {
    return Math.max(0, this.limit - this.active - this.waiting.length);
  }

  setLimit(limit: number): void {
    this.limit = limit;
    this.advance();
  }

  /** Resolves when it is one's turn; each turn ends with `leave`. */
  async enter(): Promise<void> {
    if (this.closed !== null) throw this.closed;
    if (this.waiting.length >= waitingMax)
      throw new Error(`${waitingMax} messages wait for the broker`);
    await new Promise<void>((go, fail) => {
      this.waiting.push({ go, fail });
      this.advance();
    });
  }

  leave(): void {
    this.active--;
    this.advance();
  }

  /** Nobody gets a turn any more. */
  close(error: Error): void {
    this.closed = error;
    for (const waiter of this.waiting.splice(0)) waiter.fail(error);
  }

  private advance(): void {
    while (this.closed === null && this.active < this.limit) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      this.active++;
      next.go();
    }
  }
}
