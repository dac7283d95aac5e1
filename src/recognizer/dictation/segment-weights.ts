export interface SegmentWeights {
  readonly bias: number;
  readonly wordMean: number;
  readonly lnWords: number;
  readonly phoneShare: number;
  readonly fit: number;
}

/** Written by dist/bench/dictation-noise.js --fit. */
export const segmentWeights: SegmentWeights = {
  bias: -0.51,
  wordMean: 2.33,
  lnWords: 0,
  phoneShare: 2.7,
  fit: 1.77,
};
