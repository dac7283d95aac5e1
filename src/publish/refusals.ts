import { reason } from './reasons.js';

/**
 * Letters that the broker has refused and that wait to be tried again. "Not authorised" is said of a topic: of all that
 * wait there one is tried a round, or a topic that is closed for days would send everything again each minute. The
 * others follow as soon as the topic is seen to be open.
 */
export class Refusals {
  private readonly letters = new Map<number, string>();
  /** Topics that were closed to a letter, and of each what waits for it to open. */
  private readonly closed = new Map<string, Set<number>>();

  has(number: number): boolean {
    return this.letters.has(number);
  }

  get size(): number {
    return this.letters.size;
  }

  add(number: number, topic: string, code: number): void {
    this.letters.set(number, topic);
    if (code !== reason.notAuthorized) return;
    const waiting = this.closed.get(topic) ?? new Set();
    this.closed.set(topic, waiting.add(number));
  }

  /** A letter was taken on this topic; whether others may follow. */
  opened(topic: string): boolean {
    const waiting = this.closed.get(topic);
    if (waiting === undefined) return false;
    this.closed.delete(topic);
    for (const number of waiting) this.letters.delete(number);
    return waiting.size > 0;
  }

  /** What is to be tried now is not refused any more: one letter of each closed topic, the oldest, and all others. */
  round(isKept: (number: number) => boolean): void {
    const stays = new Set<number>();
    for (const [topic, waiting] of this.closed) {
      for (const number of waiting) if (!isKept(number)) waiting.delete(number);
      let oldest = Infinity;
      for (const number of waiting) oldest = Math.min(oldest, number);
      waiting.delete(oldest);
      for (const number of waiting) stays.add(number);
      if (waiting.size === 0) this.closed.delete(topic);
    }
    for (const number of this.letters.keys()) if (!stays.has(number)) this.letters.delete(number);
  }

  clear(): void {
    this.letters.clear();
    this.closed.clear();
  }
}
