/**
 * The last rows of features, in one piece of memory. Rows kept for a second would each be a buffer that only a full collection
 * gives back.
 */
export class RecentRows {
  private data = new Float32Array(0);
  private first = 0;
  private count = 0;

  constructor(
    /** Values of a row. */
    private readonly dim: number,
  ) {}

  get length(): number {
    return this.count;
  }

  clear(): void {
    this.count = 0;
  }

  /** Of more than `rowsMax` rows the oldest are forgotten. */
  add(row: Float32Array, rowsMax: number): void {
    this.keepLast(Math.max(0, rowsMax - 1));
    if (rowsMax === 0) return;
    if ((this.first + this.count + 1) * this.dim > this.data.length) this.makeRoom(rowsMax);
    this.data.set(row, (this.first + this.count) * this.dim);
    this.count++;
  }

  keepLast(rows: number): void {
    const dropped = Math.max(0, this.count - rows);
    this.first += dropped;
    this.count -= dropped;
  }

  /** A copy of all, oldest first. */
  rows(): Float32Array {
    return this.data.slice(this.first * this.dim, (this.first + this.count) * this.dim);
  }

  /** To the front, in twice the room that is needed: so they are moved once in `rowsMax` rows. */
  private makeRoom(rowsMax: number): void {
    const kept = this.data.subarray(this.first * this.dim, (this.first + this.count) * this.dim);
    const size = 2 * rowsMax * this.dim;
    const data = this.data.length < size ? new Float32Array(size) : this.data;
    data.set(kept);
    this.data = data;
    this.first = 0;
  }
}
