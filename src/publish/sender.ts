import type { Clock } from '../runtime/clock.js';
import { messageOf } from '../runtime/errors.js';
import { RefusedError, TooLargeError } from './connection.js';
import type { Outbox, Waiting } from './outbox.js';
import { reason } from './reasons.js';
import { Refusals } from './refusals.js';

/** Letters under way to the broker at once, or fewer when the broker says so. */
const windowMax = 32;
/** A letter sent later than this after it was accepted is marked as replayed. */
const lateMs = 5000;
const pauseMs = 1000;
const refusedPauseMaxMs = 60_000;

export interface SenderOptions {
  readonly outbox: Outbox;
  readonly clock: Clock;
  /**
   * Resolves when the broker has acknowledged; rejects with RefusedError when it said no, with TooLargeError
   * when it takes no letter of this size. `onWritten`: from now on it may have arrived.
   */
  readonly publish: (
    number: number,
    topic: string,
    payload: string,
    onWritten: () => void,
  ) => Promise<void>;
  /** Letters that would go at once. */
  readonly room: () => number;
  /** Some letters were refused; they are tried again after `pauseMs`. */
  readonly onRefused: (topic: string, why: string, pauseMs: number) => void;
  /** This letter will never be taken: it is held back, and somebody must see to it. */
  readonly onHopeless: (number: number, why: string) => void;
  /** Nothing is left to be sent. */
  readonly onIdle: () => void;
}

/**
 * From the outbox to the link: oldest first, a window at a time, removed when acknowledged. After a
 * broken line all that was not acknowledged is sent again, in order. A letter that the broker refuses
 * is tried again with growing pauses until its age limit, and does not hold up the others.
 */
export class Sender {
  private readonly inFlight = new Set<number>();
  /** Sent at least once without an answer. */
  private readonly sentBefore = new Set<number>();
  private readonly refused = new Refusals();
  /** Not to be sent any more; set aside, or about to be. */
  private readonly held = new Set<number>();
  private refusedRounds = 0;
  /** Until refused letters are tried again; null: none are. */
  private roundAfterMs: number | null = null;
  private roundSaid = false;
  private window = 0;
  /** Counts connections: answers to an older one mean nothing for this one. */
  private epoch = 0;
  private nextToSend = 0;
  private pumping = false;
  private again = false;
  private paused = false;
  private cancelPause: () => void = () => undefined;
  private cancelRefused: () => void = () => undefined;
  acknowledged = 0;

  constructor(private readonly options: SenderOptions) {}

  /** false: there is a broker, and it takes no letters. */
  up(open = true): void {
    this.reset();
    this.window = open ? windowMax : 0;
    this.pump();
  }

  down(): void {
    this.reset();
    this.window = 0;
  }

  /** Keeps the window full. */
  pump(): void {
    this.again = true;
    if (this.pumping) return;
    this.pumping = true;
    void this.work();
  }

  /** The others go on without this one. */
  hold(number: number): void {
    this.held.add(number);
    this.pump();
  }

  /** It is gone from the outbox. */
  release(number: number): void {
    this.held.delete(number);
  }

  private reset(): void {
    this.epoch++;
    this.inFlight.clear();
    this.refused.clear();
    this.refusedRounds = 0;
    this.roundAfterMs = null;
    this.nextToSend = 0;
    this.paused = false;
    this.cancelPause();
    this.cancelRefused();
  }

  private async work(): Promise<void> {
    while (this.again) {
      this.again = false;
      while (!this.paused && this.inFlight.size < this.window) {
        const letter = this.following();
        if (letter === undefined) {
          if (this.inFlight.size === 0) this.options.onIdle();
          break;
        }
        if (this.options.room() === 0) break;
        this.nextToSend = letter.number + 1;
        await this.begin(letter);
      }
    }
    this.pumping = false;
  }

  private following(): Waiting | undefined {
    for (const letter of this.options.outbox.from(this.nextToSend))
      if (![this.inFlight, this.refused, this.held].some((set) => set.has(letter.number)))
        return letter;
    return undefined;
  }

  private async begin(waiting: Waiting): Promise<void> {
    const { epoch } = this;
    const { number } = waiting;
    try {
      const letter = await this.options.outbox.read(number);
      if (letter === undefined || epoch !== this.epoch) return;
      const replayed =
        waiting.earlier ||
        this.sentBefore.has(number) ||
        this.options.clock.monotonic() - waiting.sinceMs > lateMs;
      const payload =
        'replayed' in letter.payload ? { ...letter.payload, replayed } : letter.payload;
      this.inFlight.add(number);
      void this.send(number, letter.topic, JSON.stringify(payload), epoch);
    } catch {
      this.pause();
    }
  }

  private async send(number: number, topic: string, payload: string, epoch: number): Promise<void> {
    try {
      await this.options.publish(number, topic, payload, () => this.sentBefore.add(number));
    } catch (error) {
      if (epoch !== this.epoch) return;
      this.inFlight.delete(number);
      if (hopeless(error)) {
        this.held.add(number);
        this.options.onHopeless(number, messageOf(error));
      } else if (error instanceof RefusedError) this.refuse(number, topic, error);
      else this.pause();
      this.pump();
      return;
    }
    this.acknowledged++;
    this.sentBefore.delete(number);
    this.options.outbox.remove(number);
    if (epoch !== this.epoch) return;
    this.inFlight.delete(number);
    if (this.refused.opened(topic)) this.nextToSend = 0;
    this.pump();
  }

  private refuse(number: number, topic: string, error: RefusedError): void {
    this.refused.add(number, topic, error.reason);
    const afterMs = this.planRound();
    if (!this.roundSaid) this.options.onRefused(topic, messageOf(error), afterMs);
    this.roundSaid = true;
  }

  private planRound(): number {
    if (this.roundAfterMs !== null) return this.roundAfterMs;
    const afterMs = Math.min(refusedPauseMaxMs, pauseMs * 2 ** this.refusedRounds++);
    this.roundAfterMs = afterMs;
    this.roundSaid = false;
    this.cancelRefused = this.options.clock.after(afterMs, () => {
      this.roundAfterMs = null;
      this.refused.round((number) => this.options.outbox.has(number));
      // Also when nothing of this round is answered, because it grew too old.
      if (this.refused.size > 0) this.planRound();
      this.nextToSend = 0;
      this.pump();
    });
    return afterMs;
  }

  /** The line or the disk is in trouble without having said so: nothing for a while, then from the oldest. */
  private pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.cancelPause = this.options.clock.after(pauseMs, () => {
      this.paused = false;
      this.nextToSend = 0;
      this.pump();
    });
  }
}

/** Refused for what is in it, or for its size: it would be refused again. */
const hopeless = (error: unknown): boolean =>
  error instanceof TooLargeError ||
  (error instanceof RefusedError && error.reason === reason.payloadFormatInvalid);
