/** frontend: samples in, stacked log-mel steps out. Pure: no clock, no files, no process. */
export { Frontend } from './frontend.js';
export { shiftRows } from './shift-rows.js';
export { warpRows } from './warp-rows.js';
