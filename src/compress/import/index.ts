export {
  chainOf,
  checkUnderstood,
  largestDifference,
  openForeign,
  takeForeign,
} from './foreign.js';
export { checkShape, inTurn, recordedCalls, stated, type Calls, type CallShape } from './calls.js';
export { ForeignModel } from './model.js';
export {
  parametersOf,
  readForeign,
  type Foreign,
  type Head,
  type Layer,
  type Left,
} from './network.js';
export { readOnnx } from './open.js';
export { floats as tensorValues, refused } from './proto.js';
export { rewrite, rewriteWhole } from './rewrite.js';
export { Runner, type Feed, type Value } from './runtime.js';
export {
  madeSeries,
  openTime,
  readSeries,
  seriesCalls,
  seriesFeeds,
  type SeriesTaker,
} from './series.js';
export { Taps } from './taps.js';
export { survey, type Survey, type SurveyedNode } from './survey.js';
export {
  isStateDict,
  readStateDict,
  stateDictOnnx,
  writeStateDict,
  type StateDict,
} from './state-dict.js';
