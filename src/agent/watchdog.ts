import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { ServiceNotifier } from '../runtime/notify.js';

/** The watchdog wants audio through the network within this, unless the microphone is known to be lost, or there is to be none. */
const progressMs = 10_000;

/** Alive means: audio went through the network lately, or the microphone is known to be lost and is being opened, or there is to be none. */
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

  feed(noMicrophone: boolean): void {
    const sinceMs = this.clock.monotonic() - this.lastProgressMs;
    if (sinceMs < progressMs || noMicrophone) this.notifier.watchdog();
    else
      this.log.error(
        { event: 'watchdog.withheld', sinceMs: Math.round(sinceMs) },
        'no audio went through the network',
      );
  }
}
