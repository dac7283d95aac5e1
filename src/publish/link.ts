import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { Clock } from '../runtime/clock.js';
import { messageOf } from '../runtime/errors.js';

/** What authenticates this device; read for every attempt, so that a renewed one needs no restart. */
export interface Secrets {
  readonly password?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface LinkOptions {
  readonly url: string;
  readonly protocolVersion: 4 | 5;
  readonly clientId: string;
  readonly username?: string;
  readonly secrets: () => Secrets;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
  readonly keepaliveMs: number;
  readonly connectTimeoutMs: number;
  /** Published by the broker when this device vanishes. */
  readonly will: { readonly topic: string; readonly payload: string };
  readonly subscribe: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** `receiveMaximum`: letters that the broker takes before it has acknowledged the first of them. */
  readonly onUp: (receiveMaximum: number) => void;
  /**
   * `kickedOut`: the broker says that another client came with the same id. Many do not say so:
   * `shortLived` counts connections in a row that were granted and closed at once.
   */
  readonly onDown: (why: string, seen: { kickedOut: boolean; shortLived: number }) => void;
  /** The broker does not let this device hear requests. */
  readonly onSubscribeRefused: (why: string) => void;
  readonly onMessage: (topic: string, payload: Buffer, retained: boolean) => void;
}

/** The broker answered, and the answer is no: the same letter would be refused again. */
export class RefusedError extends Error {}

const backoffMinMs = 500;
const backoffMaxMs = 30_000;
/** Only a connection that held this long makes the pauses short again: two clients with one id would fight. */
const stableMs = 10_000;
/** A broker that answers pings and acknowledges nothing is no broker. */
const acknowledgeTimeoutMs = 30_000;
/** MQTT 5 reason "session taken over". */
const takenOver = 0x8e;
const receiveMaximumDefault = 65_535;

/**
 * One connection to a broker, made again for ever: after a broken line, an absent broker, and also a
 * refused one (wrong password, not authorised), since the broker's side may be mended. mqtt.js is
 * the transport only: each attempt is a new client, its own retries and queues are off.
 */
export class Link {
  private client: MqttClient | null = null;
  private attempts = 0;
  private shortLived = 0;
  private closed = false;
  private cancelRetry: () => void = () => undefined;
  private cancelStable: () => void = () => undefined;
  private lastError = '';
  connected = false;

  constructor(private readonly options: LinkOptions) {}

  open(): void {
    if (this.closed) return;
    let client: MqttClient;
    try {
      client = mqtt.connect(this.options.url, this.settings());
    } catch (error) {
      this.lost(messageOf(error), false);
      return;
    }
    this.client = client;
    let kickedOut = false;
    client.on('connect', ({ properties }) => {
      if (this.client !== client) return;
      this.connected = true;
      this.shortLived++;
      this.cancelStable = this.options.clock.after(stableMs, () => {
        this.attempts = 0;
        this.shortLived = 0;
      });
      client.subscribe(this.options.subscribe, { qos: 1 }, (error) => {
        if (error && this.client === client && client.connected)
          this.options.onSubscribeRefused(messageOf(error));
      });
      this.options.onUp(properties?.receiveMaximum ?? receiveMaximumDefault);
    });
    client.on('message', (topic, payload, packet) =>
      this.options.onMessage(topic, payload, packet.retain),
    );
    client.on('error', (error) => {
      this.lastError = messageOf(error);
      if (this.client === client && !this.connected) client.end(true);
    });
    client.on('disconnect', (packet) => {
      kickedOut = packet.reasonCode === takenOver;
    });
    client.on('close', () => {
      if (this.client !== client) return;
      this.client = null;
      client.end(true);
      this.lost(this.lastError === '' ? 'the connection was closed' : this.lastError, kickedOut);
    });
  }

  /** Resolves when the broker has acknowledged (QoS 1) or the bytes are written (QoS 0). */
  async publish(
    topic: string,
    payload: string,
    { qos, retain = false }: { qos: 0 | 1; retain?: boolean },
  ): Promise<void> {
    const { client } = this;
    if (client === null || !this.connected) throw new Error('not connected');
    const properties =
      this.options.protocolVersion === 5 ? { properties: { contentType: 'application/json' } } : {};
    const cancel = this.options.clock.after(acknowledgeTimeoutMs, () => {
      if (this.client !== client) return;
      this.lastError = `no acknowledgement within ${acknowledgeTimeoutMs / 1000} s`;
      client.end(true);
    });
    try {
      await client.publishAsync(topic, payload, { qos, retain, ...properties });
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (typeof code === 'number' && code >= 0x80)
        throw new RefusedError(messageOf(error), { cause: error });
      throw error;
    } finally {
      cancel();
    }
  }

  /** Says goodbye within `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    this.closed = true;
    this.cancelRetry();
    this.cancelStable();
    const { client } = this;
    this.client = null;
    this.connected = false;
    if (client === null) return;
    await new Promise<void>((resolve) => {
      const cancel = this.options.clock.after(timeoutMs, () => {
        client.end(true);
        resolve();
      });
      client.end(false, {}, () => {
        cancel();
        resolve();
      });
    });
  }

  private settings(): IClientOptions {
    const o = this.options;
    return {
      protocolVersion: o.protocolVersion,
      clientId: o.clientId,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: o.connectTimeoutMs,
      keepalive: Math.max(1, Math.round(o.keepaliveMs / 1000)),
      queueQoSZero: false,
      resubscribe: false,
      rejectUnauthorized: o.rejectUnauthorized,
      will: { topic: o.will.topic, payload: Buffer.from(o.will.payload), qos: 1, retain: true },
      ...(o.username === undefined ? {} : { username: o.username }),
      ...(o.servername === undefined ? {} : { servername: o.servername }),
      ...Object.fromEntries(Object.entries(o.secrets()).filter(([, value]) => value !== undefined)),
    };
  }

  private lost(why: string, kickedOut: boolean): void {
    this.connected = false;
    this.lastError = '';
    this.cancelStable();
    if (this.closed) return;
    this.options.onDown(why, { kickedOut, shortLived: this.shortLived });
    // Whoever was told may have closed it.
    if (this.closed as boolean) return;
    const ceiling = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.attempts++, 10));
    this.cancelRetry = this.options.clock.after(ceiling * (0.5 + 0.5 * this.options.random()), () =>
      this.open(),
    );
  }
}
