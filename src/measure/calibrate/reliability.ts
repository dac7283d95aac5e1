/** From scores to probabilities that mean what they say, and how well they do. Pure. */

export interface Scored {
  readonly score: number;
  readonly right: boolean;
  readonly weight: number;
}

export interface Judged {
  readonly probability: number;
  readonly right: boolean;
  readonly weight: number;
}

const pointsMax = 24;

/**
 * Rising curve from score to share of right answers: pool adjacent violators (Ayer et al., 1955) over
 * equally heavy groups, then straight lines between their means. A group's share is drawn towards one
 * half by `prior` examples of each outcome, so that no few examples make certainty.
 */
export function risingCurve(scored: readonly Scored[], prior = 0.5): [number, number][] {
  const sorted = [...scored].sort((a, b) => a.score - b.score);
  const total = sorted.reduce((s, e) => s + e.weight, 0);
  const perExample = total / Math.max(sorted.length, 1);
  interface Group {
    weight: number;
    right: number;
    score: number;
  }
  const groups: Group[] = [];
  let current: Group = { weight: 0, right: 0, score: 0 };
  for (const { score, right, weight } of sorted) {
    current.weight += weight;
    current.right += right ? weight : 0;
    current.score += score * weight;
    if (current.weight < total / pointsMax) continue;
    groups.push(current);
    current = { weight: 0, right: 0, score: 0 };
  }
  if (current.weight > 0) groups.push(current);
  const share = (g: Group) => (g.right + prior * perExample) / (g.weight + 2 * prior * perExample);
  const pooled: Group[] = [];
  for (const group of groups) {
    let last = group;
    for (let before = pooled.at(-1); before !== undefined; before = pooled.at(-1)) {
      if (share(before) < share(last)) break;
      pooled.pop();
      last = {
        weight: before.weight + last.weight,
        right: before.right + last.right,
        score: before.score + last.score,
      };
    }
    pooled.push(last);
  }
  const curve = pooled.map((g): [number, number] => [round(g.score / g.weight), round(share(g))]);
  const [low, high] = [sorted[0]?.score ?? 0, sorted.at(-1)?.score ?? 1];
  const ends: [number, number][] =
    curve.length < 2 ? [[round(high) + 1, curve[0]?.[1] ?? 0.5]] : [];
  const first: [number, number][] =
    curve.length < 2 ? [[round(low) - 1, curve[0]?.[1] ?? 0.5]] : [];
  return [...first, ...curve, ...ends].filter(
    ([x], i, all) => i === 0 || x > (all[i - 1]?.[0] ?? x),
  );
}

const round = (v: number) => Number(v.toFixed(4));

export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly weight: number;
  readonly confidence: number;
  readonly right: number;
}

/** Ten equally wide bins: mean confidence against share right (DeGroot and Fienberg, 1983). */
export function bins(judged: readonly Judged[], count = 10): Bin[] {
  return Array.from({ length: count }, (_, b) => {
    const [from, to] = [b / count, (b + 1) / count];
    const inside = judged.filter(
      (j) =>
        j.probability >= from && (j.probability < to || (b === count - 1 && j.probability <= 1)),
    );
    const weight = inside.reduce((s, j) => s + j.weight, 0);
    const mean = (f: (j: Judged) => number) =>
      weight === 0 ? 0 : inside.reduce((s, j) => s + f(j) * j.weight, 0) / weight;
    return {
      from,
      to,
      count: inside.length,
      weight,
      confidence: mean((j) => j.probability),
      right: mean((j) => (j.right ? 1 : 0)),
    };
  });
}

/** Expected calibration error (Naeini et al., 2015): the bins' gaps, weighted. */
export function calibrationError(judged: readonly Judged[]): number {
  const all = bins(judged);
  const total = all.reduce((s, b) => s + b.weight, 0);
  return all.reduce((s, b) => s + (b.weight * Math.abs(b.confidence - b.right)) / total, 0);
}

/** Chance that a right answer scores higher than a wrong one: area under the receiver's curve. */
export function areaUnderCurve(scored: readonly { score: number; right: boolean }[]): number {
  const sorted = [...scored].sort((a, b) => a.score - b.score);
  const rights = sorted.filter((s) => s.right).length;
  const wrongs = sorted.length - rights;
  let wrongBelow = 0;
  let pairs = 0;
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (end < sorted.length && sorted[end]?.score === sorted[i]?.score) end++;
    const tied = sorted.slice(i, end);
    const tiedWrong = tied.filter((s) => !s.right).length;
    pairs += (tied.length - tiedWrong) * (wrongBelow + tiedWrong / 2);
    wrongBelow += tiedWrong;
    i = end;
  }
  return rights === 0 || wrongs === 0 ? NaN : pairs / (rights * wrongs);
}
