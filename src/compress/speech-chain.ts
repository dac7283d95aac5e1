import type { Checkpoint } from './checkpoint.js';
import type { Subject } from './factorize/index.js';
import { denseGraph } from './graph/dense.js';
import { takeForeign } from './import/index.js';

/** A dense network of speech as what the factorisation takes. */
export async function speechChain(checkpoint: Checkpoint): Promise<Required<Subject>> {
  const foreign = await takeForeign(denseGraph(checkpoint, 'float32'), 'dense');
  // Of the graph only what it reads counts; the network itself is the checkpoint's.
  return { foreign, network: checkpoint };
}
