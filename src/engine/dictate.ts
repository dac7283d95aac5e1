import {
  DictationStream,
  type DictatedSegment,
  type DictationGraph,
} from '../recognizer/dictation/index.js';
import type { Engine } from './engine.js';

/** Samples that are worked on at once: a second. */
const pieceSamples = 16_000;

/** Silence before a recording: the network hears nothing of a short word with which a recording begins. */
const silenceMs = 300;

/** Segments of a recording, as they end. What is held does not grow with its length. */
export async function* dictate(
  engine: Engine,
  graph: DictationGraph,
  samples: Float32Array,
): AsyncGenerator<DictatedSegment> {
  const { features, network, decoding } = engine.bundle.manifest;
  const stepMs = features.hopMs * features.stride;
  const frontend = engine.frontend();
  const stream = new DictationStream(engine.acoustic, graph, decoding, {
    stepMs,
    chunkSteps: network.chunkSteps,
  });
  const chunkMs = stepMs * network.chunkSteps;
  const beforeMs = Math.ceil(silenceMs / chunkMs) * chunkMs;
  const hear = async (part: Float32Array) =>
    (await stream.feed(frontend.feed(part).data)).map((said) => sooner(said, beforeMs));
  yield* await hear(new Float32Array(Math.round((beforeMs * features.sampleRateHz) / 1000)));
  for (let at = 0; at < samples.length; at += pieceSamples)
    yield* await hear(samples.subarray(at, at + pieceSamples));
  yield* (await stream.finish()).map((said) => sooner(said, beforeMs));
}

/** Counted from the recording's own beginning. */
function sooner(segment: DictatedSegment, beforeMs: number): DictatedSegment {
  const at = (ms: number) => Math.max(0, ms - beforeMs);
  const { startMs, endMs, words } = segment;
  return {
    ...segment,
    ...{ startMs: at(startMs), endMs: at(endMs) },
    words: words.map((w) => ({ ...w, startMs: at(w.startMs), endMs: at(w.endMs) })),
  };
}
