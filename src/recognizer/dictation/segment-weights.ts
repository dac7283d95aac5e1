export interface SegmentWeights {
  readonly bias: number;
  readonly wordMean: number;
  readonly lnWords: number;
  readonly phoneShare: number;
  readonly fit: number;
}

/** Written by dist/bench/dictation-noise.js --fit. */
export const segmentWeights: SegmentWeights = {
  bias: -1.2,
  wordMean: 0.75,
  lnWords: 0.48,
  phoneShare: 10.3,
  fit: 0.86,
};
