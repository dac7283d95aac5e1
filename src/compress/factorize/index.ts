export { audioFeeds, soundFiles } from './audio-feeds.js';
export {
  bytesAt8Bits,
  bytesRewritten,
  parameters,
  priceOf,
  smallestPrice,
  withinBudget,
  type Price,
} from './budget.js';
export { collect } from './collect.js';
export {
  compress,
  prepare,
  type CompressionFacts,
  type CompressOptions,
  type Target,
} from './compress.js';
export { readCosts } from './costs-file.js';
export { measureCosts, type Loss } from './costs.js';
export { Divergence } from './divergence.js';
export {
  analyseDataAware,
  analysePaper,
  factorize,
  type Analysis,
  type Ranks,
} from './factorize.js';
export { explainedRank, waterFill } from './ranks.js';
