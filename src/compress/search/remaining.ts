import { quantisedShare, stages } from './candidate.js';
import type { Journal } from './journal.js';

export interface RemainingOptions {
  readonly minutes: number;
  readonly candidates: number;
  readonly progress: (line: string) => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

const saidEveryMs = 10_000;
/** Guess of a stage that none has gone through yet, in seconds. */
const unknownSeconds = 60;

/** Says what is done and how long it will take, by what the stages took so far; every ten seconds at most. */
export class Remaining {
  private saidMs = -Infinity;
  private saidStage = '';
  private readonly names = new Set<string>();

  constructor(
    private readonly journal: Pick<Journal, 'secondsOf'>,
    private readonly options: RemainingOptions,
  ) {}

  say(candidate: string, stage: string, share: number, before = 0): void {
    this.names.add(candidate);
    const now = this.options.nowMs();
    const which = `${candidate}/${stage}`;
    if (which === this.saidStage && now - this.saidMs < saidEveryMs) return;
    this.saidMs = now;
    this.saidStage = which;
    const own = candidate.startsWith('b') ? this.left(candidate, stage, share) : 0;
    const others = this.options.candidates - before - (own > 0 ? 1 : 0);
    const whole = stages.reduce((sum, s) => sum + this.expected(s), 0);
    const all = own + others * whole;
    const place = own > 0 ? `${before + 1} of at most ${this.options.candidates}, ` : '';
    const bytes = candidate.startsWith('b') ? `${candidate.slice(1)} bytes: ` : '';
    this.options.progress(
      `${place}${bytes}${stage} ${Math.round(100 * share)} %; ${own > 0 ? `${minutes(own)} left of this candidate, ` : ''}at most ${minutes(all)} of the search`,
    );
  }

  private left(candidate: string, stage: string, share: number): number {
    const at = stages.indexOf(stage);
    return stages.reduce((sum, s, i) => {
      if (i < at || this.journal.secondsOf(`${candidate}/${s}`) !== undefined) return sum;
      return sum + this.expected(s) * (i === at ? 1 - share : 1);
    }, 0);
  }

  /** The mean of what it took in the candidates before, or what is allowed. */
  private expected(stage: string): number {
    const took = [...this.names].flatMap((n) => this.journal.secondsOf(`${n}/${stage}`) ?? []);
    if (took.length > 0) return took.reduce((a, b) => a + b, 0) / took.length;
    const training = 60 * this.options.minutes;
    if (stage === 'fine-tune') return training * (1 - quantisedShare) + unknownSeconds;
    if (stage === 'quantised') return training * quantisedShare + unknownSeconds;
    return stage === 'scales' || stage === 'pack' ? 5 : unknownSeconds;
  }
}

const minutes = (seconds: number) =>
  seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
