import type { Heard, Partial } from '../records.js';
import type { Clock } from '../runtime/clock.js';
import { messageOf } from '../runtime/errors.js';
import type { Log } from '../runtime/log.js';
import type { UnderWay } from './blame.js';
import { BrokerLog } from './broker-log.js';
import { TooLargeError, type Limits } from './connection.js';
import type { PublishedEvent } from './contract/events.js';
import { letterKey, Link, numberOfLetter, type Down, type LinkOptions } from './link.js';
import { Outbox, type DropReason } from './outbox.js';
import {
  eventPayload,
  intentPayload,
  kindsOf,
  rejectedPayload,
  topicsOf,
  transcriptPayload,
  type Context,
  type Topics,
} from './payloads.js';
import { RequestGate } from './request-gate.js';
import { RequestLog } from './request-log.js';
import { failure, RequestDesk, type Answer, type RequestHandler } from './requests.js';
import {
  retainedKey,
  RetainedSender,
  RetainedTopics,
  textOf,
  type Payload,
  type Reduction,
} from './retained.js';
import { Sender } from './sender.js';
import { SetAside } from './set-aside.js';
import { Subscribers, topicMatches, type OnMessage } from './subscribers.js';

/** Age limits are looked at this often, and what the broker refused to keep is offered again. */
const expireMs = 60_000;
/** Closing waits this long for acknowledgements before what is left stays for the next start. */
const lastWordsMs = 1000;
/** Each of the two that may come then, `offline` and the goodbye: a stop is over within 5 s, whatever the broker does. */
const goodbyeMs = 1000;
const untoldKey = 'untold';
/** Of a request, known or not. */
const requestNamed = /^[\w.-]{1,64}$/;
/** Answers on their way at once; a request beyond is not answered. */
const answersMax = 64;

export interface PublisherOptions {
  readonly base: string;
  readonly device: string;
  readonly boot: string;
  readonly link: Omit<
    LinkOptions,
    | 'will'
    | 'subscribe'
    | 'clock'
    | 'random'
    | 'onUp'
    | 'onDown'
    | 'onSubscribeRefused'
    | 'onMessage'
    | 'onRoom'
  >;
  readonly outbox: { readonly dir: string; readonly maxBytes: number; readonly maxAgeMs: number };
  readonly handlers: Readonly<Record<string, RequestHandler>>;
  /** Requests of the broker that are refused. */
  readonly requestsOff?: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** A broker is there: before the retained topics are published again. */
  readonly onConnected?: () => void;
}

export interface RetainOptions {
  /** Goes in its place where the broker does not take it all. */
  readonly shorter?: Payload;
  /** A broker has taken it; again after every connection. Must not throw. */
  readonly onTaken?: () => void;
}

/** What is heard goes in; MQTT comes out, at least once and in order for all that must not be lost. */
export class Publisher {
  readonly topics: Topics;
  private readonly outbox: Outbox;
  private readonly link: Link;
  private readonly sender: Sender;
  private readonly desk: RequestDesk;
  private readonly retained = new RetainedTopics();
  private readonly retainedSender: RetainedSender;
  private readonly brokerLog: BrokerLog;
  private readonly subscribers = new Subscribers();
  /** Drops that no subscriber has been told of yet. */
  private readonly untold = new Map<DropReason, number>();
  private seq = 0;
  private dropped = 0;
  private readonly droppedBy = new Map<DropReason, number>();
  private tellsDrops = true;
  private settingAside: Promise<void> = Promise.resolve();
  private closed = false;
  private answering = 0;
  private readonly requestLog: RequestLog;
  private readonly requestGate: RequestGate;
  private cancelExpire: () => void = () => undefined;

