import type { Heard, Partial } from '../records.js';
import type { Clock } from '../runtime/clock.js';
import { messageOf } from '../runtime/errors.js';
import type { Log } from '../runtime/log.js';
import { Link, type LinkOptions } from './link.js';
import { Outbox, type Letter, type StoredLetter } from './outbox.js';
import {
  intentPayload,
  rejectedPayload,
  topicsOf,
  transcriptPayload,
  type Context,
  type Topics,
} from './payloads.js';
import { answerRequest, type RequestHandler } from './requests.js';

/** Letters under way to the broker at once. */
const windowSize = 32;
/** A failed letter is tried again after this. */
const retryMs = 1000;
/** Transcripts kept in memory while the disk takes none. */
const strandedMax = 1000;

export interface PublisherOptions {
  readonly base: string;
  readonly device: string;
  readonly boot: string;
  readonly link: Omit<
    LinkOptions,
    'will' | 'subscribe' | 'clock' | 'random' | 'onUp' | 'onDown' | 'onMessage'
  >;
  readonly outbox: { readonly dir: string; readonly maxBytes: number; readonly maxAgeMs: number };
  readonly handlers: Readonly<Record<string, RequestHandler>>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** What is heard goes in; MQTT comes out, at least once and in order for all that must not be lost. */
export class Publisher {
  readonly topics: Topics;
  private readonly link: Link;
  private readonly retained = new Map<string, string>();
  private readonly inFlight = new Set<number>();
  private nextToSend = 0;
  private seq = 0;
  private epoch = 0;
  private stranded: Letter[] = [];
  private cancelRetry: () => void = () => undefined;
  private retryPending = false;
  private published = 0;
  private dropped = 0;
  private lastDown = '';

  private constructor(
    private readonly options: PublisherOptions,
    private readonly outbox: Outbox,
  ) {
    const { base, device, clock, random, log } = options;
    this.topics = topicsOf(base, device);
    this.retained.set(this.topics.state, JSON.stringify({ state: 'online' }));
    this.link = new Link({
      ...options.link,
      will: { topic: this.topics.state, payload: JSON.stringify({ state: 'offline' }) },
      subscribe: this.topics.requests,
      clock,
      random,
      onUp: () => this.up(),
      onDown: (why, kickedOut) => {
        if (kickedOut)
          log.error(
            { event: 'mqtt.kicked-out', clientId: options.link.clientId },
            'another client uses this client id: give each device its own device.id',
          );
        else if (why !== this.lastDown)
          log.warn({ event: 'mqtt.down', why }, 'no broker; transcripts wait in the outbox');
        this.lastDown = why;
        this.inFlight.clear();
        this.epoch++;
      },
      onMessage: (topic, payload, retained) => void this.request(topic, payload, retained),
    });
  }

  /** Opens the outbox and begins to connect; does not wait for the broker. */
  static async open(options: PublisherOptions): Promise<Publisher> {
    const opened: { publisher?: Publisher } = {};
    const outbox = await Outbox.open({
      ...options.outbox,
      clock: options.clock,
      onDropped: (count, why) => opened.publisher?.reportDropped(count, why),
      onSetAside: (path, why) =>
        options.log.error(
          { event: 'outbox.set-aside', path, why },
          'the outbox could not be read; it was set aside and a new one begun',
        ),
    });
    const publisher = new Publisher(options, outbox);
    opened.publisher = publisher;
    if (outbox.size > 0)
      options.log.info(
        { event: 'outbox.found', queued: outbox.size },
        'transcripts of an earlier run wait for the broker',
      );
    publisher.link.open();
    return publisher;
  }

  stats() {
    return {
      connected: this.link.connected,
      queued: this.outbox.size + this.stranded.length,
      published: this.published,
      dropped: this.dropped,
    };
  }

  /** Resolves when an accepted command is safe on disk. A refused one is sent if there is a broker now. */
  async heard(heard: Heard, context: Omit<Context, 'boot' | 'seq'>): Promise<void> {
    const full: Context = {
      ...context,
      boot: this.options.boot,
      seq: heard.accepted ? this.seq++ : this.seq,
    };
    if (!heard.accepted) {
      this.volatile(this.topics.rejected, rejectedPayload(heard, full));
      return;
    }
    await this.keep([
      { topic: this.topics.transcript, payload: transcriptPayload(heard, full) },
      ...(heard.intent === null
        ? []
        : [{ topic: this.topics.intent(heard.intent), payload: intentPayload(heard, full) }]),
    ]);
  }

  partial(partial: Partial): void {
    this.volatile(this.topics.partial, { text: partial.text });
  }

  /** Something that an operator may want to know later; kept like a transcript. */
  async event(name: string, data: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await this.keep([
      {
        topic: this.topics.event,
        payload: { event: name, at: new Date(this.options.clock.now()).toISOString(), ...data },
      },
    ]);
  }

