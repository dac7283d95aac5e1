import mqtt, { type IClientOptions, type IConnackPacket, type MqttClient } from 'mqtt';
import type { Clock } from '../runtime/clock.js';
import { codeOf, messageOf } from '../runtime/errors.js';
import type { Blame, UnderWay } from './blame.js';
import { Flow } from './flow.js';
import { guardInbound } from './inbound.js';
import type { ProtocolVersion } from './protocol.js';
import { reasonText } from './reasons.js';
import type { Service } from './will.js';

/** What the broker takes: what it said in MQTT 5, what was found out in 3.1.1. */
export interface Limits extends Service {
  /** Messages before the first of them is acknowledged. */
  readonly receiveMaximum: number;
  /** Of a whole packet; Infinity: it said nothing. */
  readonly maximumPacketBytes: number;
  /** Spoken on this connection. */
  readonly protocolVersion: ProtocolVersion;
}

/** The broker answered, and the answer is no: the same letter would be refused again. */
export class RefusedError extends Error {
  constructor(
    readonly reason: number,
    options?: ErrorOptions,
  ) {
    super(reasonText(reason), options);
  }
}

/** Larger than the broker takes; it was not sent. */
export class TooLargeError extends Error {
  constructor(
    readonly bytes: number,
    readonly maximumBytes: number,
  ) {
    super(`${bytes} bytes, the broker takes ${maximumBytes}`);
  }
}

/** A text is JSON. */
export type Payload = string | Buffer;

export interface Message {
  readonly topic: string;
  readonly payload: Payload;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** Of a message that is sent again on the next connection, until it is acknowledged. */
  readonly key?: string;
  /** false: nobody waits for it (QoS 0), and it may be left out. */
  readonly wanted: boolean;
  /** It is on its way: from now on it may arrive. */
  readonly onWritten?: () => void;
}

export interface ConnectionEnd {
  readonly why: string;
  readonly granted: boolean;
  readonly byPeer: boolean;
  /** Of CONNACK when it was not granted, of DISCONNECT afterwards. */
  readonly reason: number | null;
  readonly underWay: readonly UnderWay[];
  readonly proven: boolean;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly settings: IClientOptions;
  readonly service: Service;
  readonly clock: Clock;
  readonly blame: Blame;
  readonly onUp: () => void;
  readonly onEnd: (end: ConnectionEnd) => void;
  readonly onMessage: (topic: string, payload: Buffer, retained: boolean) => void;
  /** Another message may go. */
  readonly onRoom: () => void;
}

/** A broker that answers pings and acknowledges nothing is no broker. */
const acknowledgeTimeoutMs = 30_000;
/** A message that ended connections goes only when this one has been well for so long. */
const quietMs = 1000;
/** So much may wait to be written; beyond it what nobody waits for is left out. */
const unwrittenBytesMax = 1024 * 1024;
const receiveMaximumDefault = 65_535;
/** The other side went away, in the words of a socket. */
const hangUpCodes: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);
/** mqtt.js says these without a code; they are no fault of what the broker sent. */
const ownTimeouts: ReadonlySet<string> = new Set(['Keepalive timeout', 'connack timeout']);

/**
 * One connection, from CONNECT to its end, which is told once. What the parser or the protocol refuses ends
 * it at once: mqtt.js would go on without hearing. A message with QoS 0 that is wanted counts as taken when
 * the broker has answered a ping sent after it.
 */
export class Connection {
  limits: Limits;
  granted = false;
  private readonly client: MqttClient;
  private readonly flow = new Flow(0);
  private readonly underWay = new Set<UnderWay>();
  /** All that waits for an answer, to be told of the end. */
  private readonly waiting = new Set<(error: Error) => void>();
  private readonly pinged: { readonly count: number; readonly done: () => void }[] = [];
  private pingsSent = 0;
  private pingsAnswered = 0;
  private proven = false;
  private ended = false;
  private reason: number | null = null;
  private reasonWords = '';
  private upMs = 0;

