export { readChain, type Chain, type Head } from './chain.js';
export type { ForeignLayer } from './lstm-node.js';
export { ForeignModel, refused } from './model.js';
export { rewrite } from './rewrite.js';
export { Runner, type Feed, type Value } from './runtime.js';
export { largestDifference, openForeign } from './foreign.js';
export { madeSeries, readSeries, seriesFeeds } from './series.js';
