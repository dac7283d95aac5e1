import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { ServiceNotifier } from '../runtime/notify.js';

/** The watchdog wants audio through the network within this, unless the microphone is known to be lost. */
const progressMs = 10_000;

/** Alive means: audio went through the network lately, or the microphone is known to be lost and is being opened. */
export class Watchdog {
  private lastProgressMs: number;

  constructor(
    private readonly clock: Clock,
    private readonly notifier: Pick<ServiceNotifier, 'watchdog'>,
    private readonly log: Log,
  ) {
    this.lastProgressMs = clock.monotonic();
  }

  /** Audio went through the network. */
  progress(): void {
    this.lastProgressMs = this.clock.monotonic();
  }

  feed(micLost: boolean): void {
    const sinceMs = this.clock.monotonic() - this.lastProgressMs;
    if (sinceMs < progressMs || micLost) this.notifier.watchdog();
    else
      this.log.error(
        { event: 'watchdog.withheld', sinceMs: Math.round(sinceMs) },
        'no audio went through the network',
      );
  }
}