  /** The newest value of a retained topic, published now and after every connection. */
  retain(topic: 'info' | 'health' | 'update', payload: Readonly<Record<string, unknown>>): void {
    this.retained.set(this.topics[topic], JSON.stringify(payload));
    if (this.link.connected) this.sendRetained(this.topics[topic]);
  }

  /** Publishes `offline` and closes; what is unsent stays in the outbox. */
  async close(timeoutMs = 3000): Promise<void> {
    this.cancelRetry();
    if (this.link.connected) {
      const offline = JSON.stringify({ state: 'offline' });
      const sent = this.link
        .publish(this.topics.state, offline, { qos: 1, retain: true })
        .catch(() => undefined);
      await Promise.race([
        sent,
        new Promise<void>((resolve) => void this.options.clock.after(timeoutMs / 2, resolve)),
      ]);
    }
    await this.link.close(timeoutMs);
    await this.outbox.close();
  }

  private async keep(letters: readonly Letter[]): Promise<void> {
    try {
      await this.outbox.put([...this.stranded, ...letters]);
      this.stranded = [];
    } catch (error) {
      this.stranded.push(...letters);
      const over = this.stranded.length - strandedMax;
      if (over > 0) {
        this.stranded.splice(0, over);
        this.dropped += over;
      }
      this.options.log.error(
        { event: 'outbox.write-failed', why: messageOf(error), waiting: this.stranded.length },
        'the disk takes no transcripts; they wait in memory',
      );
      this.retryLater();
    }
    this.pump();
  }

  private volatile(topic: string, payload: Readonly<Record<string, unknown>>): void {
    if (!this.link.connected) return;
    this.link.publish(topic, JSON.stringify(payload), { qos: 0 }).catch(() => undefined);
  }

  private sendRetained(topic: string): void {
    this.link
      .publish(topic, this.retained.get(topic) ?? '', { qos: 1, retain: true })
      .catch(() => undefined);
  }

  private up(): void {
    this.options.log.info(
      { event: 'mqtt.up', queued: this.outbox.size },
      'connected to the broker',
    );
    this.lastDown = '';
    this.epoch++;
    this.inFlight.clear();
    this.nextToSend = 0;
    for (const topic of this.retained.keys()) this.sendRetained(topic);
    this.pump();
  }

  /** Keeps the window full, oldest first. */
  private pump(): void {
    if (!this.link.connected) return;
    for (const letter of this.outbox.from(this.nextToSend)) {
      if (this.inFlight.has(letter.number)) continue;
      if (this.inFlight.size >= windowSize) return;
      this.nextToSend = letter.number + 1;
      this.inFlight.add(letter.number);
      void this.send(letter, this.epoch);
    }
  }

  private async send(letter: StoredLetter, epoch: number): Promise<void> {
    const replayed =
      letter.number < this.outbox.replayedBelow ||
      letter.acceptedAtMs < this.options.clock.now() - 5000;
    const payload = 'replayed' in letter.payload ? { ...letter.payload, replayed } : letter.payload;
    try {
      await this.link.publish(letter.topic, JSON.stringify(payload), { qos: 1 });
      this.published++;
      await this.outbox.remove(letter.number);
    } catch (error) {
      if (epoch !== this.epoch) return;
      this.options.log.warn(
        { event: 'mqtt.publish-failed', why: messageOf(error) },
        'a transcript was not taken; it will be sent again',
      );
      this.nextToSend = 0;
      this.retryLater();
    } finally {
      if (epoch === this.epoch) this.inFlight.delete(letter.number);
    }
    if (epoch === this.epoch) this.pump();
  }

  private retryLater(): void {
    if (this.retryPending) return;
    this.retryPending = true;
    this.cancelRetry = this.options.clock.after(retryMs, () => {
      this.retryPending = false;
      if (this.stranded.length > 0) void this.keep([]);
      else this.pump();
    });
  }

  private reportDropped(count: number, why: 'full' | 'old'): void {
    this.dropped += count;
    this.options.log.error(
      { event: 'outbox.dropped', count, why },
      'the oldest transcripts were dropped',
    );
    this.volatile(this.topics.event, {
      event: 'outbox-full',
      at: new Date(this.options.clock.now()).toISOString(),
      count,
      why,
    });
  }

  private async request(topic: string, payload: Buffer, retained: boolean): Promise<void> {
    const name = topic.split('/').at(-1) ?? '';
    if (retained) {
      this.options.log.warn(
        { event: 'request.retained', name },
        'a retained request is ignored: publish requests without retain',
      );
      return;
    }
    const answer = await answerRequest(name, payload, this.options.handlers, this.options.clock);
    this.link
      .publish(this.topics.response(name), JSON.stringify(answer), { qos: 1 })
      .catch(() => undefined);
  }
}
