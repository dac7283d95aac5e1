import { logSoftmax } from '../../recognizer/index.js';

/** How far one network's answers are from another's, over many steps. */
export interface Distance {
  readonly steps: number;
  /** Root of the mean squared difference of logits. */
  readonly rms: number;
  readonly largest: number;
  /** Share of steps whose best unit is the same. */
  readonly sameBest: number;
  /** Mean Kullback-Leibler divergence of the second from the first, nats a step. */
  readonly divergence: number;
}

/** Both row-major [steps, units] raw logits. */
export function distance(a: Float32Array, b: Float32Array, units: number): Distance {
  if (a.length !== b.length) throw new Error('different numbers of steps');
  const steps = a.length / units;
  const [logA, logB] = [logSoftmax(a, units), logSoftmax(b, units)];
  let [squares, largest, same, divergence] = [0, 0, 0, 0];
  for (let row = 0; row < a.length; row += units) {
    let [bestA, bestB] = [0, 0];
    for (let u = 0; u < units; u++) {
      const difference = Math.abs((a[row + u] ?? 0) - (b[row + u] ?? 0));
      squares += difference ** 2;
      largest = Math.max(largest, difference);
      const [pA, pB] = [logA[row + u] ?? 0, logB[row + u] ?? 0];
      divergence += Math.exp(pA) * (pA - pB);
      if (pA > (logA[row + bestA] ?? 0)) bestA = u;
      if (pB > (logB[row + bestB] ?? 0)) bestB = u;
    }
    if (bestA === bestB) same++;
  }
  const rows = Math.max(steps, 1);
  return {
    steps,
    rms: Math.sqrt(squares / Math.max(a.length, 1)),
    largest,
    sameBest: same / rows,
    divergence: divergence / rows,
  };
}
