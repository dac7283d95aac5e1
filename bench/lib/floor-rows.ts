import type { FeatureOptions } from '../../src/bundle/index.js';

/** Natural logarithm of a factor in power for each dB. */
const natsPerDb = Math.log(10) / 10;

/**
 * Rows of a frontend with a floor for each mel band: the percentile of all its frames and `aboveDb` more. What is quieter
 * is as loud as the floor, so that a steady noise stands still.
 *
 * `rows`: normalised, row-major [steps, stack x melBins]; a fresh array of the same shape comes back. `percentile`: 0 to 100,
 * linear between neighbours.
 */
export function floorRows(
  { melBins, std }: Pick<FeatureOptions, 'melBins' | 'std'>,
  rows: Float32Array,
  { aboveDb, percentile = 25 }: { readonly aboveDb: number; readonly percentile?: number },
): Float32Array {
  const out = new Float32Array(rows);
  const values = new Float32Array(rows.length / melBins);
  for (let bin = 0; bin < melBins; bin++) {
    for (let i = 0; i < values.length; i++) values[i] = rows[i * melBins + bin] ?? 0;
    const floor = percentileOf(values.sort(), percentile) + (aboveDb * natsPerDb) / (std[bin] ?? 1);
    for (let i = bin; i < out.length; i += melBins) out[i] = Math.max(out[i] ?? 0, floor);
  }
  return out;
}

function percentileOf(sorted: Float32Array, percentile: number): number {
  const at = (percentile / 100) * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below] ?? 0;
  return low + (at - below) * ((sorted[below + 1] ?? low) - low);
}
