import type { IClientOptions } from 'mqtt';
import type { Clock } from '../runtime/clock.js';
import { messageOf } from '../runtime/errors.js';
import { Blame, type UnderWay } from './blame.js';
import {
  Connection,
  RefusedError,
  type ConnectionEnd,
  type Limits,
  type Payload,
} from './connection.js';
import { packetBytesMax } from './inbound.js';
import { ProtocolChoice, type ProtocolVersion } from './protocol.js';
import { reason } from './reasons.js';
import { WillService } from './will.js';

/** What authenticates this device. Read for every attempt: a renewed certificate needs no restart. */
export interface Secrets {
  readonly password?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** How a connection, or the attempt to make one, ended. */
export interface Down {
  /** The broker says that another client came with the same id. */
  readonly kickedOut: boolean;
  /** Many do not say so: connections in a row that were granted and closed at once, with nothing under way. */
  readonly shortLived: number;
  /** The message that ended so many connections that it is not to be sent again. */
  readonly blamed: UnderWay | null;
  /** The broker closed the connection in place of an answer, so often in a row. */
  readonly unanswered: number;
  /** The next attempt asks for less service, or for the full one to compare. */
  readonly asksLess: boolean;
  /** The next attempt is made in another version of MQTT: this end may be no fault at all. */
  readonly asksOtherVersion: boolean;
}

export interface LinkOptions {
  readonly url: string;
  /** auto: 5, or 4 with a broker that speaks no other. */
  readonly protocolVersion: ProtocolVersion | 'auto';
  readonly clientId: string;
  readonly username?: string;
  readonly secrets: () => Secrets;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
  readonly keepaliveMs: number;
  readonly connectTimeoutMs: number;
  /** The service to ask for. Absent: retained messages and QoS 1. */
  readonly retain?: boolean;
  readonly qos?: 0 | 1;
  /** Published by the broker when this device vanishes; read for every attempt. */
  readonly will: { readonly topic: string; readonly payload: Payload };
  readonly subscribe: string;
  /** Further filters; one that is refused leaves the others alone. */
  readonly subscribeAlso?: () => readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly onUp: (limits: Limits) => void;
  readonly onDown: (why: string, seen: Down) => void;
  /** The broker does not let this device hear requests. */
  readonly onSubscribeRefused: (why: string, filter: string) => void;
  readonly onMessage: (topic: string, payload: Buffer, retained: boolean) => void;
  /** Another message may go. */
  readonly onRoom?: () => void;
}

export interface PublishOptions {
  /** 0: may be left out in trouble. 1: the best that configuration and broker allow. */
  readonly qos: 0 | 1;
  /** Also with QoS 0: the broker is seen to have taken it. */
  readonly wanted?: true;
  readonly retain?: boolean;
  /** Names a message that is sent again on the next connection until it is acknowledged. */
  readonly key?: string;
  readonly onWritten?: () => void;
}

/** Letters need proof that broker and line are well before one of them is blamed. */
export const letterKey = (number: number) => `letter:${number}`;
export const numberOfLetter = (key: string | undefined): number | null =>
  key?.startsWith('letter:') === true ? Number(key.slice('letter:'.length)) : null;
const isLetter = (key: string) => numberOfLetter(key) !== null;

const subscribeKey = (filter: string) => `subscribe:${filter}`;
const backoffMinMs = 500;
const backoffMaxMs = 30_000;
/** Only a connection that held this long makes the pauses short again: two clients with one id would fight. */
const stableMs = 10_000;
const leaveMs = 1000;
/** More topics are not remembered. */
const refusedMax = 1000;
/** What the broker was found not to take is asked for again after this long. */
const askAgainMs = 3_600_000;
const nothing = {
  ...{ kickedOut: false, blamed: null, unanswered: 0 },
  ...{ asksLess: false, asksOtherVersion: false },
};

/**
 * A connection to a broker that is made again for ever, whatever ended it. A wrong password is no reason to stop: it may
 * be mended on the broker's side. mqtt.js is the transport only. Each attempt is a new client, without its own retries
 * and queues.
 */
export class Link {
  private connection: Connection | null = null;
  private readonly blame = new Blame(isLetter);
  private readonly will: WillService;
  private readonly protocol: ProtocolChoice;
  private attempts = 0;
  private shortLived = 0;
  private unanswered = 0;
  private closed = false;
  private lessSinceMs = 0;
  private olderSinceMs = 0;
  /** Until when a filter that ended a connection is not asked for. */
  private readonly deafUntilMs = new Map<string, number>();
  private cancelRetry: () => void = () => undefined;
  private cancelStable: () => void = () => undefined;
  private readonly refusing = new Set<string>();
  connected = false;

