/** Level of one row of features: the mean of its normalised log-mel energies, in standard deviations. */
export function levelOf(row: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += row[i] ?? 0;
  return sum / Math.max(row.length, 1);
}

/** Steps of the running mean, and of the stretch whose minimum is the floor: 150 ms and 3 s at 30 ms. */
const smoothingSteps = 5;
const memorySteps = 100;
/** Speech reaches back this far: the network says a phone later than it sounds. */
const recentSteps = 10;
/** Louder than the floor by this much can be speech: about 1 dB, above the flutter of steady noise. */
const aboveFloor = 0.08;

/**
 * How loud it is when nobody speaks, by minimum statistics (Martin, 2001): the smallest smoothed level
 * of the last seconds. A machine that starts raises it within that time, and one that never goes
 * quiet is the floor itself, so it cannot pass for speech.
 */
export class NoiseFloor {
  private readonly recent: number[] = [];
  private readonly smoothed: number[] = [];

  feed(level: number): void {
    this.recent.push(level);
    if (this.recent.length > recentSteps) this.recent.shift();
    const last = this.recent.slice(-smoothingSteps);
    this.smoothed.push(last.reduce((a, b) => a + b, 0) / last.length);
    if (this.smoothed.length > memorySteps) this.smoothed.shift();
  }

  get floor(): number {
    return this.smoothed.length === 0 ? -Infinity : Math.min(...this.smoothed);
  }

  /** Whether anything of the last moments stood out of the noise. */
  get lively(): boolean {
    return this.recent.length === 0 || Math.max(...this.recent) > this.floor + aboveFloor;
  }
}
