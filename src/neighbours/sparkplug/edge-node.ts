import { Link, TooLargeError, type PublisherOptions } from '../../publish/index.js';
import type { Clock } from '../../runtime/clock.js';
import { messageOf } from '../../runtime/errors.js';
import type { Log } from '../../runtime/log.js';
import { decodeCommand, encodePayload, type Metric } from './payload.js';

/** Numbers of sessions and messages begin again after 255. */
const numbers = 256;
const rebirth = 'Node Control/Rebirth';
/** Births asked for one after the other come at least so far apart, twice as far each time, until it is calm. */
const apartMinMs = 1000;
const apartMaxMs = 60_000;
const calmMs = 60_000;
/** So many in a row are said. */
const stormBirths = 5;
const farewellMs = 1000;
/** A rebirth has 40. */
const commandBytesMax = 64 * 1024;
/** The broker was not reached, so it has seen no will. */
const notReached =
  /^(connect |getaddrinfo )|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN/;

export interface EdgeNodeOptions {
  readonly group: string;
  readonly node: string;
  readonly link: PublisherOptions['link'];
  /** Of the session before, if it is known. */
  readonly lastSession: number | null;
  readonly onSession: (session: number) => void;
  /** All metrics, with their values now. */
  readonly birth: () => readonly Metric[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** One edge node: sessions, births, deaths and the numbers of its messages, by the rules of Sparkplug B 3.0. */
export class EdgeNode {
  private readonly link: Link;
  private session: number;
  /** The broker may have seen a will with this number. */
  private used = false;
  private seq = 0;
  private born = false;
  private bornMs = -Infinity;
  private inARow = 0;
  private cancelRebirth: (() => void) | null = null;
  private said = { badCommand: false, tooLarge: false };
  private down = '';

  constructor(private readonly options: EdgeNodeOptions) {
    const { lastSession, clock, random, log } = options;
    this.session = lastSession === null ? 0 : (lastSession + 1) % numbers;
    const ndeath = this.topic('NDEATH');
    const death = () => this.nextDeath();
    this.link = new Link({
      ...options.link,
      retain: false,
      will: {
        topic: ndeath,
        get payload() {
          return death();
        },
      },
      subscribe: this.topic('NCMD'),
      ...{ clock, random },
      onUp: () => this.up(),
      onDown: (why) => this.lost(why),
      onSubscribeRefused: (why) =>
        log.error({ event: 'sparkplug.no-commands', why }, 'hosts cannot ask for a rebirth'),
      onMessage: (_, payload, retained) => {
        if (!retained) this.command(payload);
      },
    });
  }

  open(): void {
    this.link.open();
  }

  /** What changed; without a broker it is left to the next birth. */
  data(metrics: readonly Metric[]): void {
    if (!this.born || metrics.length === 0) return;
    this.send('NDATA', metrics);
  }

  /** The metrics themselves are others now. */
  bearAgain(): void {
    if (this.born) this.bear();
  }

  /** Says goodbye: a connection that is closed in order leaves no will. */
  async close(): Promise<void> {
    this.cancelRebirth?.();
    if (this.born) {
      this.born = false;
      const gone = this.link.publish(this.topic('NDEATH'), this.death(), { qos: 1 });
      let cancel: () => void = () => undefined;
      const late = new Promise<void>((resolve) => {
        cancel = this.options.clock.after(farewellMs, resolve);
      });
      await Promise.race([gone.catch(() => undefined), late]);
      cancel();
    }
    await this.link.close(farewellMs / 2);
  }

  private topic(type: 'NBIRTH' | 'NDATA' | 'NDEATH' | 'NCMD'): string {
    return `spBv1.0/${this.options.group}/${type}/${this.options.node}`;
  }

  private up(): void {
    const { log, group, node } = this.options;
    this.used = true;
    this.down = '';
    this.options.onSession(this.session);
    log.info({ event: 'sparkplug.connected', group, node }, 'an edge node of Sparkplug B');
    this.bear();
  }

  private lost(why: string): void {
    this.born = false;
    this.cancelRebirth?.();
    this.cancelRebirth = null;
    if (!notReached.test(why)) this.used = true;
    if (why !== this.down)
      this.options.log.warn({ event: 'sparkplug.disconnected', why }, 'no broker for Sparkplug');
    this.down = why;
  }

  /** The will of the connection that begins now. */
  private nextDeath(): Buffer {
    if (this.used) this.session = (this.session + 1) % numbers;
    this.used = false;
    return this.death();
  }

  /** No number of a message, and nothing but the session. */
  private death(): Buffer {
    const timestamp = this.options.clock.now();
    return encodePayload([this.sessionMetric(timestamp)], { timestamp });
  }

  private sessionMetric(atMs: number): Metric {
    return { name: 'bdSeq', type: 'Int64', value: this.session, atMs };
  }

  private bear(): void {
    const { clock, birth } = this.options;
    this.cancelRebirth?.();
    this.cancelRebirth = null;
    const now = clock.now();
    this.seq = 0;
    this.born = true;
    this.bornMs = clock.monotonic();
    this.send('NBIRTH', [
      this.sessionMetric(now),
      { name: rebirth, type: 'Boolean', value: false, atMs: now },
      ...birth(),
    ]);
  }

  private send(type: 'NBIRTH' | 'NDATA', metrics: readonly Metric[]): void {
    const { clock, log } = this.options;
    const payload = encodePayload(metrics, { timestamp: clock.now(), seq: this.seq });
    this.seq = (this.seq + 1) % numbers;
    this.link
      .publish(this.topic(type), payload, { qos: 0, wanted: true })
      .catch((error: unknown) => {
        // A host sees the gap in the numbers and asks for a birth.
        if (!(error instanceof TooLargeError) || this.said.tooLarge) return;
        this.said.tooLarge = true;
        log.error({ event: 'sparkplug.too-large', why: messageOf(error) }, `no ${type}`);
      });
  }

  private command(payload: Buffer): void {
    try {
      if (payload.length > commandBytesMax) throw new Error(`${payload.length} bytes`);
      if (decodeCommand(payload).get(rebirth) === true) this.askedForBirth();
    } catch (error) {
      if (this.said.badCommand) return;
      this.said.badCommand = true;
      this.options.log.warn(
        { event: 'sparkplug.bad-command', why: messageOf(error) },
        'a command that is no Sparkplug payload',
      );
    }
  }

  /** All that ask while one waits get the same one. */
  private askedForBirth(): void {
    if (!this.born || this.cancelRebirth !== null) return;
    const { clock, log, group, node } = this.options;
    const sinceMs = clock.monotonic() - this.bornMs;
    if (sinceMs > calmMs + this.apartMs) this.inARow = 0;
    const waitMs = this.inARow === 0 ? 0 : Math.max(0, this.apartMs - sinceMs);
    if (++this.inARow === stormBirths)
      log.warn(
        { event: 'sparkplug.rebirth-storm', group, node, count: this.inARow },
        'hosts ask for one birth after the other; they are answered later and later',
      );
    this.cancelRebirth = clock.after(waitMs, () => this.bear());
  }

  private get apartMs(): number {
    return Math.min(apartMaxMs, apartMinMs * 2 ** Math.max(0, Math.min(this.inARow, 10) - 1));
  }
}
