import type { FeatureOptions } from '../bundle/index.js';

/** HTK's mel scale, natural logarithm form: 1127 ln(1 + f / 700). */
export function mel(hz: number): number {
  return 1127 * Math.log(1 + hz / 700);
}

/** One triangle: weights of consecutive FFT bins from `first`. */
export interface Triangle {
  readonly first: number;
  readonly weights: Float64Array;
}

/** Share of half the sample rate up to which a warp is a plain factor; above, it goes straight to the end. */
const warpEdge = 0.8;

/**
 * Vocal-tract length perturbation, piecewise linear (Lee and Rose, 1996): where the energy at `hz` is
 * put. A warp of 1 gives back `hz` itself, bit by bit.
 */
export function warped(hz: number, warp: number, halfRateHz: number): number {
  if (warp === 1) return hz;
  const edge = (warpEdge * halfRateHz) / Math.max(warp, 1);
  if (hz <= edge) return hz / warp;
  const at = edge / warp;
  return at + ((hz - edge) * (halfRateHz - at)) / (halfRateHz - edge);
}

/**
 * Triangles of peak 1, edges equally spaced in mel between lowHz and highHz, evaluated in mel at bin
 * centres, which a warp moves.
 */
export function triangles(o: FeatureOptions, warp = 1): Triangle[] {
  const low = mel(o.lowHz);
  const spacing = (mel(o.highHz) - low) / (o.melBins + 1);
  return Array.from({ length: o.melBins }, (_, b) => {
    const [left, centre, right] = [
      low + b * spacing,
      low + (b + 1) * spacing,
      low + (b + 2) * spacing,
    ];
    let first = -1;
    const weights: number[] = [];
    for (let k = 0; k <= o.fftSize / 2; k++) {
      const m = mel(warped((k * o.sampleRateHz) / o.fftSize, warp, o.sampleRateHz / 2));
      const weight = Math.min((m - left) / (centre - left), (right - m) / (right - centre));
      if (weight > 0) {
        if (first < 0) first = k;
        weights.push(weight);
      }
    }
    return { first: Math.max(first, 0), weights: Float64Array.from(weights) };
  });
}

/** Window of `length` points: periodic Hann, or Hamming. */
export function windowOf(kind: FeatureOptions['window'], length: number): Float64Array {
  return Float64Array.from({ length }, (_, n) => {
    const c = Math.cos((2 * Math.PI * n) / length);
    return kind === 'hann' ? 0.5 - 0.5 * c : 0.54 - 0.46 * c;
  });
}
