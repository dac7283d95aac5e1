/** What a supervisor or a terminal says with signals, remembered from the first moment of the process on. */

const stopSignals = ['SIGTERM', 'SIGINT'] as const;

type Source = Pick<NodeJS.Process, 'on' | 'off'>;

/**
 * SIGTERM and SIGINT ask for a stop, once and for all; SIGHUP asks to read the files again, and is kept until
 * somebody can. Without a handler each of them would end the process on the spot, and the next start would
 * take that for a crash.
 */
export class Signals {
  private readonly stopper = new AbortController();
  private reloadWanted = false;
  private reload: (() => Promise<void>) | null = null;
  private reloading: Promise<void> | null = null;

  constructor(private readonly source: Source = process) {
    for (const name of stopSignals) source.on(name, this.onStop);
    source.on('SIGHUP', this.onReload);
  }

  /** Aborted by the first wish to stop; more of them change nothing. */
  get stop(): AbortSignal {
    return this.stopper.signal;
  }

  /** From now on this is done for every SIGHUP, and once for those that came before; one at a time. */
  onceReady(reload: () => Promise<void>): void {
    this.reload = reload;
    this.reloadNow();
  }

  /** Signals end the process again. */
  release(): void {
    for (const name of stopSignals) this.source.off(name, this.onStop);
    this.source.off('SIGHUP', this.onReload);
  }

  private readonly onStop = () => this.stopper.abort();

  private readonly onReload = () => {
    this.reloadWanted = true;
    this.reloadNow();
  };

  private reloadNow(): void {
    if (this.reload === null || !this.reloadWanted || this.reloading !== null) return;
    if (this.stop.aborted) return;
    this.reloadWanted = false;
    // Files that change while they are read are read again: the newest SIGHUP is never lost.
    this.reloading = this.reload().finally(() => {
      this.reloading = null;
      this.reloadNow();
    });
  }
}

/** The start of the daemon was given up because somebody asked it to stop. */
export class StopRequested extends Error {
  constructor() {
    super('asked to stop');
    this.name = 'StopRequested';
  }
}
