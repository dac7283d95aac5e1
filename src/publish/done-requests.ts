/** What was asked with `once`, and the answers: asked again, it is answered as before and not done again. */
import type { Clock } from '../runtime/clock.js';

/** As long as one who asks may go on trying. */
export const onceMs = 600_000;
/** Beyond it the oldest is forgotten. */
export const onceMax = 64;
/** Characters of a mark. */
export const onceLengthMax = 64;

interface Done<T> {
  readonly atMs: number;
  readonly answer: Promise<T>;
}

/** In memory alone: a restart forgets. */
export class DoneRequests<T> {
  /** The oldest first. */
  private readonly known = new Map<string, Done<T>>();

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  /** The answer to the one before, also where it is still at work. */
  answerOf(name: string, once: string): Promise<T> | undefined {
    this.forget();
    return this.known.get(keyOf(name, once))?.answer;
  }

  add(name: string, once: string, answer: Promise<T>): void {
    this.known.set(keyOf(name, once), { atMs: this.clock.monotonic(), answer });
    this.forget();
  }

  private forget(): void {
    const now = this.clock.monotonic();
    for (const [key, { atMs }] of this.known) {
      if (now - atMs < onceMs && this.known.size <= onceMax) return;
      this.known.delete(key);
    }
  }
}

/** No name of a request has a space. */
const keyOf = (name: string, once: string) => `${name} ${once}`;
