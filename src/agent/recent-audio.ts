import type { Chunk } from '../records.js';

/**
 * The last samples of a stream, in one piece of memory. Chunks kept for seconds would each be a buffer that only a full
 * collection gives back.
 */
export class RecentAudio {
  private readonly ring: Float32Array;
  private end = 0;
  private count = 0;

  constructor(samplesMax: number) {
    this.ring = new Float32Array(samplesMax);
  }

  clear(): void {
    this.count = 0;
  }

  /** What does not join the audio before it begins anew. */
  add({ samples, firstSample }: Pick<Chunk, 'samples' | 'firstSample'>): void {
    if (firstSample !== this.end) this.clear();
    this.end = firstSample + samples.length;
    this.count = Math.min(this.ring.length, this.count + samples.length);
    const kept = samples.subarray(Math.max(0, samples.length - this.ring.length));
    const at = (this.end - kept.length) % this.ring.length;
    const before = Math.min(kept.length, this.ring.length - at);
    this.ring.set(kept.subarray(0, before), at);
    this.ring.set(kept.subarray(before), 0);
  }

  get firstSample(): number {
    return this.end - this.count;
  }

  get endSample(): number {
    return this.end;
  }

  /** A copy of what there is from this sample on. */
  from(sample: number): Float32Array {
    const first = Math.min(this.end, Math.max(sample, this.firstSample));
    const out = new Float32Array(this.end - first);
    if (out.length === 0) return out;
    const at = first % this.ring.length;
    const before = Math.min(out.length, this.ring.length - at);
    out.set(this.ring.subarray(at, at + before));
    out.set(this.ring.subarray(0, out.length - before), before);
    return out;
  }
}
