/**
 * What the broker sends, before mqtt.js gathers it: the protocol allows a message of 256 MB, which would have to be
 * held whole, and a retained one again after every start. A longer one goes on without its end, so that it is refused
 * and acknowledged like any other that is wrong.
 */
import type { Readable } from 'node:stream';

/** Of a whole packet. Requests may have 64 kB, a topic as much. */
export const packetBytesMax = 256 * 1024;

const publish = 3;
const moreBit = 0x80;
/** A first byte, and up to four of length. */
const headBytesMax = 5;

/** Finds the packets in what comes, whatever the network cuts it into. */
export class Inbound {
  /** The beginning of a packet, before its length is known. */
  private head: number[] = [];
  private passing = 0;
  private dropping = 0;

  constructor(private readonly bytesMax = packetBytesMax) {}

  /**
   * What goes on of these bytes, in one piece: mqtt.js takes packets that came together otherwise than apart. Throws
   * for a packet that is too long and no message.
   */
  feed(bytes: Buffer): Buffer {
    const parts: Buffer[] = [];
    let from = 0;
    let at = 0;
    const passUntil = (end: number) => {
      if (end > from) parts.push(bytes.subarray(from, end));
    };
    while (at < bytes.length) {
      if (this.passing > 0) {
        const count = Math.min(this.passing, bytes.length - at);
        this.passing -= count;
        at += count;
      } else if (this.dropping > 0) {
        passUntil(at);
        const count = Math.min(this.dropping, bytes.length - at);
        this.dropping -= count;
        at += count;
        from = at;
      } else {
        passUntil(at);
        this.head.push(bytes[at] ?? 0);
        at += 1;
        from = at;
        const begun = this.begin();
        if (begun !== null) parts.push(begun);
      }
    }
    passUntil(at);
    return Buffer.concat(parts);
  }

  /** The first bytes of a packet as they go on; null until its length is known. */
  private begin(): Buffer | null {
    const { head } = this;
    const length = lengthOf(head.slice(1));
    if (length === undefined) {
      if (head.length < headBytesMax) return null;
      // No length at all: mqtt.js says so and ends the connection.
      this.passing = Infinity;
    } else if (head.length + length <= this.bytesMax) this.passing = length;
    else {
      if ((head[0] ?? 0) >> 4 !== publish)
        throw new Error(`a packet of ${length} bytes that is no message`);
      this.passing = this.bytesMax - headBytesMax;
      this.dropping = length - this.passing;
      this.head = [head[0] ?? 0, ...varint(this.passing)];
    }
    const begun = Buffer.from(this.head);
    this.head = [];
    return begun;
  }
}

/** MQTT 3.1.1, section 2.2.3; undefined: its end is not there. */
function lengthOf(bytes: readonly number[]): number | undefined {
  const last = bytes.at(-1);
  if (last === undefined || last >= moreBit) return undefined;
  return bytes.reduce((sum, byte, i) => sum + (byte % moreBit) * moreBit ** i, 0);
}

function varint(value: number): number[] {
  const rest = Math.floor(value / moreBit);
  return rest === 0 ? [value] : [(value % moreBit) + moreBit, ...varint(rest)];
}

/** Puts it between a connection's stream and mqtt.js, which has piped it to its parser already. */
export function guardInbound(stream: Readable, onFault: (error: Error) => void): void {
  const [toParser, ...others] = stream.listeners('data') as ((bytes: Buffer) => void)[];
  if (toParser === undefined || others.length > 0)
    throw new Error('mqtt.js reads its stream in another way than it did');
  const inbound = new Inbound();
  stream.on('data', (bytes: Buffer) => {
    let part: Buffer;
    try {
      part = inbound.feed(bytes);
    } catch (error) {
      onFault(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (part.length > 0) toParser.call(stream, part);
  });
  stream.off('data', toParser);
}
