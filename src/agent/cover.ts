import type { Chunk } from '../records.js';
import { joinedFloats } from '../runtime/joined.js';

/** The room's own sound is taken from so much of the last audio, its quietest part of so many chunks. */
const rememberedChunks = 100;
const quietChunks = 8;
/** Audio may come late by this much, when this process was held up: a full pipe, and some (see capture). */
const lateMaxMs = 8000;
/** Clocks drift apart; what was the least delay is believed less from second to second. */
const forgetMsPerS = 10;
/** A sound that nobody ended is over, and one that is over for so long touches no audio that may still come. */
const openMaxMs = 20_000;
const overMs = 30_000;

interface Span {
  readonly fromMs: number;
  toMs: number;
}

/**
 * Audio in which the device hears itself, replaced by the sound of the room: the quietest moment of the last
 * seconds, forth and back. Silence in its place would make the room itself stand out afterwards, and a gap would
 * end what is being said.
 */
export class Cover {
  private readonly spans: Span[] = [];
  private readonly room: Float32Array[] = [];
  private leastDelayMs: number | null = null;
  private filling: Float32Array | null = null;
  private at = 0;

  constructor(
    private readonly rateHz: () => number,
    private readonly now: () => number,
  ) {}

  /** From now on, until the function given back is called and `tailMs` more. */
  begin(): (tailMs: number) => void {
    const fromMs = this.now();
    const span = { fromMs, toMs: fromMs + openMaxMs };
    this.spans.push(span);
    return (tailMs) => {
      span.toMs = Math.min(span.toMs, this.now() + tailMs);
    };
  }

  /** In the order in which they were received. */
  take(chunk: Chunk): Chunk {
    if (chunk.gapBefore) {
      this.leastDelayMs = null;
      this.room.length = 0;
      this.filling = null;
    }
    const { samples } = chunk;
    const durationMs = (1000 * samples.length) / this.rateHz();
    const earliestMs = this.earliest(chunk, durationMs);
    if (this.covered(earliestMs, chunk.receivedAtMs))
      return { ...chunk, samples: this.fill(samples.length) };
    this.filling = null;
    this.room.push(samples);
    if (this.room.length > rememberedChunks) this.room.shift();
    return chunk;
  }

  /** When its first sound may have been at the earliest: as soon after it as any audio was received lately. */
  private earliest({ firstSample, samples, receivedAtMs }: Chunk, durationMs: number): number {
    const endMs = (1000 * (firstSample + samples.length)) / this.rateHz();
    const delayMs = receivedAtMs - endMs;
    const least = (this.leastDelayMs ?? delayMs) + (forgetMsPerS * durationMs) / 1000;
    // More than this is no delay: the clock was set.
    this.leastDelayMs = delayMs - least > lateMaxMs ? delayMs : Math.min(delayMs, least);
    return endMs + this.leastDelayMs - durationMs;
  }

  private covered(fromMs: number, toMs: number): boolean {
    const now = this.now();
    const gone = this.spans.findIndex((s) => s.toMs + overMs > now && s.fromMs <= now);
    this.spans.splice(0, gone < 0 ? this.spans.length : gone);
    return this.spans.some((span) => span.fromMs <= toMs && fromMs <= span.toMs);
  }

  private fill(length: number): Float32Array {
    const filling = (this.filling ??= this.quietest());
    const period = Math.max(1, 2 * filling.length - 2);
    return Float32Array.from({ length }, () => {
      const at = this.at++ % period;
      return filling[at < filling.length ? at : period - at] ?? 0;
    });
  }

  private quietest(): Float32Array {
    this.at = 0;
    const energies = this.room.map((samples) => samples.reduce((sum, v) => sum + v * v, 0));
    const count = Math.min(quietChunks, this.room.length);
    let best = 0;
    let least = Infinity;
    for (let from = 0; from + count <= energies.length; from++) {
      const energy = energies.slice(from, from + count).reduce((a, b) => a + b, 0);
      if (energy < least) [best, least] = [from, energy];
    }
    const parts = this.room.slice(best, best + count);
    return joinedFloats(parts);
  }
}
