export interface SegmentWeights {
  readonly bias: number;
  readonly wordMean: number;
  readonly lnWords: number;
  readonly phoneShare: number;
  readonly fit: number;
}

/** Written by dist/bench/dictation-noise.js --fit. */
export const segmentWeights: SegmentWeights = {
  bias: 0.07,
  wordMean: 3.1,
  lnWords: 0.4,
  phoneShare: 0,
  fit: 1.79,
};
