/**
 * The frames of the Wyoming protocol: a line of JSON, then `data_length` bytes of more JSON, then `payload_length`
 * bytes. Read piece by piece, whatever the network cuts them into; a payload is handed on as it comes and never held.
 */

/** As long as the protocol's own client reads. */
const lineBytesMax = 64 * 1024;
/** Home Assistant may send the names of everything in the house with a request. */
const dataBytesMax = 256 * 1024;
/** What is dripped in byte by byte is joined now and then: a byte alone takes a hundred. */
const partsMax = 256;
/** Ten minutes of 48 kHz stereo. */
const payloadBytesMax = 128 * 1024 * 1024;

export type EventData = Readonly<Record<string, unknown>>;

export interface WyomingEvent {
  readonly type: string;
  readonly data: EventData;
  /** Bytes that follow as `payload` pieces. */
  readonly payloadBytes: number;
}

export type FramePiece =
  | { readonly kind: 'event'; readonly event: WyomingEvent }
  | { readonly kind: 'payload'; readonly bytes: Buffer };

/** What came is no frame: there is no way to find the next one, so the connection ends. */
export class FrameError extends Error {}

interface Head {
  readonly type: string;
  readonly data: EventData;
  readonly dataBytes: number;
  readonly payloadBytes: number;
}

const newline = 0x0a;

export class FrameReader {
  /** A line or data whose end has not come. */
  private readonly parts: Buffer[] = [];
  private partBytes = 0;
  private head: Head | null = null;
  private payloadLeft = 0;

  /** Bytes of a frame came, and not its end. */
  get within(): boolean {
    return this.partBytes > 0 || this.head !== null || this.payloadLeft > 0;
  }

  /** Throws a FrameError; nothing may be fed after it. */
  *feed(bytes: Buffer): Generator<FramePiece> {
    let rest = bytes;
    while (rest.length > 0 || this.head !== null) {
      if (this.payloadLeft > 0) {
        const piece = rest.subarray(0, this.payloadLeft);
        rest = rest.subarray(piece.length);
        this.payloadLeft -= piece.length;
        yield { kind: 'payload', bytes: piece };
      } else if (this.head === null) {
        const end = rest.indexOf(newline);
        this.keep(end < 0 ? rest : rest.subarray(0, end), lineBytesMax, 'a line');
        if (end < 0) return;
        rest = rest.subarray(end + 1);
        this.head = headOf(this.kept());
      } else {
        const piece = rest.subarray(0, this.head.dataBytes - this.partBytes);
        this.keep(piece, dataBytesMax, 'data');
        rest = rest.subarray(piece.length);
        if (this.partBytes < this.head.dataBytes) return;
        yield this.complete(this.head);
      }
    }
  }

  private complete({ type, data, dataBytes, payloadBytes }: Head): FramePiece {
    const more = dataBytes === 0 ? {} : objectOf(this.kept(), 'data');
    this.head = null;
    this.payloadLeft = payloadBytes;
    return { kind: 'event', event: { type, data: { ...data, ...more }, payloadBytes } };
  }

  private keep(piece: Buffer, most: number, what: string): void {
    this.partBytes += piece.length;
    if (this.partBytes > most) throw new FrameError(`${what} of more than ${most} bytes`);
    // A copy: a few bytes must not hold the whole of what was read with them.
    if (piece.length > 0) this.parts.push(Buffer.from(piece));
    if (this.parts.length > partsMax) this.parts.splice(0, Infinity, Buffer.concat(this.parts));
  }

  private kept(): Buffer {
    const whole = Buffer.concat(this.parts);
    this.parts.length = 0;
    this.partBytes = 0;
    return whole;
  }
}

function objectOf(bytes: Buffer, what: string): EventData {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    throw new FrameError(`${what} that is no JSON`);
  }
  if (!isObject(value)) throw new FrameError(`${what} that is no JSON object`);
  return value;
}

function headOf(line: Buffer): Head {
  const { type, data, data_length, payload_length } = objectOf(line, 'a line');
  if (typeof type !== 'string' || type === '') throw new FrameError('an event without a type');
  if (data !== undefined && data !== null && !isObject(data))
    throw new FrameError('data that is no JSON object');
  return {
    type,
    data: data ?? {},
    dataBytes: lengthOf(data_length, dataBytesMax, 'data_length'),
    payloadBytes: lengthOf(payload_length, payloadBytesMax, 'payload_length'),
  };
}

function lengthOf(value: unknown, most: number, name: string): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most)
    return value;
  throw new FrameError(`a ${name} that is no whole number from 0 to ${most}`);
}

function isObject(value: unknown): value is EventData {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An event as it is sent. Its data stand behind the line, as the protocol's own client writes them. */
export function frameOf(type: string, data: EventData = {}): Buffer {
  const more = Object.keys(data).length === 0 ? '' : JSON.stringify(data);
  const lengths = more === '' ? {} : { data_length: Buffer.byteLength(more) };
  return Buffer.from(`${JSON.stringify({ type, version: protocolVersion, ...lengths })}\n${more}`);
}

/** Of the protocol's own client that this was read in. */
export const protocolVersion = '1.10.2';
