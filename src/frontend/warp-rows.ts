import type { FeatureOptions } from '../bundle/index.js';
import { mel, warped } from './mel.js';

/**
 * Rows of a frontend without warp as one with it would have given them, nearly: the log energies moved along the mel
 * bands, a straight line between neighbours. What lies beyond the ends is the last band. For an utterance whose audio is gone; the
 * difference to a bank of warped triangles is a fifth to a quarter of what the warp itself changes.
 *
 * `rows`: row-major [steps, stack x melBins], normalised; a fresh array of the same shape comes back.
 */
export function warpRows(o: FeatureOptions, rows: Float32Array, warp: number): Float32Array {
  const from = Array.from({ length: o.melBins }, (_, b) => sourceOf(o, b, warp));
  const energy = (frame: number, b: number) =>
    (rows[frame + b] ?? 0) * (o.std[b] ?? 1) + (o.mean[b] ?? 0);
  const out = new Float32Array(rows.length);
  for (let frame = 0; frame < rows.length; frame += o.melBins) {
    from.forEach(({ band, share }, b) => {
      const log = (1 - share) * energy(frame, band) + share * energy(frame, band + 1);
      out[frame + b] = (log - (o.mean[b] ?? 0)) / (o.std[b] ?? 1);
    });
  }
  return out;
}

/** Between which bands the energy lies that a warp puts at the centre of band `b`: `band` and the one above, with its share. */
function sourceOf(o: FeatureOptions, b: number, warp: number): { band: number; share: number } {
  const low = mel(o.lowHz);
  const spacing = (mel(o.highHz) - low) / (o.melBins + 1);
  const centre = 700 * Math.expm1((low + (b + 1) * spacing) / 1127);
  const at = (mel(unwarped(centre, warp, o.sampleRateHz / 2)) - low) / spacing - 1;
  const inside = Math.min(o.melBins - 1, Math.max(0, at));
  const band = Math.max(0, Math.min(o.melBins - 2, Math.floor(inside)));
  return { band, share: inside - band };
}

/** The frequency that `warped` puts at `hz`. It rises, so halving finds it. */
function unwarped(hz: number, warp: number, halfRateHz: number): number {
  let [low, high] = [0, halfRateHz];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (warped(middle, warp, halfRateHz) < hz) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
