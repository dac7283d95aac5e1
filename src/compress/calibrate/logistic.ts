/** One judged clip: evidence by name, and whether the answer was right. */
export interface Example {
  readonly evidence: Readonly<Record<string, number>>;
  readonly right: boolean;
}

export interface Fitted {
  readonly bias: number;
  readonly weights: Readonly<Record<string, number>>;
}

/**
 * Logistic regression by gradient descent on standardised evidence with an L2 penalty, given back in
 * the evidence's own units. Both outcomes weigh the same, so the share of each in the data does not matter.
 */
export function fitLogistic(
  examples: readonly Example[],
  names: readonly string[],
  l2 = 0.01,
): Fitted {
  const rows = examples.map((e) => names.map((n) => e.evidence[n] ?? 0));
  const mean = names.map((_, j) => rows.reduce((s, r) => s + (r[j] ?? 0), 0) / rows.length);
  const std = names.map((_, j) =>
    Math.sqrt(
      rows.reduce((s, r) => s + ((r[j] ?? 0) - (mean[j] ?? 0)) ** 2, 0) / rows.length + 1e-12,
    ),
  );
  const x = rows.map((r) => r.map((v, j) => (v - (mean[j] ?? 0)) / (std[j] ?? 1)));
  const rights = examples.filter((e) => e.right).length;
  const weightOf = (right: boolean) => 0.5 / Math.max(1, right ? rights : examples.length - rights);
  const w = names.map(() => 0);
  let bias = 0;
  for (let round = 0; round < 4000; round++) {
    const gradient = w.map((v) => l2 * v);
    let biasGradient = 0;
    x.forEach((r, i) => {
      const right = examples[i]?.right === true;
      const p = 1 / (1 + Math.exp(-(bias + r.reduce((s, v, j) => s + v * (w[j] ?? 0), 0))));
      const error = (p - (right ? 1 : 0)) * weightOf(right);
      r.forEach((v, j) => (gradient[j] = (gradient[j] ?? 0) + error * v));
      biasGradient += error;
    });
    for (let j = 0; j < w.length; j++) w[j] = (w[j] ?? 0) - (gradient[j] ?? 0);
    bias -= biasGradient;
  }
  return {
    bias: bias - w.reduce((s, v, j) => s + (v * (mean[j] ?? 0)) / (std[j] ?? 1), 0),
    weights: Object.fromEntries(names.map((n, j) => [n, (w[j] ?? 0) / (std[j] ?? 1)])),
  };
}