  private constructor(
    private readonly options: PublisherOptions,
    outbox: Outbox,
    private readonly aside: SetAside,
  ) {
    const { base, device, clock, random, log } = options;
    this.outbox = outbox;
    this.requestLog = new RequestLog(log, clock);
    this.requestGate = new RequestGate(new Set(options.requestsOff), clock);
    this.topics = topicsOf(base, device);
    this.retained.set(this.topics.state, { state: 'online' });
    this.desk = new RequestDesk(options.handlers, clock);
    this.link = new Link({
      ...options.link,
      will: { topic: this.topics.state, payload: JSON.stringify({ state: 'offline' }) },
      subscribe: this.topics.requests,
      clock,
      random,
      onUp: (limits) => this.up(limits),
      onRoom: () => this.sender.pump(),
      onDown: (why, seen) => this.down(why, seen),
      subscribeAlso: () => this.subscribers.filters,
      onSubscribeRefused: (why, topic) =>
        log.error(
          { event: 'mqtt.subscribe-refused', topic, why },
          topic === this.topics.requests
            ? 'the broker does not let this device hear requests: check its access list'
            : 'the broker does not let this device hear a topic: check its access list',
        ),
      onMessage: (topic, payload, retained) => {
        if (topicMatches(this.topics.requests, topic)) void this.request(topic, payload, retained);
        else this.subscribers.message(topic, payload, retained);
      },
    });
    const { retain = true, qos = 1, clientId } = options.link;
    this.brokerLog = new BrokerLog(log, { retain, qos }, clientId);
    this.retainedSender = new RetainedSender(this.retained, this.link, log, (topic, how) =>
      this.tellReduced(topic, how),
    );
    this.sender = new Sender({
      outbox,
      clock,
      publish: (number, topic, payload, onWritten) =>
        this.link.publish(topic, payload, { qos: 1, key: letterKey(number), onWritten }),
      room: () => this.link.room,
      onIdle: () => this.link.lettersDone(),
      onHopeless: (number, why) => this.setAside(number, why),
      onRefused: (topic, why, pauseMs) =>
        log.warn(
          { event: 'mqtt.publish-refused', topic, why, retryMs: pauseMs },
          'the broker refuses a message; it is tried again until its age limit',
        ),
    });
  }

  /** Opens the outbox and begins to connect; does not wait for the broker. */
  static async open(options: PublisherOptions): Promise<Publisher> {
    const { log } = options;
    const opened: { publisher?: Publisher } = {};
    /** What the outbox says while it is being opened waits until there is somebody to hear it. */
    let early: (() => void)[] = [];
    const then = (action: (publisher: Publisher) => void) => {
      if (opened.publisher !== undefined) action(opened.publisher);
      else early.push(() => opened.publisher !== undefined && action(opened.publisher));
    };
    const outbox = await Outbox.open({
      ...options.outbox,
      clock: options.clock,
      onDropped: (count, why) => then((p) => p.reportDropped(count, why)),
      onReady: () => opened.publisher?.sender.pump(),
      onSetAside: (path, badLines) => {
        log.error(
          { event: 'outbox.set-aside', path, badLines },
          'the outbox was damaged; it was set aside and its good letters were taken over',
        );
        then((p) => void p.event('outbox-damaged', { badLines }));
      },
      onDisk: (why, waiting) => {
        if (why === null) log.info({ event: 'outbox.disk-back' }, 'the disk takes letters again');
        else
          log.error(
            { event: 'outbox.write-failed', why, waiting },
            'the disk takes no transcripts; they wait in memory and are sent from there',
          );
      },
    });
    const publisher = new Publisher(options, outbox, await SetAside.open(options.outbox.dir));
    opened.publisher = publisher;
    for (const action of early) action();
    early = [];
    if (outbox.size > 0)
      log.info(
        { event: 'outbox.found', queued: outbox.size },
        'transcripts of an earlier run wait for the broker',
      );
    publisher.link.open();
    publisher.expireLater();
    return publisher;
  }

  stats() {
    return {
      connected: this.link.connected,
      queued: this.outbox.size,
      published: this.sender.acknowledged,
      queuedBytes: this.outbox.sizeBytes,
      dropped: this.dropped,
      droppedBy: Object.fromEntries(this.droppedBy),
      setAside: this.aside.count,
      lacks: this.brokerLog.lacks,
      refused: kindsOf(this.link.refusedTopics, this.options),
      reduced: Object.fromEntries(
        [...this.retained.state].map(([topic, how]) => [topic.split('/').at(-1) ?? '', how]),
      ),
    };
  }

