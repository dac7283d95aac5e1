/** dictation: posteriors in, words of a large vocabulary out, by an n-gram model. */
export { compileDictation, defaultWeights, withWeights } from './dictation-graph.js';
export type { DictationGraph, DictationOptions, DictationWeights } from './dictation-graph.js';
export { openSlotModel, openSlotModelInTurns } from './open-slot-model.js';
export type { OpenSlotModel } from './open-slot-model.js';
export { defaultLimits } from './dictation-search.js';
export type { SearchLimits } from './dictation-search.js';
export { parseBoosts } from './boost-list.js';
export { Dictation } from './dictation.js';
export type { Dictated, DictatedWord, PartialDictation } from './dictation.js';
export type { Lattice, LatticeArc } from './lattice.js';
export { DictationStream } from './dictation-stream.js';
export type { DictatedSegment, StreamOptions } from './dictation-stream.js';
export { segmentConfidence, segmentFeatures } from './segment-confidence.js';
export type { DictationEvidence } from './segment-confidence.js';
export { defaultMinConfidence, DictationListener } from './dictation-listener.js';
export type { DictationListenerOptions } from './dictation-listener.js';
