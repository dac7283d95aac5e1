/**
 * A small broker that takes and acknowledges, with the faults that a test wants: it refuses, hangs up, gives
 * reasons, answers nonsense, and keeps to limits as the standard has it. It forwards nothing.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  generate,
  parser,
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type Packet,
} from 'mqtt-packet';
import { patienceMs } from './patience.js';

/** What is done in place of the ordinary. */
export type Fault =
  /** Closes without a word. */
  | { readonly hangUp: true }
  /** DISCONNECT with a reason (MQTT 5), then closes. */
  | { readonly disconnect: number; readonly words?: string }
  /** The reason in the acknowledgement. */
  | { readonly reason: number }
  /** Bytes in place of the acknowledgement. */
  | { readonly bytes: Buffer }
  /** Nothing is answered. */
  | { readonly silent: true };

export interface BrokerSimOptions {
  /** Of CONNACK, MQTT 5. */
  readonly properties?: IConnackPacket['properties'];
  readonly onConnect?: (packet: IConnectPacket, times: number) => Fault | undefined;
  readonly onPublish?: (packet: IPublishPacket, broker: BrokerSim) => Fault | undefined;
  readonly onSubscribe?: (topic: string) => Fault | undefined;
  readonly acknowledgeAfterMs?: number;
}

export interface Taken {
  readonly topic: string;
  readonly text: string;
  readonly json: Record<string, unknown>;
  readonly qos: number;
  readonly retain: boolean;
  readonly connection: number;
}

export class BrokerSim {
  /** Published and acknowledged, or at QoS 0 taken without a fault. */
  readonly taken: Taken[] = [];
  /** Every PUBLISH that came, whatever became of it. */
  readonly offered: Taken[] = [];
  readonly connects: IConnectPacket[] = [];
  /** Most messages that were unacknowledged at once. */
  mostUnacknowledged = 0;
  pings = 0;
  options: BrokerSimOptions;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private wake: () => void = () => undefined;

  private constructor(options: BrokerSimOptions) {
    this.options = options;
    this.server = createServer((socket) => this.accept(socket));
  }

  static async open(options: BrokerSimOptions = {}): Promise<BrokerSim> {
    const broker = new BrokerSim(options);
    await new Promise<void>((resolve) => broker.server.listen(0, '127.0.0.1', resolve));
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get connected(): number {
    return this.sockets.size;
  }

  texts(topic: string): string[] {
    return this.taken.filter((m) => m.topic === topic).map((m) => String(m.json['text']));
  }

  /** Waits until `look` is satisfied; false after the limit. */
  async until(look: () => boolean, limitMs = patienceMs): Promise<boolean> {
    const end = performance.now() + limitMs;
    while (!look()) {
      const leftMs = end - performance.now();
      if (leftMs <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, 100));
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  }

  /** Bytes to all that are connected. */
  send(bytes: Buffer): void {
    for (const socket of this.sockets) socket.write(bytes);
  }

  /** The network breaks: connections end without a word. */
  breakLines(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.breakLines();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.wake();
    });
    const session = new Session(this, socket);
    socket.on('data', (data) => session.feed(data));
  }

  /** @internal */
  changed(): void {
    this.wake();
  }
}

/** One connection. */
class Session {
  private readonly parser = parser();
  private version: 4 | 5 = 4;
  private number = 0;
  private unacknowledged = 0;
  private over = false;

  constructor(
    private readonly broker: BrokerSim,
    private readonly socket: Socket,
  ) {
    this.parser.on('packet', (packet) => {
      if (!this.over) this.handle(packet);
      this.broker.changed();
    });
    this.parser.on('error', () => socket.destroy());
  }

  feed(data: Buffer): void {
    this.parser.parse(data);
  }

  private handle(packet: Packet): void {
    const { options } = this.broker;
    switch (packet.cmd) {
      case 'connect': {
        this.version = packet.protocolVersion === 5 ? 5 : 4;
        this.broker.connects.push(packet);
        this.number = this.broker.connects.length;
        const fault = options.onConnect?.(packet, this.number);
        if (fault !== undefined && this.strike(fault)) return;
        const code = fault !== undefined && 'reason' in fault ? fault.reason : 0;
        this.say({
          cmd: 'connack',
          sessionPresent: false,
          ...(this.version === 5
            ? { reasonCode: code, properties: options.properties ?? {} }
            : { returnCode: code }),
        });
        return;
      }
      case 'subscribe': {
        const topic = packet.subscriptions[0]?.topic ?? '';
        const fault = options.onSubscribe?.(topic);
        if (fault !== undefined && this.strike(fault)) return;
        const granted = [fault !== undefined && 'reason' in fault ? fault.reason : 1];
        this.say({ cmd: 'suback', messageId: packet.messageId ?? 0, granted });
        return;
      }
      case 'publish':
        this.publish(packet);
        return;
      case 'pingreq':
        this.broker.pings++;
        this.say({ cmd: 'pingresp' });
        return;
      case 'disconnect':
        this.over = true;
        this.socket.end();
        return;
      default:
    }
  }

  private publish(packet: IPublishPacket): void {
    const { options } = this.broker;
    const { topic, qos, retain, messageId } = packet;
    const text = packet.payload.toString();
    let json: Record<string, unknown> = {};
    try {
      json = JSON.parse(text) as Record<string, unknown>;
    } catch {
      // Not everything is JSON.
    }
    const taken = { topic, text, json, qos, retain, connection: this.number };
    this.broker.offered.push(taken);
    if (qos > 0) this.unacknowledged++;
    this.broker.mostUnacknowledged = Math.max(this.broker.mostUnacknowledged, this.unacknowledged);
    const { receiveMaximum = 65_535 } = options.properties ?? {};
    if (this.version === 5 && this.unacknowledged > receiveMaximum)
      return void this.strike({ disconnect: 0x93 });
    const fault = options.onPublish?.(packet, this.broker);
    if (fault !== undefined && this.strike(fault)) return;
    const reasonCode = fault !== undefined && 'reason' in fault ? fault.reason : 0;
    if (reasonCode < 0x80) this.broker.taken.push(taken);
    if (qos === 0) return;
    const acknowledge = () => {
      this.unacknowledged--;
      this.say({
        cmd: 'puback',
        messageId: messageId ?? 0,
        ...(this.version === 5 ? { reasonCode } : {}),
      });
    };
    if (options.acknowledgeAfterMs === undefined) acknowledge();
    else setTimeout(acknowledge, options.acknowledgeAfterMs);
  }

  /** Whether nothing more is to be done for this packet. */
  private strike(fault: Fault): boolean {
    if ('reason' in fault) return false;
    if ('silent' in fault) return true;
    if ('bytes' in fault) {
      this.socket.write(fault.bytes);
      return true;
    }
    if ('disconnect' in fault && this.version === 5)
      this.say({
        cmd: 'disconnect',
        reasonCode: fault.disconnect,
        properties: fault.words === undefined ? {} : { reasonString: fault.words },
      });
    this.over = true;
    this.socket.end();
    return true;
  }

  private say(packet: Packet): void {
    if (!this.socket.destroyed)
      this.socket.write(generate(packet, { protocolVersion: this.version }));
  }
}
