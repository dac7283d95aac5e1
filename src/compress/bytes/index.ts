export { compareOutputs, inPieces, type OutputDistance, type TimeAxis } from './compare.js';
export type { InFloat } from './matrices.js';
export type { Rule } from './ranges.js';
export { inBytes, openForBytes, type InBytes, type Opened } from './quantize.js';
