export { audioFeeds, recordings, soundFiles } from './audio-feeds.js';
export {
  bytesAt8Bits,
  parameters,
  priceOf,
  smallestPrice,
  withinBudget,
  type PriceOf,
} from './budget.js';
export { collect } from './collect.js';
export {
  compress,
  prepare,
  type CompressionFacts,
  type CompressOptions,
  type Subject,
  type Target,
} from './compress.js';
export { readCosts } from './costs-file.js';
export { measureCosts, type Loss } from './costs.js';
export { Divergence } from './divergence.js';
export {
  analyseDataAware,
  analysePaper,
  analysisOf,
  checkpointOf,
  factorize,
  type Analysis,
  type Ranks,
} from './factorize.js';
export {
  analyseByReaders,
  analyseByRecurrent,
  cutAt,
  uncut,
  type Cut,
  type Plan,
  type PlanAnalysis,
} from './plan.js';
export { multipliedOut } from './multiplied-out.js';
export { explainedRank, waterFill } from './ranks.js';
export { refit, type Refitted, type RefitOptions } from './refit.js';
