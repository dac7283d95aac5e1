/** Chance with a seed: the same numbers on every machine. */
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';

export class Random {
  private readonly next: () => number;

  constructor(seed: number) {
    this.next = randomFrom(seed);
  }

  /** A whole number from 0, below n. */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  chance(p: number): boolean {
    return this.next() < p;
  }

  of<T>(list: readonly T[]): T {
    const value = list[this.below(list.length)];
    if (value === undefined && list.length === 0) throw new RangeError('nothing to choose from');
    return value as T;
  }

  /** Small numbers are likelier: from 1 to n. */
  size(n: number): number {
    return 1 + (this.below(2 ** this.below(Math.ceil(Math.log2(n + 1)) + 1)) % Math.max(1, n));
  }
}
