import type { PublishedEvent } from '../publish/index.js';
import type { MicState } from '../records.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { ServiceNotifier } from '../runtime/notify.js';
import { Seldom } from '../runtime/seldom.js';

/** A starved board has an overrun each moment: three lines at once, then one each ten seconds. */
const overrunLinesAtOnce = 3;
const overrunLineEveryMs = 10_000;

export interface MicrophoneOptions {
  readonly log: Log;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly notifier: Pick<ServiceNotifier, 'status'>;
  readonly onChange: () => void;
  readonly onEvent: (name: PublishedEvent, data?: Readonly<Record<string, unknown>>) => void;
}

/** What became of the microphone, told once to everybody: log, service manager, subscribers. */
export class Microphone {
  state: MicState = 'lost';
  /** Whether it was reported: at the start it is not up yet, and that is no news. */
  private wasLost = false;

  private readonly overruns: Seldom;
  /** Audio that never came here, since the start. */
  overrunMs = 0;

  constructor(private readonly options: MicrophoneOptions) {
    this.overruns = new Seldom(options.clock, overrunLinesAtOnce, overrunLineEveryMs);
  }

  overrun(lostMs: number): void {
    this.overrunMs += lostMs;
    if (this.overruns.take() === null) return;
    this.options.log.error(
      { event: 'mic.overrun', lostMs: Math.round(this.overrunMs) },
      'the recorder got too little processor: audio was lost',
    );
  }

  changed(state: MicState, why: string): void {
    const { log, notifier, onChange, onEvent } = this.options;
    const before = this.state;
    this.state = state;
    log[state === 'up' || state === 'none' ? 'info' : 'warn'](
      { event: `mic.${state}`, why: why === '' ? undefined : why },
      `the microphone is ${state}`,
    );
    notifier.status(`microphone ${state}`);
    onChange();
    if (state === 'lost') onEvent('mic-lost', { why });
    else if (before === 'lost' && this.wasLost) onEvent('mic-restored');
    this.wasLost ||= state === 'lost';
  }
}
