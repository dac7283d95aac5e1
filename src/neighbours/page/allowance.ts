import type { Clock } from '../../runtime/clock.js';

/** More addresses than this are not told apart; the one not seen for longest is forgotten. */
const addressesMax = 256;

/** So many at once, and so many a second after that, for each address (token bucket). */
export class Allowance {
  private readonly left = new Map<string, { readonly amount: number; readonly atMs: number }>();

  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly atOnce: number,
    private readonly perSecond: number,
  ) {}

  /** False when it is used up; then the asking costs nothing. */
  take(address: string): boolean {
    const left = this.of(address);
    if (left < 1) return false;
    this.keep(address, left - 1);
    return true;
  }

  /** Whether there is one, without taking it. */
  has(address: string): boolean {
    return this.of(address) >= 1;
  }

  private of(address: string): number {
    const known = this.left.get(address);
    if (known === undefined) return this.atOnce;
    const seconds = (this.clock.monotonic() - known.atMs) / 1000;
    return Math.min(this.atOnce, known.amount + seconds * this.perSecond);
  }

  private keep(address: string, amount: number): void {
    this.left.delete(address);
    this.left.set(address, { amount, atMs: this.clock.monotonic() });
    const [oldest] = this.left.keys();
    if (this.left.size > addressesMax && oldest !== undefined) this.left.delete(oldest);
  }
}
