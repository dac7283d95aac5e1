/**
 * What passes between stages, with units. Types only: stages never import each other, they meet
 * here, in engine/ and in agent/.
 */

/** Mono audio at the rate the bundle asks for (16 kHz), in capture order, without gaps unless `gapBefore`. */
export interface Chunk {
  /** Amplitudes in [-1, 1). */
  readonly samples: Float32Array;
  /** Index of samples[0] since the stream was opened; counts on over re-openings. */
  readonly firstSample: number;
  /** Wall clock (Unix ms) at which the last sample was received. */
  readonly receivedAtMs: number;
  /** True for the first chunk after the microphone was lost: the audio before it does not join. */
  readonly gapBefore: boolean;
}

/** Consecutive model inputs: `steps` rows of `dim` values (stacked, normalised log-mel). */
export interface Steps {
  /** Row-major [steps, dim]. */
  readonly data: Float32Array;
  readonly steps: number;
  readonly dim: number;
  /** Index of row 0 since the frontend was reset. */
  readonly firstStep: number;
}

/** `none`: the device is to have none. */
export type MicState = 'up' | 'lost' | 'silent' | 'none';

/** One spoken word of a recognised sentence; times from the start of the utterance's audio. */
export interface HeardWord {
  readonly word: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0 to 1. */
  readonly confidence: number;
}

export type SlotValue = string | number | boolean;
export type SlotType = 'string' | 'number' | 'boolean';

export type RejectReason =
  | 'low-confidence'
  /** Another command sounds nearly as likely. */
  | 'ambiguous'
  | 'not-a-command'
  | 'too-long'
  | 'noise';

/** What was heard in an open slot of a command; its words are among those of the utterance, between these times. */
export interface OpenSlotHeard {
  /** Mean of its words, 0 to 1; 0 without any. */
  readonly confidence: number;
  /** From the start of the utterance's audio. */
  readonly startMs: number;
  readonly endMs: number;
}

/** The recogniser's answer for one utterance. `accepted` is the decision; the rest is the evidence. */
export interface Heard {
  readonly accepted: boolean;
  /** Why not, when not accepted. */
  readonly reason?: RejectReason;
  /** The sentence as said (best of the grammar), also when refused; '' when nothing was heard. */
  readonly text: string;
  readonly intent: string | null;
  readonly slots: Readonly<Record<string, SlotValue>>;
  /** Another command is too likely, whatever else decided: accepted under no threshold of confidence. */
  readonly ambiguous?: true;
  /** The grammar asks that whoever acts on it makes sure first. */
  readonly confirm?: true;
  /** The words that gave each slot: 15 was said as "fifteen". Slots of the whole sentence have none. */
  readonly said?: Readonly<Record<string, string>>;
  /** Of the slots those in which any words may be said; absent in sentences that have none. */
  readonly openSlots?: Readonly<Record<string, OpenSlotHeard>>;
  /** Probability of being right, 0 to 1. */
  readonly confidence: number;
  readonly words: readonly HeardWord[];
  /** Position of the utterance in the stream, samples since it was opened. */
  readonly startSample: number;
  readonly endSample: number;
  /** First and last word, ms from startSample. */
  readonly startMs: number;
  readonly endMs: number;
  /** The best sentence that means something else, if any. */
  readonly second?: { readonly text: string; readonly margin: number };
  /** Scores behind the confidence, for logs of numbers, calibration and reports. */
  readonly evidence: Readonly<Record<string, number>>;
}

/** What the sentence is so far, while it is being spoken. */
export interface Partial {
  readonly text: string;
  readonly startSample: number;
}
