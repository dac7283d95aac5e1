import { chunkMs } from '../../audio/index.js';
import type { Engine } from '../../engine/engine.js';
import type { Heard } from '../../records.js';
import { Listener, type ListenMode, type Recognizer } from '../../recognizer/index.js';

/** What the daemon would have said of a stream, and when. */
export interface StreamEvent {
  readonly heard: Heard;
  /** Samples that had come in when it was decided. */
  readonly decidedSample: number;
  /** How much later it was said: what was left to compute, and what had to be computed before. */
  readonly computeMs: number;
}

/**
 * Plays samples to the device's own listener in the daemon's chunks, as fast as it goes; time is counted in samples. What takes longer to compute than a
 * chunk lasts keeps the next one waiting, as in the daemon.
 */
export async function hearStream(
  engine: Engine,
  recognizer: Recognizer,
  samples: Float32Array,
  { mode = 'always', warp }: { readonly mode?: ListenMode; readonly warp?: number } = {},
): Promise<StreamEvent[]> {
  const frontend = engine.frontend(warp);
  const listener = new Listener(recognizer, mode);
  const { sampleRateHz } = engine.bundle.manifest.features;
  const chunk = Math.round((chunkMs * sampleRateHz) / 1000);
  const events: StreamEvent[] = [];
  let doneMs = 0;
  for (let at = 0; at < samples.length; at += chunk) {
    const decidedSample = Math.min(samples.length, at + chunk);
    const cameMs = (1000 * decidedSample) / sampleRateHz;
    const begin = performance.now();
    const said = await listener.feed(frontend.feed(samples.subarray(at, at + chunk)));
    doneMs = Math.max(doneMs, cameMs) + performance.now() - begin;
    for (const event of said)
      if (event.type === 'heard')
        events.push({ heard: event.heard, decidedSample, computeMs: doneMs - cameMs });
  }
  for (const event of await listener.stop())
    if (event.type === 'heard')
      events.push({ heard: event.heard, decidedSample: samples.length, computeMs: 0 });
  return events;
}
