/** A frame of 30 ms at any rate. */
const frameMs = 30;
/** This much above the floor is a sound. */
const aboveFloorDb = 10;
/** Quieter than this is nothing, whatever the floor: -60 dBFS. */
const quietestDb = -60;
/** The floor follows noise that grows by this much a second, and quiet at once. */
const floorRiseDbPerS = 1;
/** Long enough for a word; a pause that ends it. */
const burstMs = 240;
/** Longer sounds are machines. */
const burstMsMax = 8000;
const pauseMs = 480;

/**
 * Counts sounds that could have been speech, by loudness alone. It is no judge of speech: it is what
 * a bundle on trial and its predecessor are compared by, since neither can fool it.
 */
export class ActivityCounter {
  bursts = 0;
  private floorDb: number | null = null;
  private soundMs = 0;
  private quietMs = 0;
  private sum = 0;
  private count = 0;
  private readonly frame: number;

  constructor(rateHz: number) {
    this.frame = Math.round((rateHz * frameMs) / 1000);
  }

  feed(samples: Float32Array): void {
    let { sum, count } = this;
    // By number: walked value by value each would be an object of its own.
    for (let i = 0; i < samples.length; i++) {
      const value = samples[i] ?? 0;
      sum += value * value;
      if (++count < this.frame) continue;
      this.take(10 * Math.log10(sum / count + 1e-12));
      sum = count = 0;
    }
    this.sum = sum;
    this.count = count;
  }

  private take(db: number): void {
    const floorDb = Math.max(quietestDb - aboveFloorDb, this.floorDb ?? db);
    const loud = db > floorDb + aboveFloorDb;
    this.floorDb = Math.min(db, floorDb + (floorRiseDbPerS * frameMs) / 1000);
    if (loud) {
      this.soundMs += frameMs;
      this.quietMs = 0;
      return;
    }
    this.quietMs += frameMs;
    if (this.quietMs < pauseMs) return;
    if (this.soundMs >= burstMs && this.soundMs <= burstMsMax) this.bursts++;
    this.soundMs = 0;
  }
}
