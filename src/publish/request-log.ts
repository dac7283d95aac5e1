import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { Seldom } from '../runtime/seldom.js';
import type { Answer } from './requests.js';

/** So many lines at once, then one a second: whoever may publish could fill a disk with them. */
const linesAtOnce = 100;
const lineMs = 1000;
const nameLettersMax = 64;

/** What became of requests. */
export class RequestLog {
  private readonly lines: Seldom;

  constructor(
    private readonly log: Log,
    clock: Clock,
  ) {
    this.lines = new Seldom(clock, linesAtOnce, lineMs);
  }

  answered(name: string, status: Answer['status']): void {
    this.say(name, (said) =>
      this.log.info({ event: 'request.answered', ...said, status }, 'a request'),
    );
  }

  retained(name: string): void {
    this.say(name, (said) =>
      this.log.warn(
        { event: 'request.retained', ...said },
        'a retained request is ignored: publish requests without retain',
      ),
    );
  }

  misnamed(name: string): void {
    this.say(name, (said) =>
      this.log.warn(
        { event: 'request.misnamed', ...said },
        'a request whose name no request has is ignored: letters, digits, _ . and -, at most 64',
      ),
    );
  }

  unanswered(name: string): void {
    this.say(name, (said) =>
      this.log.warn(
        { event: 'request.unanswered', ...said },
        'a request is not answered: too many answers are on their way',
      ),
    );
  }

  private say(name: string, line: (said: { name: string; leftOut?: number }) => void): void {
    const leftOut = this.lines.take();
    if (leftOut === null) return;
    line({ name: name.slice(0, nameLettersMax), ...(leftOut === 0 ? {} : { leftOut }) });
  }
}
