import type { Engine } from '../../engine/engine.js';
import type { Heard } from '../../records.js';
import type { CompiledGrammar, Recognizer } from '../../recognizer/index.js';
import { quantile, wilson, type Interval } from './statistics.js';
import { hearStream } from './stream.js';

/** One clip played to the listener: how long after its last word the answer came. */
export interface EndpointOutcome {
  readonly file: string;
  /** From the end of the last word to the decision: audio time and the time to compute. null: no answer. */
  readonly latencyMs: number | null;
  /** The audio time alone, which no load of the machine changes. */
  readonly waitMs: number | null;
  /** The sentence was ended before the speaker was done with it. */
  readonly cutOff: boolean;
}

/**
 * Plays a clip, paced by its own samples. Cut off means: an answer was decided between the first word
 * and the end of the last one.
 */
export async function measureEndpoint(
  engine: Engine,
  recognizer: Recognizer,
  file: string,
  /** The clip and what goes on after it, so that an end can be found. */
  samples: Float32Array,
  /** The clip without noise, heard at once: where its words are. */
  whole: Heard,
): Promise<EndpointOutcome | null> {
  const perMs = engine.bundle.manifest.features.sampleRateHz / 1000;
  const [firstWord, lastWord] = [whole.words[0], whole.words.at(-1)];
  if (firstWord === undefined || lastWord === undefined) return null;
  const events = await hearStream(engine, recognizer, samples);
  // The answer that holds the last word.
  const answer = events.find((e) => e.decidedSample / perMs >= lastWord.endMs - slackMs);
  const early = events.some(({ decidedSample }) => {
    const decidedMs = decidedSample / perMs;
    return decidedMs > firstWord.endMs && decidedMs < lastWord.endMs - slackMs;
  });
  const waitMs = answer === undefined ? null : answer.decidedSample / perMs - lastWord.endMs;
  return {
    file,
    waitMs,
    latencyMs: answer === undefined || waitMs === null ? null : waitMs + answer.computeMs,
    cutOff: early,
  };
}

/** Two alignments of the same word differ by this much at most. */
const slackMs = 90;

export interface EndpointSummary {
  readonly clips: number;
  readonly unanswered: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
  readonly waitP50Ms: number;
  readonly waitP95Ms: number;
  readonly cutOffs: Interval;
}

export function summariseEndpoints(outcomes: readonly EndpointOutcome[]): EndpointSummary {
  const whole = outcomes.filter((o) => !o.cutOff);
  const times = whole.flatMap((o) => o.latencyMs ?? []);
  const waits = whole.flatMap((o) => o.waitMs ?? []);
  return {
    clips: outcomes.length,
    unanswered: outcomes.filter((o) => o.latencyMs === null).length,
    p50Ms: Math.round(quantile(times, 0.5)),
    p95Ms: Math.round(quantile(times, 0.95)),
    maxMs: Math.round(Math.max(0, ...times)),
    waitP50Ms: Math.round(quantile(waits, 0.5)),
    waitP95Ms: Math.round(quantile(waits, 0.95)),
    cutOffs: wilson(outcomes.length - whole.length, outcomes.length),
  };
}

/** How many of a grammar's finished sentences may still go on: what the times have to serve. */
export function openShare({ graph }: CompiledGrammar): number {
  let final = 0;
  let open = 0;
  for (let s = 0; s < graph.states; s++) {
    if (graph.final[s] !== 1) continue;
    final++;
    if ((graph.arcStart[s + 1] ?? 0) > (graph.arcStart[s] ?? 0)) open++;
  }
  return final === 0 ? 0 : open / final;
}
