import type { Manifest } from '../bundle/index.js';

/** Our own kernel (kernel/step-kernel.ts), or ONNX Runtime; where both can, the same bits. */
export type ComputedBy = 'kernel' | 'onnxruntime';

/** What computes a network's steps. Nothing of an utterance stays in it. */
export interface Network {
  readonly computedBy: ComputedBy;
  /** Gives its memory back; nothing may run in it any more. */
  close(): Promise<void>;
  /** From zero state. */
  begin(): NetworkRun;
}

/** The network of one utterance. */
export interface NetworkRun {
  /** Rows of features in, any number of them; raw outputs of each. */
  run(rows: Float32Array): Promise<Float32Array>;
}

/** Values of a row. */
export const inputsOf = ({ features }: Manifest): number => features.stack * features.melBins;