  constructor(private readonly options: LinkOptions) {
    this.will = new WillService({ retain: options.retain ?? true, qos: options.qos ?? 1 });
    this.protocol = new ProtocolChoice(options.protocolVersion);
  }

  open(): void {
    if (this.closed) return;
    const { clock, onMessage } = this.options;
    if (clock.monotonic() - this.lessSinceMs > askAgainMs) this.will.begin();
    if (clock.monotonic() - this.olderSinceMs > askAgainMs) this.protocol.begin();
    const ref: { connection?: Connection } = {};
    let early: ConnectionEnd | undefined;
    try {
      ref.connection = new Connection({
        url: this.options.url,
        settings: this.settings(),
        service: this.will.service,
        clock,
        blame: this.blame,
        onMessage,
        onRoom: () => this.options.onRoom?.(),
        onUp: () => this.up(ref.connection),
        onEnd: (end) => {
          if (ref.connection === undefined) early = end;
          else this.ended(ref.connection, end);
        },
      });
    } catch (error) {
      this.lost(messageOf(error), { ...nothing, shortLived: this.shortLived });
      return;
    }
    this.connection = ref.connection;
    if (early !== undefined) this.ended(ref.connection, early);
  }

  /** Messages that would go at once. */
  get room(): number {
    return this.connection?.room ?? 0;
  }

  /** Of the connection that is; undefined without one. */
  get limits(): Limits | undefined {
    return this.connected ? this.connection?.limits : undefined;
  }

  fits(topic: string, payload: Payload): boolean {
    return this.connection?.fits(topic, payload) ?? true;
  }

  /** Resolves when the broker has acknowledged, or (`qos` 0) at once. */
  async publish(topic: string, payload: Payload, options: PublishOptions): Promise<void> {
    const { connection } = this;
    if (connection === null || !this.connected) throw new Error('not connected');
    await this.noting(
      topic,
      connection.publish({
        topic,
        payload,
        qos: options.qos === 0 ? 0 : connection.limits.qos,
        retain: options.retain ?? false,
        wanted: options.wanted ?? options.qos === 1,
        ...(options.key === undefined ? {} : { key: options.key }),
        ...(options.onWritten === undefined ? {} : { onWritten: options.onWritten }),
      }),
    );
  }

  /** Topics and filters that the broker refused when they were tried last, on this connection. */
  get refusedTopics(): readonly string[] {
    return [...this.refusing];
  }

  private async noting(topic: string, answer: Promise<void>): Promise<void> {
    try {
      await answer;
      this.refusing.delete(topic);
    } catch (error) {
      if (error instanceof RefusedError && this.refusing.size < refusedMax)
        this.refusing.add(topic);
      throw error;
    }
  }

  /** Messages are retained where that is asked for, as far as is known. */
  get retains(): boolean {
    return this.will.service.retain;
  }

  /** The broker takes no retained messages, though it does not say so; holds from the next connection on. */
  noteNoRetain(): void {
    this.less(reason.retainNotSupported);
  }

  /** No letter is left to be sent: none is suspected any more. */
  lettersDone(): void {
    this.blame.gone(isLetter);
  }

  /** Says goodbye within `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    this.closed = true;
    this.cancelRetry();
    this.cancelStable();
    const { connection } = this;
    this.connection = null;
    this.connected = false;
    await connection?.close(timeoutMs);
  }

  private up(connection: Connection | undefined): void {
    if (connection === undefined || this.connection !== connection) return;
    if (!this.protocol.granted() || !this.will.granted()) {
      // It was only to be seen whether the broker takes this much and no more.
      this.connection = null;
      void connection.close(leaveMs).then(() => this.again());
      return;
    }
    this.connected = true;
    this.shortLived++;
    this.unanswered = 0;
    this.cancelStable = this.options.clock.after(stableMs, () => {
      this.attempts = 0;
      this.shortLived = 0;
    });
    for (const filter of this.filters) void this.subscribeOn(connection, filter);
    this.options.onUp(connection.limits);
  }

  /** A filter that `subscribeAlso` names from now on. */
  subscribe(filter: string): void {
    if (this.connection !== null && this.connected) void this.subscribeOn(this.connection, filter);
  }

