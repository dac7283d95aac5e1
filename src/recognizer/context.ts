import type { Confidence, Decoding } from '../bundle/index.js';
import type { Acoustic, Look } from './acoustic.js';
import type { CompiledGrammar } from './graph.js';
import type { OpenSlotModel } from './dictation/open-slot-model.js';

/** What an utterance needs to know, shared by all and frozen. */
export interface UtteranceContext {
  readonly acoustic: Acoustic;
  readonly grammar: CompiledGrammar;
  readonly decoding: Decoding;
  readonly confidence: Confidence;
  /** Default threshold; an intent may have its own. */
  readonly minConfidence: number;
  /** Least probability that no other command was meant; an intent with a threshold of its own goes by that alone. */
  readonly minCertainty: number;
  /** Other ways through the network, shifts before vocal tracts; which are asked is for judge.ts to say. */
  readonly looks: readonly Look[];
  /** For sentences with open slots; absent: there are none. */
  readonly openSlots?: OpenSlotModel;
  readonly stepMs: number;
  readonly samplesPerMs: number;
  /** What one step looks at beyond its own 1/stepMs, in ms. */
  readonly lookaheadMs: number;
  readonly maxSteps: number;
}
