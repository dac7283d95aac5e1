/** A client of the Wyoming protocol for tests: sends events or any bytes, and remembers what comes. */
import { connect, type Socket } from 'node:net';
import { FrameReader, type EventData } from '../../src/neighbours/wyoming/frames.js';
import { patienceMs } from './patience.js';

export interface Got {
  readonly type: string;
  readonly data: EventData;
}

/** Generous: the machine may be busy. */

export class WyomingClient {
  readonly got: Got[] = [];
  over = false;
  private readonly reader = new FrameReader();
  private wake: () => void = () => undefined;

  private constructor(readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      for (const piece of this.reader.feed(bytes))
        if (piece.kind === 'event') this.got.push(piece.event);
      this.wake();
    });
    socket.on('error', () => undefined);
    for (const end of ['close', 'end'])
      socket.on(end, () => {
        this.over = true;
        this.wake();
      });
  }

  static async open(port: number, host = '127.0.0.1'): Promise<WyomingClient> {
    const socket = connect({ port, host });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new WyomingClient(socket);
  }

  bytes(bytes: string | Uint8Array): this {
    this.socket.write(bytes);
    return this;
  }

  /** As the protocol's own client writes it: data behind the line. */
  send(type: string, data: EventData = {}, payload?: Uint8Array): this {
    const more = Object.keys(data).length === 0 ? '' : JSON.stringify(data);
    const head = {
      type,
      ...(more === '' ? {} : { data_length: Buffer.byteLength(more) }),
      ...(payload === undefined ? {} : { payload_length: payload.length }),
    };
    this.bytes(`${JSON.stringify(head)}\n${more}`);
    return payload === undefined ? this : this.bytes(payload);
  }

  /** Audio of mono samples, in chunks. */
  audio(samples: Float32Array, { rate = 16_000, samplesAtOnce = 1024 } = {}): this {
    const format = { rate, width: 2, channels: 1 };
    for (let at = 0; at < samples.length; at += samplesAtOnce) {
      const timestamp = Math.round((1000 * at) / rate);
      const piece = samples.subarray(at, at + samplesAtOnce);
      this.send('audio-chunk', { ...format, timestamp }, pcm16(piece));
    }
    return this;
  }

  /** A whole order, as Home Assistant sends it. */
  order(samples: Float32Array): this {
    return this.send('transcribe', { language: 'en' })
      .send('audio-start', { rate: 16_000, width: 2, channels: 1 })
      .audio(samples)
      .send('audio-stop');
  }

  /** The nth event of a type. */
  async event(type: string, nth = 1): Promise<EventData> {
    const all = () => this.got.filter((event) => event.type === type);
    await this.until(`${nth} of ${type}`, () => all().length >= nth, true);
    return all()[nth - 1]?.data ?? {};
  }

  async closed(): Promise<void> {
    await this.until('the end', () => this.over);
  }

  async text(): Promise<unknown> {
    return (await this.event('transcript'))['text'];
  }

  private async until(what: string, holds: () => boolean, open = false): Promise<void> {
    const end = performance.now() + patienceMs;
    while (!holds()) {
      if (performance.now() > end || (open && this.over))
        throw new Error(`no ${what}; got ${JSON.stringify(this.got)}${this.over ? ', over' : ''}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 200);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  close(): void {
    this.socket.destroy();
  }
}

export function pcm16(samples: Float32Array): Buffer {
  const bytes = Buffer.alloc(2 * samples.length);
  samples.forEach((v, i) =>
    bytes.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(v * 32768))), 2 * i),
  );
  return bytes;
}
