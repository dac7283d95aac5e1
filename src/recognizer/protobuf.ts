/** The largest number of a field. Of a larger one the runtime takes the lowest bits, and reads another field. */
const fieldNumberMax = 2 ** 29 - 1;

/** The fields of one protobuf message are read one after the other (protobuf.dev/programming-guides/encoding). */
export interface Field {
  readonly number: number;
  /** Of a varint, as a number; of fixed sizes, null: nothing that is looked into is one. */
  readonly value: number | Uint8Array | null;
}

export class Message {
  private at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  next(): Field | 'damaged' | null {
    if (this.at >= this.bytes.length) return null;
    const tag = this.varint();
    const number = Math.floor(tag / 8);
    if (!(number >= 1 && number <= fieldNumberMax)) return 'damaged';
    switch (tag % 8) {
      case 0: {
        const value = this.varint();
        return Number.isNaN(value) ? 'damaged' : { number, value };
      }
      case 1:
        return this.skip(8) ? { number, value: null } : 'damaged';
      case 5:
        return this.skip(4) ? { number, value: null } : 'damaged';
      case 2: {
        const length = this.varint();
        const from = this.at;
        return this.skip(length)
          ? { number, value: this.bytes.subarray(from, from + length) }
          : 'damaged';
      }
      default:
        return 'damaged';
    }
  }

  /** NaN when it is cut off or too long. Large ones lose their last digits, which is near enough here. */
  varint(): number {
    let value = 0;
    for (let i = 0, scale = 1; i < 10; i++, scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) return NaN;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return NaN;
  }

  private skip(length: number): boolean {
    this.at += length;
    return this.at <= this.bytes.length;
  }
}

/** Packed numbers. */
export function varints(bytes: Uint8Array): number[] {
  const message = new Message(bytes);
  const found: number[] = [];
  for (let value = message.varint(); !Number.isNaN(value); value = message.varint())
    found.push(value);
  return found;
}
