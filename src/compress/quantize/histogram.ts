/** Sizes of many values in bounded memory: counts of |a| in bins that widen as larger values come. */
export class Histogram {
  static readonly bins = 8192;
  private counts = new Float64Array(Histogram.bins);
  private width = 2 ** -20;
  count = 0;
  largest = 0;

  add(values: ArrayLike<number>): void {
    for (let i = 0; i < values.length; i++) {
      const size = Math.abs(values[i] ?? 0);
      this.largest = Math.max(this.largest, size);
      while (size >= this.width * Histogram.bins) this.widen();
      const bin = Math.floor(size / this.width);
      this.counts[bin] = (this.counts[bin] ?? 0) + 1;
    }
    this.count += values.length;
  }

  /** The size that a share of all values stays below. */
  quantile(share: number): number {
    let below = 0;
    for (let bin = 0; bin < Histogram.bins; bin++) {
      below += this.counts[bin] ?? 0;
      if (below >= share * this.count) return Math.min((bin + 1) * this.width, this.largest);
    }
    return this.largest;
  }

  /**
   * Mean squared error of rounding to a grid of `scale` that ends at `levels`: scale^2 / 12 inside (the
   * values fall anywhere between two points), the whole distance for what saturates.
   */
  gridError(scale: number, levels: number): number {
    const end = (levels + 0.5) * scale;
    let sum = 0;
    for (let bin = 0; bin < Histogram.bins; bin++) {
      const count = this.counts[bin] ?? 0;
      if (count === 0) continue;
      const size = (bin + 0.5) * this.width;
      sum += count * (size < end ? scale ** 2 / 12 : (size - levels * scale) ** 2);
    }
    return sum / Math.max(this.count, 1);
  }

  private widen(): void {
    const wider = new Float64Array(Histogram.bins);
    this.counts.forEach((count, bin) => (wider[bin >> 1] = (wider[bin >> 1] ?? 0) + count));
    this.counts = wider;
    this.width *= 2;
  }
}
