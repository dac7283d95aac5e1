export interface SegmentWeights {
  readonly bias: number;
  readonly wordMean: number;
  readonly lnWords: number;
  readonly phoneShare: number;
  readonly fit: number;
}

/** Written by dist/bench/dictation-noise.js --fit. */
export const segmentWeights: SegmentWeights = {
  bias: -0.59,
  wordMean: 2.94,
  lnWords: 0.13,
  phoneShare: 1.75,
  fit: 1.73,
};
