import type { FeatureOptions } from '../bundle/index.js';

/**
 * Rows of a frontend as it would have given them had it begun `frames` hops later: every frame is in some row, as a row
 * has more of them (`stack`) than it is after the one before (`stride`). The last frame stands for those after the end.
 *
 * `rows`: row-major [steps, stack x melBins]; a fresh array of the same shape comes back. `frames`: 0 to `stride`.
 */
export function shiftRows(
  { stack, stride, melBins }: Pick<FeatureOptions, 'stack' | 'stride' | 'melBins'>,
  rows: Float32Array,
  frames: number,
): Float32Array {
  const dim = stack * melBins;
  const steps = rows.length / dim;
  const out = new Float32Array(rows.length);
  for (let t = 0; t < steps; t++) {
    for (let k = 0; k < stack; k++) {
      const frame = k + frames;
      // Beyond this row's last frame it is in a later one.
      const later = frame < stack ? 0 : Math.ceil((frame - stack + 1) / stride);
      const [row, place] =
        t + later < steps ? [t + later, frame - later * stride] : [steps - 1, stack - 1];
      const from = row * dim + place * melBins;
      out.set(rows.subarray(from, from + melBins), t * dim + k * melBins);
    }
  }
  return out;
}
