import type { Engine } from '../../engine.js';
import type { Heard } from '../../records.js';
import { Listener, type ListenMode, type Recognizer } from '../../recognizer/index.js';

/** What the daemon would have said of a stream, and when. */
export interface StreamEvent {
  readonly heard: Heard;
  /** Samples that had come in when it was decided. */
  readonly decidedSample: number;
  /** Time that the last chunk took to compute. */
  readonly computeMs: number;
}

/** A chunk as the daemon's capture delivers it. */
const chunkMs = 100;

/** Plays samples to the device's own listener, as fast as it goes; time is counted in samples. */
export async function hearStream(
  engine: Engine,
  recognizer: Recognizer,
  samples: Float32Array,
  { mode = 'always', warp }: { readonly mode?: ListenMode; readonly warp?: number } = {},
): Promise<StreamEvent[]> {
  const frontend = engine.frontend(warp);
  const listener = new Listener(recognizer, mode);
  const chunk = Math.round((chunkMs * engine.bundle.manifest.features.sampleRateHz) / 1000);
  const events: StreamEvent[] = [];
  for (let at = 0; at < samples.length; at += chunk) {
    const begin = performance.now();
    for (const event of await listener.feed(frontend.feed(samples.subarray(at, at + chunk)))) {
      if (event.type !== 'heard') continue;
      const decidedSample = Math.min(samples.length, at + chunk);
      events.push({ heard: event.heard, decidedSample, computeMs: performance.now() - begin });
    }
  }
  for (const event of await listener.stop())
    if (event.type === 'heard')
      events.push({ heard: event.heard, decidedSample: samples.length, computeMs: 0 });
  return events;
}
