/** The line between a device and its broker: a TCP relay that can be shut, cut, deaf, slow, or lead elsewhere. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export type LineState =
  /** Passes everything. */
  | 'open'
  /** Hangs up at once, as an address at which nobody listens. */
  | 'shut'
  /** Takes bytes and passes none, in either direction: the other side has vanished without a word. */
  | 'hole'
  /** A little at a time, in either direction; one byte a second unless it is said otherwise. */
  | 'trickle';

export class LineSim {
  state: LineState;
  /** Bytes from the device to the broker since the line was last opened. */
  carried = 0;
  /** Connections since the beginning. */
  connections = 0;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  private constructor(
    /** Where the line leads; a change holds for the next connection. */
    public target: number,
    state: LineState,
    /** Of a trickle. */
    private readonly everyMs: number,
    private readonly pieceBytes: number,
  ) {
    this.state = state;
    this.server = createServer((socket) => this.accept(socket));
  }

  static async to(
    target: number,
    state: LineState = 'open',
    { everyMs = 1000, pieceBytes = 1 } = {},
  ): Promise<LineSim> {
    const line = new LineSim(target, state, everyMs, pieceBytes);
    await new Promise<void>((resolve) => line.server.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  open(): void {
    this.carried = 0;
    this.state = 'open';
  }

  shut(): void {
    this.state = 'shut';
    this.cut();
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private accept(near: Socket): void {
    if (this.state === 'shut') {
      near.destroy();
      return;
    }
    this.connections++;
    const far = connect(this.target, '127.0.0.1');
    for (const [from, to, up] of [
      [near, far, true],
      [far, near, false],
    ] as const) {
      this.sockets.add(from);
      from.on('error', () => undefined);
      // What has come before the end is passed on.
      from.on('end', () => to.end());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroySoon();
      });
      from.on('data', (bytes: Buffer) => {
        if (this.state === 'hole') return;
        if (up) this.carried += bytes.length;
        if (this.state === 'trickle') this.trickle(from, to, bytes);
        else if (!to.write(bytes)) {
          from.pause();
          to.once('drain', () => from.resume());
        }
      });
    }
  }

  private trickle(from: Socket, to: Socket, bytes: Buffer): void {
    from.pause();
    let at = 0;
    const next = () => {
      if (to.destroyed) return;
      to.write(bytes.subarray(at, (at += this.pieceBytes)));
      if (at < bytes.length) setTimeout(next, this.everyMs);
      else from.resume();
    };
    next();
  }
}
