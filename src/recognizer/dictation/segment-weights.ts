export interface SegmentWeights {
  readonly bias: number;
  readonly wordMean: number;
  readonly lnWords: number;
  readonly phoneShare: number;
}

/** Written by dist/bench/dictation-noise.js --fit. */
export const segmentWeights: SegmentWeights = {
  bias: -4.95,
  wordMean: 2.26,
  lnWords: 1.99,
  phoneShare: 6.78,
};
