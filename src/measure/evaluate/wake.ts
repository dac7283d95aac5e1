import { WakeSpotter, type WakePhrase } from '../../recognizer/index.js';
import type { NetworkClip } from './network.js';

/** Scores far below any threshold in use are not kept. */
const lowestScore = -6;

export interface Peak {
  readonly score: number;
  readonly endFrame: number;
}

/** Everywhere that the phrase might have been heard, whatever the threshold. */
export function peaksOf(clip: NetworkClip, phrase: WakePhrase): Peak[] {
  const { logProbs, steps } = clip;
  const units = logProbs.length / steps;
  const spotter = new WakeSpotter({
    variants: phrase.variants,
    threshold: lowestScore,
    refractoryFrames: 0,
  });
  const peaks: Peak[] = [];
  for (let at = 0; at < logProbs.length; at += units) {
    const spotted = spotter.feed(logProbs, at, units);
    if (spotted !== null) peaks.push(spotted);
  }
  return peaks;
}

/** Alarms at a threshold: peaks above it that no earlier alarm makes deaf to. */
export function alarmsAt(
  peaks: readonly Peak[],
  threshold: number,
  refractoryFrames: number,
): number {
  let alarms = 0;
  let deafUntil = -Infinity;
  for (const { score, endFrame } of peaks) {
    if (score < threshold || endFrame < deafUntil) continue;
    alarms++;
    deafUntil = endFrame + refractoryFrames;
  }
  return alarms;
}

export interface WakePoint {
  readonly threshold: number;
  /** Share of the recordings of the phrase in which it is not heard. */
  readonly missed: number;
  readonly alarmsPerHour: number;
}

export function wakeCurve(
  hits: readonly (readonly Peak[])[],
  others: readonly (readonly Peak[])[],
  hours: number,
  refractoryFrames: number,
): WakePoint[] {
  return Array.from({ length: 51 }, (_, i) => {
    const threshold = Number((-5 + i / 10).toFixed(1));
    const missed = hits.filter((peaks) => peaks.every((p) => p.score < threshold)).length;
    const alarms = others.reduce((n, peaks) => n + alarmsAt(peaks, threshold, refractoryFrames), 0);
    return {
      threshold,
      missed: hits.length === 0 ? NaN : missed / hits.length,
      alarmsPerHour: hours > 0 ? alarms / hours : NaN,
    };
  });
}
