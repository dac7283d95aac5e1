/** Every so many parents the place of one is noted. */
const stride = 32;

/**
 * How many children each parent has, in one bit a parent and one a child: each parent is a 1 followed by a 0 for each of
 * its children, and a last 1 closes. Numbers as offsets would take 21 bits a parent.
 */
export class Children {
  constructor(
    private readonly bits: Uint32Array,
    /** Place of the 1 of parents 0, 32, 64, ... */
    private readonly places: Uint32Array,
  ) {}

  static words(parents: number, children: number): number {
    return Math.ceil((parents + children + 1) / 32);
  }

  static placeCount(parents: number): number {
    return Math.floor(parents / stride) + 1;
  }

  /** @param first of each parent its first child, and one more number behind the last. */
  static of(first: Uint32Array): { readonly bits: Uint32Array; readonly places: Uint32Array } {
    const parents = first.length - 1;
    const bits = new Uint32Array(Children.words(parents, first[parents] ?? 0));
    const places = new Uint32Array(Children.placeCount(parents));
    for (let parent = 0; parent <= parents; parent += 1) {
      const place = parent + (first[parent] as number);
      bits[place >>> 5] = ((bits[place >>> 5] as number) | (1 << (place & 31))) >>> 0;
      if (parent % stride === 0) places[parent / stride] = place;
    }
    return { bits, places };
  }

  /** Whether the bits are those of so many parents and children, and the places are theirs. */
  fits(parents: number, children: number): boolean {
    const { bits, places } = this;
    let ones = 0;
    let last = -1;
    for (let at = 0; at < bits.length; at += 1)
      for (let word = bits[at] as number; word !== 0; word &= word - 1) {
        last = at * 32 + lowest(word);
        if (ones % stride === 0 && places[ones / stride] !== last) return false;
        ones += 1;
      }
    return ones === parents + 1 && last === parents + children;
  }

  /** Place of the parent's 1; its first child is that many less the ones before it. */
  place(parent: number): number {
    const { bits } = this;
    const start = this.places[parent >>> 5] as number;
    let left = parent & (stride - 1);
    if (left === 0) return start;
    let at = start >>> 5;
    let word = ((bits[at] as number) & (-1 << (start & 31))) >>> 0;
    for (;;) {
      const ones = popCount(word);
      if (ones > left) break;
      left -= ones;
      at += 1;
      if (at >= bits.length) return this.bits.length * 32;
      word = bits[at] as number;
    }
    for (; left > 0; left -= 1) word &= word - 1;
    return at * 32 + lowest(word);
  }

  /** Place of the next 1 behind a place. */
  next(place: number): number {
    const { bits } = this;
    let at = (place + 1) >>> 5;
    let word = at < bits.length ? ((bits[at] as number) & (-1 << ((place + 1) & 31))) >>> 0 : 0;
    while (word === 0) {
      at += 1;
      if (at >= bits.length) return bits.length * 32;
      word = bits[at] as number;
    }
    return at * 32 + lowest(word);
  }
}

function popCount(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

const lowest = (word: number): number => 31 - Math.clz32(word & -word);
