import { unused } from './word-links.js';

const none = -1;

/** Bins in which the cut for a limit is found. */
const bins = 512;

/**
 * The tokens of one frame, each at a node of the tree in a context of the language model, with two scores: its unit was
 * said last (`label`), or a blank after it. Found by a hash of both numbers; all arrays are made once.
 */
export class TokenTable {
  size = 0;
  readonly node: Int32Array;
  readonly context: Int32Array;
  readonly label: Float64Array;
  readonly blank: Float64Array;
  /** Place in the word links from which the word began, and the frame in which it began. */
  readonly labelFrom: Int32Array;
  readonly blankFrom: Int32Array;
  readonly labelStart: Int32Array;
  readonly blankStart: Int32Array;
  /** What the language model is expected to give at best from here on; it is part of both scores. */
  readonly ahead: Float64Array;
  private readonly slots: Int32Array;
  private readonly mask: number;
  private readonly counts = new Int32Array(bins);

  constructor(readonly capacity: number) {
    this.node = new Int32Array(capacity);
    this.context = new Int32Array(capacity);
    this.label = new Float64Array(capacity);
    this.blank = new Float64Array(capacity);
    this.labelFrom = new Int32Array(capacity);
    this.blankFrom = new Int32Array(capacity);
    this.labelStart = new Int32Array(capacity);
    this.blankStart = new Int32Array(capacity);
    this.ahead = new Float64Array(capacity);
    const size = 2 ** Math.ceil(Math.log2(2 * capacity));
    this.slots = new Int32Array(size).fill(none);
    this.mask = size - 1;
  }

  clear(): void {
    this.size = 0;
    this.slots.fill(none);
  }

  get full(): boolean {
    return this.size === this.capacity;
  }

  /** Number of the token at this place, or -1. */
  find(node: number, context: number): number {
    const { slots, mask } = this;
    let slot = hashOf(node, context) & mask;
    for (;;) {
      const token = slots[slot] ?? none;
      if (token === none) return none;
      if (this.node[token] === node && this.context[token] === context) return token;
      slot = (slot + 1) & mask;
    }
  }

  /** Number of the token at this place; made, with both scores -Infinity, where there was none. Room must be left. */
  at(node: number, context: number): number {
    const { slots, mask } = this;
    let slot = hashOf(node, context) & mask;
    for (;;) {
      const token = slots[slot] ?? none;
      if (token === none) break;
      if (this.node[token] === node && this.context[token] === context) return token;
      slot = (slot + 1) & mask;
    }
    const token = this.size++;
    slots[slot] = token;
    this.node[token] = node;
    this.context[token] = context;
    this.label[token] = -Infinity;
    this.blank[token] = -Infinity;
    this.labelFrom[token] = unused;
    this.blankFrom[token] = unused;
    return token;
  }

  /** Better of both scores. */
  best(token: number): number {
    const [label, blank] = [this.label[token] ?? -Infinity, this.blank[token] ?? -Infinity];
    return label > blank ? label : blank;
  }

  /** The least score so that at most `limit` tokens are not below it, in steps of a `bins`th of best - floor. */
  cutFor(limit: number, best: number, floor: number): number {
    const { counts } = this;
    const width = (best - floor) / bins;
    if (!(width > 0)) return floor;
    counts.fill(0);
    for (let i = 0; i < this.size; i++) {
      const bin = Math.floor((best - this.best(i)) / width);
      if (bin < bins) counts[bin < 0 ? 0 : bin] = (counts[bin < 0 ? 0 : bin] ?? 0) + 1;
    }
    let kept = 0;
    for (let bin = 0; bin < bins; bin++) {
      kept += counts[bin] ?? 0;
      // Those that are as good as the best are kept in any case: a frame never loses all.
      if (kept > limit && bin > 0) return best - bin * width;
    }
    return floor;
  }

  /** Drops the tokens below `cut`; the others keep their order. */
  keepFrom(cut: number): void {
    this.slots.fill(none);
    const before = this.size;
    this.size = 0;
    for (let i = 0; i < before; i++) {
      if (this.best(i) < cut) continue;
      const [label, blank] = [this.label[i] ?? 0, this.blank[i] ?? 0];
      const [labelFrom, blankFrom] = [this.labelFrom[i] ?? none, this.blankFrom[i] ?? none];
      const [labelStart, blankStart] = [this.labelStart[i] ?? 0, this.blankStart[i] ?? 0];
      const ahead = this.ahead[i] ?? 0;
      const to = this.at(this.node[i] ?? 0, this.context[i] ?? 0);
      this.label[to] = label;
      this.blank[to] = blank;
      this.labelFrom[to] = labelFrom;
      this.blankFrom[to] = blankFrom;
      this.labelStart[to] = labelStart;
      this.blankStart[to] = blankStart;
      this.ahead[to] = ahead;
    }
  }
}

function hashOf(node: number, context: number): number {
  let h = Math.imul(node, 0x9e3779b1) ^ Math.imul(context, 0x85ebca6b);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return h ^ (h >>> 13);
}
