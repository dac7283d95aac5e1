import { cutAt, type Cut, type PlanAnalysis } from './plan.js';

/**
 * What one unit of a vector's gains costs at the outputs: half of its directions are left out, alone,
 * and the loss that this causes is divided by the gains left out. For networks whose loss cannot be
 * sent back through time. 1 where leaving them out shows nothing, as long as no other vector shows more.
 */
export async function sensitivities(
  analysis: PlanAnalysis,
  lossOf: (cut: Cut) => Promise<number>,
): Promise<readonly number[]> {
  const found: number[] = [];
  for (const [v, basis] of analysis.bases.entries()) {
    const size = analysis.plan.vectors[v]?.size ?? 0;
    const rank = Math.max(1, size >> 1);
    const left = (basis?.gains ?? new Float64Array(0)).slice(rank).reduce((a, b) => a + b, 0);
    if (basis === undefined || !(left > 0)) {
      found.push(0);
      continue;
    }
    const ranks = analysis.plan.vectors.map((_, i) => (i === v ? rank : 0));
    found.push((await lossOf(cutAt(analysis, ranks))) / left);
  }
  const least = Math.min(...found.filter((f) => f > 0 && Number.isFinite(f)), 1);
  return found.map((f) => (f > 0 && Number.isFinite(f) ? f : least));
}

/** The same analysis with the gains of each vector in units of its sensitivity. */
export function scaled(analysis: PlanAnalysis, by: readonly number[]): PlanAnalysis {
  return {
    ...analysis,
    bases: analysis.bases.map(
      (basis, v) => basis && { ...basis, gains: basis.gains.map((g) => g * (by[v] ?? 1)) },
    ),
  };
}