  /** Throws when the settings are wrong. */
  constructor(private readonly options: ConnectionOptions) {
    this.limits = {
      ...options.service,
      receiveMaximum: receiveMaximumDefault,
      maximumPacketBytes: Infinity,
      protocolVersion: this.protocolVersion,
    };
    // Its cache of every number of two bytes is 65,536 objects, 9 MB for ever.
    const client = mqtt.connect(options.url, { ...options.settings, writeCache: false });
    this.client = client;
    guardInbound(client.stream, (error) => this.failed(error));
    client.on('connect', (packet) => this.up(packet));
    client.on('message', (topic, payload, packet) => {
      if (!this.ended) options.onMessage(topic, payload, packet.retain);
    });
    client.on('packetsend', ({ cmd }) => {
      if (cmd === 'pingreq') this.pingsSent++;
    });
    client.on('packetreceive', ({ cmd }) => {
      if (cmd === 'pingresp') this.pingAnswered();
    });
    client.on('disconnect', ({ reasonCode, properties }) => {
      this.reason = reasonCode ?? 0;
      this.reasonWords = properties?.reasonString ?? '';
      this.end('', true);
    });
    client.on('error', (error) => this.failed(error));
    client.on('close', () =>
      this.end(
        this.granted
          ? 'the broker closed the connection'
          : 'the broker closed the connection before it answered',
        true,
      ),
    );
  }

  /** Messages that would go at once. */
  get room(): number {
    return this.granted && !this.ended ? this.flow.room : 0;
  }

  fits(topic: string, payload: Payload): boolean {
    return this.bytesOf(topic, payload) <= this.limits.maximumPacketBytes;
  }

  /** Resolves when the broker has it; rejects with RefusedError, TooLargeError, or when the connection ends. */
  async publish(message: Message): Promise<void> {
    const { topic, payload, wanted, key } = message;
    if (!this.granted || this.ended) throw new Error('not connected');
    const bytes = this.bytesOf(topic, payload);
    if (bytes > this.limits.maximumPacketBytes)
      throw new TooLargeError(bytes, this.limits.maximumPacketBytes);
    if (!wanted) {
      // Whether it ended the connection could not be told from what is under suspicion.
      if (!this.options.blame.careful && this.client.stream.writableLength < unwrittenBytesMax)
        this.write(message, () => undefined);
      return;
    }
    await this.inTurn({ key, topic, bytes }, (done) => {
      const proof = (error?: Error) => {
        if (!error) this.proven = true;
        done(error);
      };
      if (message.qos === 1) this.write(message, proof);
      else {
        this.write(message, (error) => {
          if (error) done(error);
        });
        this.pinged.push({ count: this.pingsSent + 1, done: proof });
        this.client.sendPing();
      }
      message.onWritten?.();
    });
  }

  /** Resolves when it is granted; rejects with RefusedError when it is not. */
  async subscribe(filter: string, key: string): Promise<void> {
    await this.inTurn({ key, topic: filter, bytes: filter.length }, (done) => {
      this.client.subscribe(filter, { qos: 1 }, (error) => done(error ?? undefined));
    });
  }

