/** One at a time: who changes what hears holds the turn until it hears or is given up. */
export class Turn {
  private last: Promise<void> = Promise.resolve();

  /** Resolves when it is the caller's, with what gives it back; giving it back twice does nothing. */
  async take(): Promise<() => void> {
    const before = this.last;
    let give: () => void = () => undefined;
    this.last = new Promise((resolve) => {
      give = resolve;
    });
    await before;
    return give;
  }

  async alone<T>(action: () => Promise<T>): Promise<T> {
    const give = await this.take();
    try {
      return await action();
    } finally {
      give();
    }
  }
}
