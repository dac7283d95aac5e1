/** Bytes that hold `count` numbers of `width` bits, with three more, so that four can be read at the last. */
export const packedBytes = (count: number, width: number): number =>
  Math.ceil((count * width) / 8) + 3;

/** Numbers of equal width, at most 25 bits, one behind the other. */
export class Packed {
  private readonly mask: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly width: number,
  ) {
    this.mask = 2 ** width - 1;
  }

  at(index: number): number {
    const { bytes, width } = this;
    if (width === 8) return bytes[index] as number;
    const bit = index * width;
    const byte = bit >>> 3;
    const word =
      (bytes[byte] as number) |
      ((bytes[byte + 1] as number) << 8) |
      ((bytes[byte + 2] as number) << 16) |
      ((bytes[byte + 3] as number) << 24);
    return (word >>> (bit & 7)) & this.mask;
  }

  put(index: number, value: number): void {
    const { bytes, width } = this;
    const bit = index * width;
    let byte = bit >>> 3;
    // Widths are at most 25, so that value and shift fit into 32 bits.
    let rest = (value << (bit & 7)) >>> 0;
    while (rest !== 0) {
      bytes[byte] = (bytes[byte] as number) | (rest & 255);
      rest >>>= 8;
      byte += 1;
    }
  }

  /** Place of `value` among the ascending numbers from `from` to `to`, or -1. */
  find(value: number, from: number, to: number): number {
    let low = from;
    let high = to - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.at(middle);
      if (found === value) return middle;
      if (found < value) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}
