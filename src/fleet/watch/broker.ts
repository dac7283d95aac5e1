import mqtt, { type MqttClient } from 'mqtt';
import { shownAddress } from '../../runtime/address.js';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { sleep, sleepUntil, type Clock } from '../../runtime/clock.js';
import { watchedTopics } from './view.js';

export interface BrokerOptions {
  readonly url: string;
  readonly base: string;
  /** In place of those of a fleet. */
  readonly topics?: readonly string[];
  readonly username?: string;
  readonly password?: string;
  readonly ca?: string;
  readonly clock: Clock;
  readonly onMessage: (topic: string, payload: Buffer, retained: boolean) => void;
  readonly onLink: (up: boolean, why: string) => void;
}

/** An odd host may be a name or a password; a query means something to WebSockets only. */
const plainAddress =
  /^((mqtts?|tcp|ssl):\/\/([\p{L}\p{N}._-]+|\[[\da-f:.]+\])(:\d{1,5})?\/?|wss?:\/\/([\p{L}\p{N}._-]+|\[[\da-f:.]+\])(:\d{1,5})?([/?][^\s#]*)?)$/iu;

const pollMs = 50;
/** A filter that nobody subscribes to. */
const nothing = 'kikitori/nothing/nothing/nothing';

/** Reads the topics of a fleet from any MQTT 3.1.1 broker, any node of it, and comes back by itself. */
export class FleetReader {
  private messages = 0;
  private lastMs = 0;

  private constructor(
    private readonly client: MqttClient,
    private readonly clock: Clock,
  ) {
    client.on('message', () => {
      this.messages++;
      this.lastMs = clock.monotonic();
    });
  }

  /** Resolves when the first subscription is acknowledged; rejects when that does not happen in time. */
  static open(o: BrokerOptions, timeoutMs = 15_000): Promise<FleetReader> {
    const where = shownAddress(o.url) || '--broker';
    if (o.url.includes('@'))
      throw new KikitoriError('credentials do not belong into the address', {
        kind: 'usage',
        where,
        hint: 'use --username and --password-file, or $KIKITORI_FLEET_MQTT_PASSWORD',
      });
    if (!plainAddress.test(o.url) || !URL.canParse(o.url))
      throw new KikitoriError('this is no address of a broker', {
        kind: 'usage',
        where,
        expected: 'mqtt://host or mqtts://host',
      });
    const client = mqtt.connect(o.url, {
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 2000,
      connectTimeout: 10_000,
      keepalive: 30,
      resubscribe: false,
      username: o.username,
      password: o.password,
      ca: o.ca,
    });
    const reader = new FleetReader(client, o.clock);
    client.on('message', (topic, payload, packet) => o.onMessage(topic, payload, packet.retain));
    let lastError = 'no answer';
    client.on('error', (error) => (lastError = messageOf(error)));
    client.on('close', () => o.onLink(false, lastError));
    return new Promise((resolve, reject) => {
      const cancel = o.clock.after(timeoutMs, () => {
        client.end(true);
        reject(new KikitoriError(`no connection: ${lastError}`, { kind: 'network', where }));
      });
      client.on('connect', () => {
        const topics = [...(o.topics ?? watchedTopics.map((kind) => `${o.base}/+/${kind}`))];
        client.subscribe(topics, { qos: 1 }, (error, granted) => {
          const refused = (granted ?? []).filter((g) => g.qos === 128).map((g) => g.topic);
          if (error !== null && error !== undefined) lastError = messageOf(error);
          else if (refused.length > 0) lastError = `the broker refuses ${refused.join(', ')}`;
          else {
            cancel();
            o.onLink(true, '');
            resolve(reader);
          }
        });
      });
    });
  }

  /**
   * All that the broker keeps has come: no message for `quietMs`, and none before the broker answered, which a busy one
   * does later. Ends in any case after `limitMs`, and as soon as it is `enough`.
   */
  async settled(quietMs: number, limitMs: number, enough = () => false): Promise<void> {
    const beginMs = this.clock.monotonic();
    this.lastMs = beginMs;
    for (;;) {
      const now = this.clock.monotonic();
      if (enough() || now - beginMs >= limitMs) return;
      if (now - this.lastMs < quietMs) {
        await sleep(this.clock, pollMs);
        continue;
      }
      const before = this.messages;
      await this.answered(beginMs + limitMs - now);
      if (this.messages === before) return;
    }
  }

  /** The answer to a subscription that is given up comes after all that was sent before it, also if there is none. */
  private async answered(limitMs: number): Promise<void> {
    const over = new AbortController();
    const answer = this.client.unsubscribeAsync(nothing).catch(() => undefined);
    await Promise.race([
      answer.finally(() => over.abort()),
      sleepUntil(this.clock, limitMs, over.signal),
    ]);
  }

  async close(): Promise<void> {
    // The end that we want is no broker that is away.
    this.client.removeAllListeners('close');
    await this.client.endAsync(true);
  }
}
