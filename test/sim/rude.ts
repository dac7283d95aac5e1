/** What a port must bear: bytes that are none, too many and too slow. */
import { connect, type Socket } from 'node:net';

export type Random = () => number;

/** One client that sends what it likes; remembers a bit of what it is told and whether it was cut off. */
export class Rude {
  readonly socket: Socket;
  got = '';
  over = false;
  readonly closed: Promise<void>;
  /** What it said first is on its way, or it was not let in. */
  readonly sent: Promise<void>;
  private dripping: NodeJS.Timeout | null = null;

  constructor(
    port: number,
    { first = '', from = '127.0.0.1' }: { first?: string | Uint8Array; from?: string } = {},
  ) {
    this.socket = connect({ port, host: '127.0.0.1', localAddress: from });
    this.socket.on('error', () => undefined);
    this.socket.on('data', (part: Buffer) => {
      this.got = (this.got + part.toString('latin1')).slice(0, 65_536);
    });
    this.closed = new Promise((resolve) =>
      this.socket.once('close', () => {
        this.over = true;
        if (this.dripping !== null) clearInterval(this.dripping);
        resolve();
      }),
    );
    this.sent = Promise.race([
      this.closed,
      new Promise<void>((resolve) => this.socket.write(first, () => resolve())),
    ]);
  }

  /** A byte a second. */
  drip(bytes: string): this {
    let at = 0;
    this.dripping = setInterval(() => this.socket.write(bytes.charAt(at++) || ' '), 1000);
    return this;
  }

  deaf(): this {
    this.socket.pause();
    return this;
  }

  leave(): void {
    this.socket.destroy();
  }
}

/** So many at once; each with what `first` says. */
export function crowd(
  port: number,
  count: number,
  first: (i: number) => string | Uint8Array = () => '',
) {
  return Array.from({ length: count }, (_, i) => new Rude(port, { first: first(i) }));
}

export const letters = (random: Random, count: number) =>
  Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256)));

/** Some bytes changed, left out, said twice, or the end missing. */
export function spoiled(random: Random, bytes: Buffer): Buffer {
  let out = Buffer.from(bytes);
  for (let i = Math.floor(random() * 4); i >= 0; i--) {
    const at = Math.floor(random() * out.length);
    const piece = letters(random, 1 + Math.floor(random() * 6));
    const [head, tail] = [out.subarray(0, at), out.subarray(at)];
    out = Buffer.concat(
      [
        [head, piece, tail.subarray(piece.length)],
        [head, piece, tail],
        [head, tail.subarray(piece.length)],
        [head, tail, tail],
        [head],
      ][Math.floor(random() * 5)] ?? [],
    );
  }
  return out;
}