  /** Says goodbye within `timeoutMs`; nothing is left that would keep the process. */
  async close(timeoutMs: number): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    if (this.granted)
      await new Promise<void>((resolve) => {
        const cancel = this.options.clock.after(timeoutMs, resolve);
        this.client.once('close', () => {
          cancel();
          resolve();
        });
        this.client.end(false, {}, () => {
          cancel();
          resolve();
        });
      });
    this.destroy(new Error('closed'));
  }

  private up({ properties }: IConnackPacket): void {
    if (this.ended) return;
    const { service, clock } = this.options;
    this.granted = true;
    this.upMs = clock.monotonic();
    this.limits = {
      retain: service.retain && properties?.retainAvailable !== false,
      qos: properties?.maximumQoS === 0 ? 0 : service.qos,
      receiveMaximum: properties?.receiveMaximum ?? receiveMaximumDefault,
      maximumPacketBytes: properties?.maximumPacketSize ?? Infinity,
      protocolVersion: this.protocolVersion,
    };
    this.setFlow();
    this.options.onUp();
  }

  private failed(error: Error): void {
    const { code } = error as { code?: unknown };
    if (!this.granted && typeof code === 'number') {
      this.reason = code;
      this.end(messageOf(error), false);
    } else if (codeOf(error) !== undefined)
      this.end(messageOf(error), hangUpCodes.has(codeOf(error) ?? ''));
    else if (ownTimeouts.has(error.message)) this.end(messageOf(error), false);
    else this.end(`the broker sent what MQTT does not allow: ${messageOf(error)}`, true);
  }

  private end(why: string, byPeer: boolean): void {
    if (this.ended) return;
    this.ended = true;
    const { granted, reason, proven } = this;
    const said =
      granted && reason !== null
        ? `the broker ended the connection: ${reasonText(reason, this.reasonWords)}`
        : why;
    const underWay = [...this.underWay];
    this.options.onEnd({ why: said, granted, byPeer, reason, underWay, proven });
    this.destroy(new Error(said));
  }

  private destroy(error: Error): void {
    this.flow.close(error);
    for (const fail of [...this.waiting]) fail(error);
    this.client.end(true);
    // end() does nothing when a goodbye is already under way.
    this.client.stream.destroy();
  }

  /** One's turn, then the exchange, with a time limit, and told of the end of the connection. */
  private async inTurn(
    message: UnderWay,
    exchange: (done: (error?: Error) => void) => void,
  ): Promise<void> {
    const { blame, clock } = this.options;
    await this.flow.enter();
    try {
      if (message.key !== undefined && blame.endedBy(message.key) > 0) await this.quiet();
      this.underWay.add(message);
      await this.answered((done) => {
        const cancel = clock.after(acknowledgeTimeoutMs, () =>
          this.end(`no acknowledgement within ${acknowledgeTimeoutMs / 1000} s`, false),
        );
        exchange((error) => {
          // In the moment of the answer: the next packet may already say that the connection ends.
          if (error === undefined || refusalOf(error) !== null) {
            this.underWay.delete(message);
            blame.acknowledged(message);
          }
          done(error);
        });
        return cancel;
      });
    } catch (error) {
      const refusal = refusalOf(error);
      throw refusal === null ? error : new RefusedError(refusal, { cause: error });
    } finally {
      this.underWay.delete(message);
      this.flow.leave();
      this.setFlow();
      if (!this.ended) this.options.onRoom();
    }
  }

  private async quiet(): Promise<void> {
    const { clock } = this.options;
    const leftMs = this.upMs + quietMs - clock.monotonic();
    if (leftMs > 0) await this.answered((done) => clock.after(leftMs, () => done()));
  }

  /** Waits for `done`, or for the end of the connection. `begin` returns how to stop its timer. */
  private async answered(begin: (done: (error?: Error) => void) => () => void): Promise<void> {
    if (this.ended) throw new Error('not connected');
    let cancel: () => void = () => undefined;
    let settle: (error?: Error) => void = () => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        settle = (error) => {
          if (error) reject(error);
          else resolve();
        };
        this.waiting.add(settle);
        cancel = begin(settle);
      });
    } finally {
      cancel();
      this.waiting.delete(settle);
    }
  }

  private setFlow(): void {
    if (this.granted && !this.ended)
      this.flow.setLimit(this.options.blame.careful ? 1 : this.limits.receiveMaximum);
  }

  private write(message: Message, done: (error?: Error) => void): void {
    const { topic, payload, qos } = message;
    const retain = message.retain && this.limits.retain;
    const properties = this.namesType(payload) ? { properties: { contentType } } : {};
    this.client.publish(topic, payload, { qos, retain, ...properties }, (error) =>
      done(error ?? undefined),
    );
  }

  private pingAnswered(): void {
    this.pingsAnswered++;
    while ((this.pinged[0]?.count ?? Infinity) <= this.pingsAnswered) this.pinged.shift()?.done();
  }

  private namesType(payload: Payload): boolean {
    return this.protocolVersion === 5 && typeof payload === 'string';
  }

  private get protocolVersion(): ProtocolVersion {
    return this.options.settings.protocolVersion === 5 ? 5 : 4;
  }

  /** Of the whole PUBLISH packet. */
  private bytesOf(topic: string, payload: Payload): number {
    const named = this.namesType(payload) ? 1 + 2 + contentType.length : 0;
    const properties = this.protocolVersion === 5 ? 1 + named : 0;
    const rest = 2 + Buffer.byteLength(topic) + 2 + properties + Buffer.byteLength(payload);
    const lengthBytes = rest < 128 ? 1 : rest < 16_384 ? 2 : rest < 2_097_152 ? 3 : 4;
    return 1 + lengthBytes + rest;
  }
}

const contentType = 'application/json';

/** The reason for which the broker said no, or null: it did not answer. */
function refusalOf(error: unknown): number | null {
  const { code, packet } = error as { code?: unknown; packet?: { granted?: readonly unknown[] } };
  const said = [code, ...(packet?.granted ?? [])];
  return said.find((one): one is number => typeof one === 'number' && one >= 0x80) ?? null;
}
