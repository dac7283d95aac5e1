/** How the daemon fares, in numbers: no words of what was said. */
import { chunkMs } from '../audio/index.js';
import type { MicState } from '../records.js';

/** The real-time factor follows the last second of audio. */
const smoothing = chunkMs / 1000;

/** How recognition fares since the start, for the fleet manager. */
export class Answers {
  private accepted = 0;
  private rejected = 0;
  private confidenceSum = 0;

  add(accepted: boolean, confidence: number): void {
    if (accepted) {
      this.accepted++;
      this.confidenceSum += confidence;
    } else this.rejected++;
  }

  /** `confidence` is the mean of the accepted; it is not there before the first. */
  health() {
    const { accepted, rejected, confidenceSum } = this;
    return {
      accepted,
      rejected,
      ...(accepted === 0 ? {} : { confidence: Number((confidenceSum / accepted).toFixed(3)) }),
    };
  }
}

/** How publishing fares; what the broker lacks and what is reduced for it only where there is such a thing. */
export function letterHealth(stats: {
  readonly queued: number;
  readonly published: number;
  readonly dropped: number;
  readonly setAside: number;
  readonly lacks: readonly string[];
  readonly refused: readonly string[];
  readonly reduced: Readonly<Record<string, string>>;
}) {
  const { queued, published, dropped, setAside, lacks, refused, reduced } = stats;
  return {
    ...{ queued, published, dropped, setAside },
    ...(lacks.length > 0 ? { brokerLacks: lacks } : {}),
    ...(refused.length > 0 ? { brokerRefuses: refused } : {}),
    ...(Object.keys(reduced).length > 0 ? { reduced } : {}),
  };
}

/** Time that hearing took, and how late answers come. */
export class Pace {
  private realTimeFactor = 0;
  private latencyMs = 0;

  /** `tookMs` of wall time for so much audio. */
  heard(audioMs: number, tookMs: number): void {
    this.realTimeFactor += smoothing * (tookMs / Math.max(audioMs, 1) - this.realTimeFactor);
  }

  answered(latencyMs: number): void {
    this.latencyMs = latencyMs;
  }

  health() {
    return {
      rtf: Number(this.realTimeFactor.toFixed(4)),
      latencyMs: Math.round(this.latencyMs),
    };
  }
}

/** The retained message on `<base>/<device>/health`; docs/mqtt describes each number. */
export function healthOf(now: {
  readonly mic: MicState;
  readonly muted: boolean;
  readonly audioLostMs: number;
  readonly pace: Pace;
  readonly letters: Parameters<typeof letterHealth>[0];
  readonly answers: Answers;
  readonly uptimeMs: number;
  readonly clockSynced: boolean;
  readonly logDropped: number;
  readonly rssBytes: number;
}) {
  const { rtf, latencyMs } = now.pace.health();
  return {
    mic: now.mic,
    muted: now.muted,
    rtf,
    rssMb: Math.round(now.rssBytes / 1e6),
    ...letterHealth(now.letters),
    latencyMs,
    audioLostMs: Math.round(now.audioLostMs),
    uptimeS: Math.round(now.uptimeMs / 1000),
    clockSynced: now.clockSynced,
    logDropped: now.logDropped,
    ...now.answers.health(),
  };
}

export type Health = ReturnType<typeof healthOf>;