  /**
   * Resolves when an accepted command is safe on disk, with what was said beside it. A refused one is sent if
   * there is a broker now.
   */
  async heard(heard: Heard, context: Omit<Context, 'boot' | 'seq'>): Promise<Context> {
    const full: Context = {
      ...context,
      boot: this.options.boot,
      seq: heard.accepted ? this.seq++ : this.seq,
    };
    if (!heard.accepted) {
      this.volatile(this.topics.rejected, rejectedPayload(heard, full));
      return full;
    }
    await this.outbox.put([
      { topic: this.topics.transcript, payload: transcriptPayload(heard, full) },
      ...(heard.intent === null
        ? []
        : [{ topic: this.topics.intent(heard.intent), payload: intentPayload(heard, full) }]),
    ]);
    return full;
  }

  /** For topics that are not this device's own, such as a neighbour's. */
  readonly port = {
    retain: (topic: string, payload: Payload | null, more: RetainOptions = {}): void => {
      this.retained.set(topic, payload ?? '', more.shorter, more.onTaken);
      this.retainedSender.send(topic);
    },
    retainedAgain: (): void => this.retainedSender.again(),
    send: (topic: string, payload: Payload): void => this.volatile(topic, payload),
    subscribe: (filter: string, onMessage: OnMessage): void => {
      if (this.subscribers.add(filter, onMessage)) this.link.subscribe(filter);
    },
    ask: async (name: string, payload: Readonly<Record<string, unknown>> = {}): Promise<Answer> =>
      this.desk.answer(name, Buffer.from(JSON.stringify(payload))),
  };

  partial(partial: Partial): void {
    this.volatile(this.topics.partial, { text: partial.text });
  }

  /** Something that an operator may want to know later; kept like a transcript. */
  async event(name: PublishedEvent, data: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const payload = eventPayload(name, this.options.clock.now(), data);
    await this.outbox.put([{ topic: this.topics.event, payload }]);
  }

  /**
   * The newest value of a retained topic, published now and after every connection. `shorter` goes in its
   * place where the broker does not take it all.
   */
  retain(
    topic: 'info' | 'health' | 'update' | 'language',
    payload: Readonly<Record<string, unknown>>,
    shorter?: Readonly<Record<string, unknown>>,
  ): void {
    this.retained.set(this.topics[topic], payload, shorter);
    this.retainedSender.send(this.topics[topic]);
  }

  /** Publishes `offline` and closes; what is unsent after a moment stays in the outbox. */
  async close(timeoutMs = goodbyeMs): Promise<void> {
    this.closed = true;
    this.cancelExpire();
    this.desk.close();
    if (this.link.connected) {
      await this.within(lastWordsMs, () => this.outbox.size === 0);
      const offline = JSON.stringify({ state: 'offline' });
      let told = false;
      this.link
        .publish(this.topics.state, offline, { qos: 1, retain: true })
        .catch(() => undefined)
        .finally(() => {
          told = true;
        });
      await this.within(timeoutMs, () => told);
    }
    await this.link.close(timeoutMs);
    this.sender.down();
    await this.settingAside;
    await this.outbox.close();
  }

  private async within(limitMs: number, done: () => boolean): Promise<void> {
    const { clock } = this.options;
    const until = clock.monotonic() + limitMs;
    while (!done() && this.link.connected && clock.monotonic() < until)
      await new Promise<void>((resolve) => void clock.after(10, resolve));
  }

  private volatile(topic: string, payload: Payload): void {
    if (!this.link.connected) return;
    this.link.publish(topic, textOf(payload), { qos: 0 }).catch(() => undefined);
  }

  private tellReduced(topic: string, how: Reduction): void {
    const what = how === 'shortened' ? 'is shortened' : 'is left out';
    this.options.log.error(
      { event: how === 'shortened' ? 'mqtt.shortened' : 'mqtt.left-out', topic },
      `a retained message ${what}: the broker does not take it as it is`,
    );
    void this.event(`message-${how}`, { topic });
  }

  private up(limits: Limits): void {
    this.brokerLog.up(limits, this.outbox.size);
    this.options.onConnected?.();
    this.retainedSender.up();
    this.outbox.expire();
    this.tellDropped();
    this.sender.up(!this.brokerLog.lacks.includes('no-qos-1'));
  }

