/** audio: sound files in, mono samples out; resampling; noise at a stated level. */
export { chunkMs } from './chunks.js';
export { soundFileName, soundFilesOf } from './files.js';
export { mixAtSnr, peakFrameEnergy } from './mix.js';
export { pickChannel, readAudioFile } from './read.js';
export type { AudioClip, ReadOptions } from './read.js';
export { resample, Resampler } from './resample.js';
export { encodeWav, parseWav } from './wav.js';
export type { Wav } from './wav.js';
