import {
  DictationStream,
  type DictatedSegment,
  type DictationGraph,
} from '../recognizer/dictation/index.js';
import type { Engine } from './engine.js';

/** Samples that are worked on at once: a second. */
const pieceSamples = 16_000;

/** Segments of a recording, as they end. What is held does not grow with its length. */
export async function* dictate(
  engine: Engine,
  graph: DictationGraph,
  samples: Float32Array,
): AsyncGenerator<DictatedSegment> {
  const { features, network, decoding } = engine.bundle.manifest;
  const frontend = engine.frontend();
  const stream = new DictationStream(engine.acoustic, graph, decoding, {
    stepMs: features.hopMs * features.stride,
    chunkSteps: network.chunkSteps,
  });
  for (let at = 0; at < samples.length; at += pieceSamples)
    yield* await stream.feed(frontend.feed(samples.subarray(at, at + pieceSamples)).data);
  yield* await stream.finish();
}