  private down(why: string, seen: Down): void {
    this.brokerLog.down(why, seen);
    if (seen.blamed !== null) this.blamed(seen.blamed, why);
    this.sender.down();
  }

  /** This message ended connection after connection: the others go on without it. */
  private blamed({ key, topic }: UnderWay, why: string): void {
    const number = numberOfLetter(key);
    if (number !== null) {
      this.sender.hold(number);
      this.setAside(number, why);
    } else if (key === untoldKey) this.tellsDrops = false;
    else if (key === retainedKey(topic)) {
      // So little ends connections only for its retain flag: the first thing to do without.
      if (topic === this.topics.state && this.link.retains) this.link.noteNoRetain();
      else this.retained.blame(topic);
    }
  }

  /** Kept on disk in a place of its own before it leaves the outbox. One after the other. */
  private setAside(number: number, why: string): void {
    const { log, clock } = this.options;
    this.settingAside = this.settingAside.then(async () => {
      try {
        const letter = await this.outbox.read(number);
        if (letter === undefined) return;
        const { topic } = letter;
        const setAsideAt = new Date(clock.now()).toISOString();
        await this.aside.add({ setAsideAt, why, ...letter });
        this.outbox.remove(number);
        this.sender.release(number);
        const bytes = Buffer.byteLength(JSON.stringify(letter.payload));
        log.error(
          { event: 'outbox.message-set-aside', topic, bytes, why, path: this.aside.path },
          'the broker does not take a message; it was set aside, and the others go on',
        );
        // An event that tells of events which are not taken would be the next one.
        if (topic !== this.topics.event)
          await this.event('message-set-aside', { topic, bytes, why });
      } catch (error) {
        log.error(
          { event: 'outbox.set-aside-failed', why: messageOf(error) },
          'a message that the broker does not take could not be set aside; it stays in the outbox',
        );
      }
    });
  }

  private expireLater(): void {
    this.cancelExpire = this.options.clock.after(expireMs, () => {
      if (this.closed) return;
      this.outbox.expire();
      this.retainedSender.againRefused();
      this.expireLater();
    });
  }

  private reportDropped(count: number, why: DropReason): void {
    this.dropped += count;
    this.droppedBy.set(why, (this.droppedBy.get(why) ?? 0) + count);
    this.untold.set(why, (this.untold.get(why) ?? 0) + count);
    this.options.log.error({ event: 'outbox.dropped', count, why }, 'transcripts were dropped');
    if (this.link.connected) this.tellDropped();
  }

  /** Not through the outbox, which is full: counted until a broker has taken it. */
  private tellDropped(): void {
    if (!this.tellsDrops) return;
    for (const [why, count] of this.untold) {
      this.untold.delete(why);
      const payload = eventPayload('outbox-full', this.options.clock.now(), { count, why });
      this.link
        .publish(this.topics.event, JSON.stringify(payload), { qos: 1, key: untoldKey })
        .catch(() => this.untold.set(why, (this.untold.get(why) ?? 0) + count));
    }
  }

  private async request(topic: string, payload: Buffer, retained: boolean): Promise<void> {
    const name = topic.split('/').at(-1) ?? '';
    if (retained) return this.requestLog.retained(name);
    // The answer would bear it in its topic, where a broker need not take it.
    if (!requestNamed.test(name)) return this.requestLog.misnamed(name);
    if (this.answering >= answersMax) return this.requestLog.unanswered(name);
    this.answering++;
    try {
      const answer = await this.desk.answer(name, payload, this.requestGate);
      if (this.closed) return;
      this.requestLog.answered(name, answer.status);
      await this.say(name, answer);
    } finally {
      this.answering--;
    }
  }

  private async say(name: string, answer: Answer): Promise<void> {
    const send = async (what: Answer) =>
      this.link.publish(this.topics.response(name), JSON.stringify(what), { qos: 1 });
    await send(answer).catch(async (error: unknown) => {
      if (!(error instanceof TooLargeError)) return;
      const { transaction } = answer;
      await send(failure(`the answer has ${messageOf(error)}`, transaction)).catch(() => undefined);
    });
  }
}
