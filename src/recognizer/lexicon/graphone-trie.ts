/** N-grams of whole numbers as a tree in typed arrays: millions of nodes without millions of objects. */
export class GraphoneTrie {
  /** Node 0 is the empty n-gram. */
  size = 1;
  parent = new Int32Array(1 << 16);
  symbol = new Uint16Array(1 << 16);
  depth = new Uint8Array(1 << 16);
  count = new Float64Array(1 << 16);
  private slots = new Int32Array(1 << 18).fill(-1);

  /** The child of a node by symbol, or -1. */
  find(node: number, symbol: number): number {
    const mask = this.slots.length - 1;
    for (let at = hash(node, symbol) & mask; ; at = (at + 1) & mask) {
      const id = this.slots[at] ?? -1;
      if (id < 0 || (this.parent[id] === node && this.symbol[id] === symbol)) return id;
    }
  }

  /** The same, made when it is missing. */
  child(node: number, symbol: number): number {
    const found = this.find(node, symbol);
    if (found >= 0) return found;
    if (this.size === this.parent.length) this.grow();
    const id = this.size++;
    this.parent[id] = node;
    this.symbol[id] = symbol;
    this.depth[id] = (this.depth[node] ?? 0) + 1;
    this.place(id);
    if (this.size * 2 > this.slots.length) this.rehash();
    return id;
  }

  /** The symbols of a node's n-gram, first to last. */
  path(node: number): number[] {
    const symbols: number[] = [];
    for (let at = node; at > 0; at = this.parent[at] ?? 0) symbols.push(this.symbol[at] ?? 0);
    return symbols.reverse();
  }

  private place(id: number): void {
    const mask = this.slots.length - 1;
    let at = hash(this.parent[id] ?? 0, this.symbol[id] ?? 0) & mask;
    while ((this.slots[at] ?? -1) >= 0) at = (at + 1) & mask;
    this.slots[at] = id;
  }

  private grow(): void {
    const room = this.size * 2;
    const bigger = <T extends Int32Array | Uint16Array | Uint8Array | Float64Array>(
      to: T,
      from: T,
    ): T => {
      to.set(from);
      return to;
    };
    this.parent = bigger(new Int32Array(room), this.parent);
    this.symbol = bigger(new Uint16Array(room), this.symbol);
    this.depth = bigger(new Uint8Array(room), this.depth);
    this.count = bigger(new Float64Array(room), this.count);
  }

  private rehash(): void {
    this.slots = new Int32Array(this.slots.length * 2).fill(-1);
    for (let id = 1; id < this.size; id++) this.place(id);
  }
}

function hash(node: number, symbol: number): number {
  let h = Math.imul(node, 0x9e3779b1) ^ Math.imul(symbol + 1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}
