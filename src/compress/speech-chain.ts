import type { Checkpoint } from './checkpoint.js';
import { denseGraph } from './graph/dense.js';
import { ForeignModel, readChain, type Chain } from './import/index.js';

/** A dense network of speech as what the factorisation takes. */
export async function speechChain(checkpoint: Checkpoint): Promise<Chain> {
  const graph = denseGraph(checkpoint, 'float32');
  // The chain's own copy has no output bias and says nothing of features: the checkpoint's is the real one.
  return { ...(await readChain(ForeignModel.parse(graph, 'dense'))), network: checkpoint };
}
