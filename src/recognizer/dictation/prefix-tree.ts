/** The most pronunciations that one tree holds: 20 times what 64,000 words have. */
export const pronunciationsMax = 1_500_000;

/** Pronunciations of words, one after the other, as they are collected. */
export class PronunciationList {
  private words = new Int32Array(1024);
  private starts = new Int32Array(1025);
  private phones = new Uint8Array(8192);
  private count = 0;

  get size(): number {
    return this.count;
  }

  add(word: number, phones: readonly number[]): void {
    if (phones.length === 0) throw new Error('a pronunciation has no phones');
    if (this.count === this.words.length) {
      this.words = grown(this.words, new Int32Array(2 * this.count));
      this.starts = grown(this.starts, new Int32Array(2 * this.count + 1));
    }
    const at = this.starts[this.count] ?? 0;
    if (at + phones.length > this.phones.length)
      this.phones = grown(this.phones, new Uint8Array(2 * (at + phones.length)));
    this.phones.set(phones, at);
    this.words[this.count++] = word;
    this.starts[this.count] = at + phones.length;
  }

  wordAt(i: number): number {
    return this.words[i] ?? 0;
  }

  lengthOf(i: number): number {
    return (this.starts[i + 1] ?? 0) - (this.starts[i] ?? 0);
  }

  phoneAt(i: number, depth: number): number {
    return this.phones[(this.starts[i] ?? 0) + depth] ?? 0;
  }

  /** Numbers of all, in the order of their phones; one before those that it begins. */
  sorted(): Int32Array {
    const order = Int32Array.from({ length: this.count }, (_, i) => i);
    return order.sort((a, b) => {
      const [from, other] = [this.starts[a] ?? 0, this.starts[b] ?? 0];
      const both = Math.min(this.lengthOf(a), this.lengthOf(b));
      for (let i = 0; i < both; i++) {
        const by = (this.phones[from + i] ?? 0) - (this.phones[other + i] ?? 0);
        if (by !== 0) return by;
      }
      return this.lengthOf(a) - this.lengthOf(b) || this.wordAt(a) - this.wordAt(b);
    });
  }
}

/**
 * Pronunciations as a tree that shares their beginnings. Node 0 is the root; nodes stand in order of depth, so the
 * children of one lie side by side, and the pronunciations below one are a range of `word`.
 */
export interface PrefixTree {
  readonly nodes: number;
  /** Unit of a node; 0 at the root. */
  readonly unit: Uint8Array;
  /** Children of n are childStart[n] .. childStart[n + 1] - 1. */
  readonly childStart: Int32Array;
  /** Pronunciations that begin with n: from[n] .. to[n] - 1. Those that are n, and end here, come first: from[n] .. ends[n] - 1. */
  readonly from: Int32Array;
  readonly ends: Int32Array;
  readonly to: Int32Array;
  /** Word of each pronunciation. */
  readonly word: Int32Array;
}

export function prefixTree(list: PronunciationList): PrefixTree {
  const order = list.sorted();
  const word = order.map((i) => list.wordAt(i));
  let size = 1024;
  let unit = new Uint8Array(size);
  let childStart = new Int32Array(size + 1);
  let from = new Int32Array(size);
  let ends = new Int32Array(size);
  let to = new Int32Array(size);
  let nodes = 1;
  to[0] = order.length;
  for (let node = 0, depth = 0, levelEnd = 1; node < nodes; node++) {
    if (node === levelEnd) {
      depth++;
      levelEnd = nodes;
    }
    let at = from[node] ?? 0;
    const end = to[node] ?? 0;
    while (at < end && list.lengthOf(order[at] ?? 0) === depth) at++;
    ends[node] = at;
    childStart[node] = nodes;
    while (at < end) {
      const phone = list.phoneAt(order[at] ?? 0, depth);
      const first = at;
      while (at < end && list.phoneAt(order[at] ?? 0, depth) === phone) at++;
      if (nodes === size) {
        size *= 2;
        unit = grown(unit, new Uint8Array(size));
        childStart = grown(childStart, new Int32Array(size + 1));
        from = grown(from, new Int32Array(size));
        ends = grown(ends, new Int32Array(size));
        to = grown(to, new Int32Array(size));
      }
      unit[nodes] = phone;
      from[nodes] = first;
      to[nodes] = at;
      nodes++;
    }
    childStart[node + 1] = nodes;
  }
  return {
    nodes,
    unit: unit.slice(0, nodes),
    childStart: childStart.slice(0, nodes + 1),
    from: from.slice(0, nodes),
    ends: ends.slice(0, nodes),
    to: to.slice(0, nodes),
    word,
  };
}

/** The greatest of `values`, one a pronunciation, below each node. */
export function bestBelow(tree: PrefixTree, values: Float32Array): Float32Array {
  const best = new Float32Array(tree.nodes).fill(-Infinity);
  for (let node = tree.nodes - 1; node >= 0; node--) {
    let most = -Infinity;
    for (let i = tree.from[node] ?? 0; i < (tree.ends[node] ?? 0); i++)
      most = Math.max(most, values[i] ?? 0);
    for (let c = tree.childStart[node] ?? 0; c < (tree.childStart[node + 1] ?? 0); c++)
      most = Math.max(most, best[c] ?? 0);
    best[node] = most;
  }
  return best;
}

function grown<T extends Int32Array | Uint8Array>(old: T, fresh: T): T {
  fresh.set(old);
  return fresh;
}
