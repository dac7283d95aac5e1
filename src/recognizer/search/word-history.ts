export interface SentenceWord {
  /** Index into graph.words. */
  readonly word: number;
  readonly startFrame: number;
  /** Last frame of the word. */
  readonly endFrame: number;
}

/** Nodes beyond which dead ones are looked for. */
const compactAbove = 32_768;

/** Word sequences as a tree grown from the start; nodes are shared by the tokens that said the same. */
export class WordHistory {
  private count = 0;
  private compactAt = compactAbove;
  private words_ = new Int32Array(256);
  private previous = new Int32Array(256);
  private starts = new Int32Array(256);
  private ends = new Int32Array(256);
  private hashes = new Float64Array(256);

  get size(): number {
    return this.count;
  }

  add(word: number, previous: number, startFrame: number, endFrame: number): number {
    if (this.count === this.words_.length) this.grow();
    const node = this.count++;
    this.words_[node] = word;
    this.previous[node] = previous;
    this.starts[node] = startFrame;
    this.ends[node] = endFrame;
    // 48 bits of a polynomial hash: different sentences that collide would only lose a runner-up.
    this.hashes[node] =
      ((this.hash(previous) % 8589934592) * 31337 + word * 2654435761 + 1) % 281474976710597;
    return node;
  }

  /** Equal for equal word sequences. */
  hash(node: number): number {
    return node < 0 ? 7 : (this.hashes[node] ?? 7);
  }

  words(node: number): SentenceWord[] {
    const out: SentenceWord[] = [];
    for (let at = node; at >= 0; at = this.previous[at] ?? -1) {
      out.push({
        word: this.words_[at] ?? 0,
        startFrame: this.starts[at] ?? 0,
        endFrame: this.ends[at] ?? 0,
      });
    }
    return out.reverse();
  }

  get crowded(): boolean {
    return this.count > this.compactAt;
  }

  /** Forgets the nodes that none of `roots` leads back to, and renumbers the roots. */
  compact(roots: readonly Int32Array[]): void {
    const alive = new Int32Array(this.count);
    for (const list of roots) {
      for (let node of list) {
        while (node >= 0 && alive[node] === 0) {
          alive[node] = 1;
          node = this.previous[node] ?? -1;
        }
      }
    }
    let kept = 0;
    for (let node = 0; node < this.count; node++) {
      if (alive[node] === 0) continue;
      // A node's predecessor is older, so it has its new number already.
      const before = this.previous[node] ?? -1;
      this.words_[kept] = this.words_[node] ?? 0;
      this.previous[kept] = before < 0 ? -1 : (alive[before] ?? 0);
      this.starts[kept] = this.starts[node] ?? 0;
      this.ends[kept] = this.ends[node] ?? 0;
      this.hashes[kept] = this.hashes[node] ?? 7;
      alive[node] = kept++;
    }
    for (const list of roots) {
      for (let i = 0; i < list.length; i++) {
        const node = list[i] ?? -1;
        if (node >= 0) list[i] = alive[node] ?? -1;
      }
    }
    this.count = kept;
    this.compactAt = Math.max(compactAbove, 2 * kept);
  }

  private grow(): void {
    const larger = <T extends Int32Array | Float64Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    const size = this.count * 2;
    this.words_ = larger(this.words_, new Int32Array(size));
    this.previous = larger(this.previous, new Int32Array(size));
    this.starts = larger(this.starts, new Int32Array(size));
    this.ends = larger(this.ends, new Int32Array(size));
    this.hashes = larger(this.hashes, new Float64Array(size));
  }
}
