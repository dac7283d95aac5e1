/** Level of one row of features: the mean of its normalised log-mel energies, in standard deviations. */
export function levelOf(row: Float32Array): number {
  let sum = 0;
  for (const value of row) sum += value;
  return sum / Math.max(row.length, 1);
}
