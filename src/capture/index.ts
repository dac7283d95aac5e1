/** capture: a microphone in, chunks out; lost ones are opened again. */
export { Capture } from './capture.js';
export type { CaptureEvents, CaptureOptions } from './capture.js';
