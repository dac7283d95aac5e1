/**
 * A line to a real broker that knows MQTT 3.1.1 alone: what asks for another version gets CONNACK 1, as section 3.1.2.2
 * of the standard has it, or no word, as some do.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export type OlderWay = 'says-so' | 'hangs-up' | 'speaks-all';

const unacceptableVersion = Buffer.from([0x20, 2, 0, 1]);

export class OlderLine {
  /** The version that each CONNECT asked for. */
  readonly asked: number[] = [];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly port: number,
    public way: OlderWay,
  ) {
    this.server = createServer((socket) => this.accept(socket));
  }

  static async to(port: number, way: OlderWay): Promise<OlderLine> {
    const line = new OlderLine(port, way);
    await new Promise<void>((resolve) => line.server.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private accept(socket: Socket): void {
    this.keep(socket);
    // CONNECT comes in one piece: it is short, and the first thing that is written.
    socket.once('data', (first) => {
      const version = versionOf(first);
      this.asked.push(version);
      if (this.way === 'speaks-all' || version === 4) {
        const broker = connect(this.port, '127.0.0.1');
        this.keep(broker);
        broker.write(first);
        socket.pipe(broker);
        broker.pipe(socket);
        socket.on('close', () => broker.destroy());
        broker.on('close', () => socket.destroy());
      } else if (this.way === 'hangs-up') socket.destroy();
      else socket.end(unacceptableVersion);
    });
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
  }
}

/** Behind one byte of type, up to four of length, and the name of the protocol. */
function versionOf(connectPacket: Buffer): number {
  let at = 1;
  while ((connectPacket[at] ?? 0) >= 0x80) at++;
  return connectPacket[at + 1 + 2 + 'MQTT'.length] ?? 0;
}