  private get filters(): readonly string[] {
    return [this.options.subscribe, ...(this.options.subscribeAlso?.() ?? [])];
  }

  private async subscribeOn(connection: Connection, filter: string): Promise<void> {
    if (this.options.clock.monotonic() < (this.deafUntilMs.get(filter) ?? -Infinity)) return;
    try {
      await this.noting(filter, connection.subscribe(filter, subscribeKey(filter)));
    } catch (error) {
      if (error instanceof RefusedError) this.options.onSubscribeRefused(messageOf(error), filter);
    }
  }

  private ended(connection: Connection, end: ConnectionEnd): void {
    if (this.connection !== connection) return;
    this.connection = null;
    const silent = !end.granted && end.byPeer;
    const turnedAway = silent || (!end.granted && end.reason !== null);
    const asksOtherVersion = turnedAway && this.protocol.refused(end.reason);
    if (asksOtherVersion) this.olderSinceMs = this.options.clock.monotonic();
    else if (silent) this.unanswered++;
    else this.unanswered = 0;
    if (turnedAway && !asksOtherVersion) this.refused(end.reason);
    if (!turnedAway && !end.granted) {
      this.will.absent();
      this.protocol.absent();
    }
    if (end.granted && end.reason !== null) this.less(end.reason);
    const blamed = end.granted ? this.blame.ended(end) : null;
    if (blamed !== null) {
      this.attempts = 0;
      for (const filter of this.filters)
        if (blamed.key === subscribeKey(filter)) this.goDeaf(filter);
    }
    // An end with a reason, or with something under way, says nothing of a second client.
    if (end.granted && (end.reason !== null || end.underWay.length > 0)) this.shortLived--;
    this.lost(end.why, {
      kickedOut: end.granted && end.reason === reason.takenOver,
      shortLived: this.shortLived,
      blamed,
      unanswered: this.unanswered,
      asksLess: this.will.asksLess || this.protocol.asking,
      asksOtherVersion,
    });
  }

  private goDeaf(filter: string): void {
    this.deafUntilMs.set(filter, this.options.clock.monotonic() + askAgainMs);
    this.options.onSubscribeRefused('the broker ends the connection whenever it is asked', filter);
  }

  private less(code: number): void {
    if (code === reason.retainNotSupported || code === reason.qosNotSupported) this.refused(code);
  }

  private refused(code: number | null): void {
    this.will.refused(code);
    this.lessSinceMs = this.options.clock.monotonic();
  }

  private settings(): IClientOptions {
    const o = this.options;
    return {
      protocolVersion: this.protocol.version,
      clientId: o.clientId,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: o.connectTimeoutMs,
      keepalive: Math.max(1, Math.round(o.keepaliveMs / 1000)),
      queueQoSZero: false,
      resubscribe: false,
      rejectUnauthorized: o.rejectUnauthorized,
      will: { topic: o.will.topic, payload: Buffer.from(o.will.payload), ...this.will.service },
      ...(this.protocol.version === 5 ? { properties: { maximumPacketSize: packetBytesMax } } : {}),
      ...(o.username === undefined ? {} : { username: o.username }),
      ...(o.servername === undefined ? {} : { servername: o.servername }),
      ...Object.fromEntries(Object.entries(o.secrets()).filter(([, value]) => value !== undefined)),
    };
  }

  private lost(why: string, seen: Down): void {
    this.connected = false;
    this.refusing.clear();
    this.cancelStable();
    if (this.closed) return;
    this.options.onDown(why, seen);
    // Whoever was told may have closed it.
    if (this.closed as boolean) return;
    this.again();
  }

  private again(): void {
    if (this.closed) return;
    const asking = this.will.asking || this.protocol.asking;
    if (!asking) this.attempts++;
    const exponent = asking ? 0 : Math.min(this.attempts - 1, 10);
    const ceiling = Math.min(backoffMaxMs, backoffMinMs * 2 ** exponent);
    this.cancelRetry = this.options.clock.after(ceiling * (0.5 + 0.5 * this.options.random()), () =>
      this.open(),
    );
  }
}
