import type { Mat } from '../../src/compress/factorize/matrix.js';

/**
 * Singular values and right singular vectors (as rows), largest first, by one-sided Jacobi rotations
 * (Hestenes, 1958): slow, obvious, and accurate for the small ones too.
 */
export function jacobiSvd({ rows, cols, data }: Mat): { values: number[]; right: number[][] } {
  const columns = Array.from({ length: cols }, (_, j) =>
    Array.from({ length: rows }, (_, i) => data[i * cols + j] ?? 0),
  );
  const right = columns.map((_, j) => columns.map((_, i): number => (i === j ? 1 : 0)));
  const dot = (a: number[], b: number[]) => a.reduce((sum, v, i) => sum + v * (b[i] ?? 0), 0);
  const rotate = (a: number[], b: number[], cos: number, sin: number) =>
    a.forEach((v, i) => {
      const w = b[i] ?? 0;
      a[i] = cos * v - sin * w;
      b[i] = sin * v + cos * w;
    });
  for (let sweep = 0, off = 1; sweep < 60 && off > 1e-14; sweep++) {
    off = 0;
    for (let p = 0; p < cols; p++) {
      for (let q = p + 1; q < cols; q++) {
        const [a = [], b = []] = [columns[p], columns[q]];
        const [alpha, beta, gamma] = [dot(a, a), dot(b, b), dot(a, b)];
        if (gamma === 0) continue;
        off = Math.max(off, Math.abs(gamma) / Math.sqrt(alpha * beta));
        const zeta = (beta - alpha) / (2 * gamma);
        const tan = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const cos = 1 / Math.sqrt(1 + tan * tan);
        rotate(a, b, cos, cos * tan);
        rotate(right[p] ?? [], right[q] ?? [], cos, cos * tan);
      }
    }
  }
  const order = columns.map((_, j) => j);
  const values = columns.map((c) => Math.sqrt(dot(c, c)));
  order.sort((i, j) => (values[j] ?? 0) - (values[i] ?? 0));
  return { values: order.map((j) => values[j] ?? 0), right: order.map((j) => right[j] ?? []) };
}
