/** What hearing one second of audio took, as shares of real time. */
export interface Cost {
  /** Processor time of all threads. Hardly grows when others want the processor too. */
  readonly processor: number;
  /** From begin to end, waiting for the processor included. */
  readonly wall: number;
}

/** doubt: the board was busy, so the figure may be that of its neighbours. */
export type Weight = 'fits' | 'slow' | 'doubt';

/**
 * Neighbours take caches and shared units away: processor time grows with them as well, by less than this
 * (0.7 to 1.2 times measured with ten busy programs on two cores, while the clock showed twenty times as much).
 */
const neighboursTimes = 2;
/** Waiting this much longer than computing means that others had the processor. */
const busyTimes = 1.5;

/** With several threads the end comes sooner than their time adds up to. */
export const costOf = ({ processor, wall }: Cost) => Math.min(processor, wall);

const waited = ({ processor, wall }: Cost) => wall > busyTimes * processor;

/**
 * Whether a bundle is slow by itself. `running` is what hears, measured in the same way in the same minute:
 * when that is beyond the limit too, or had to wait, the board was busy. Null: it could not be measured.
 */
export function weigh(candidate: Cost, running: Cost | null, limit: number): Weight {
  const cost = costOf(candidate);
  if (cost <= limit) return 'fits';
  if (cost > neighboursTimes * limit) return 'slow';
  const busy = waited(candidate) || running === null || waited(running);
  return busy || costOf(running) > limit ? 'doubt' : 'slow';
}
