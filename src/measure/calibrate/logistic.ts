/** One judged clip: evidence by name, whether the answer was right, and how much it counts. */
export interface Example {
  readonly evidence: Readonly<Record<string, number>>;
  readonly right: boolean;
  /** Absent: both outcomes weigh the same in sum, so their share in the data does not matter. */
  readonly weight?: number;
}

export interface Fitted {
  readonly bias: number;
  readonly weights: Readonly<Record<string, number>>;
}

const rounds = 3000;
const momentum = 0.9;

/**
 * Logistic regression by gradient descent with momentum on standardised evidence with an L2 penalty,
 * given back in the evidence's own units.
 */
export function fitLogistic(
  examples: readonly Example[],
  /** Names, and the sign that each weight may have: what speaks for must never count against by chance. */
  signs: Readonly<Record<string, -1 | 0 | 1>>,
  l2 = 0.01,
): Fitted {
  const names = Object.keys(signs);
  const n = examples.length;
  const d = names.length;
  const x = new Float64Array(n * d);
  examples.forEach((e, i) => names.forEach((name, j) => (x[i * d + j] = e.evidence[name] ?? 0)));
  const { mean, std } = standardise(x, n, d);
  const importance = weightsOf(examples);
  const w = new Float64Array(d);
  const speed = new Float64Array(d + 1);
  let bias = 0;
  for (let round = 0; round < rounds; round++) {
    const gradient = new Float64Array(d + 1);
    for (let i = 0; i < n; i++) {
      let sum = bias;
      for (let j = 0; j < d; j++) sum += (x[i * d + j] ?? 0) * (w[j] ?? 0);
      const target = examples[i]?.right === true ? 1 : 0;
      const error = (1 / (1 + Math.exp(-sum)) - target) * (importance[i] ?? 0);
      for (let j = 0; j < d; j++) gradient[j] = (gradient[j] ?? 0) + error * (x[i * d + j] ?? 0);
      gradient[d] = (gradient[d] ?? 0) + error;
    }
    for (let j = 0; j <= d; j++) {
      const slope = (gradient[j] ?? 0) + (j < d ? l2 * (w[j] ?? 0) : 0);
      speed[j] = momentum * (speed[j] ?? 0) - 0.3 * slope;
      if (j < d) {
        const next = (w[j] ?? 0) + (speed[j] ?? 0);
        const wrongWay = next * (signs[names[j] ?? ''] ?? 0) < 0;
        w[j] = wrongWay ? 0 : next;
        if (wrongWay) speed[j] = 0;
      } else bias += speed[j] ?? 0;
    }
  }
  const natural = names.map((_, j) => (w[j] ?? 0) / (std[j] ?? 1));
  return {
    bias: bias - natural.reduce((s, v, j) => s + v * (mean[j] ?? 0), 0),
    weights: Object.fromEntries(names.map((name, j) => [name, natural[j] ?? 0])),
  };
}

/** Makes each column mean 0 and deviation 1, in place. */
function standardise(x: Float64Array, n: number, d: number): { mean: number[]; std: number[] } {
  const mean: number[] = [];
  const std: number[] = [];
  for (let j = 0; j < d; j++) {
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i++) {
      sum += x[i * d + j] ?? 0;
      squares += (x[i * d + j] ?? 0) ** 2;
    }
    const m = sum / Math.max(n, 1);
    const s = Math.sqrt(Math.max(squares / Math.max(n, 1) - m * m, 1e-12));
    for (let i = 0; i < n; i++) x[i * d + j] = ((x[i * d + j] ?? 0) - m) / s;
    mean.push(m);
    std.push(s);
  }
  return { mean, std };
}

/** Importance of each example, with sum 1. */
function weightsOf(examples: readonly Example[]): number[] {
  if (examples.some((e) => e.weight !== undefined)) {
    const total = examples.reduce((s, e) => s + (e.weight ?? 1), 0);
    return examples.map((e) => (e.weight ?? 1) / total);
  }
  const rights = examples.filter((e) => e.right).length;
  return examples.map((e) => 0.5 / Math.max(1, e.right ? rights : examples.length - rights));
}
