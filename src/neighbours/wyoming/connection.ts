/** One client: events in, answers out. What it does wrong ends its own connection and nothing else. */
import type { Socket } from 'node:net';
import type { Heard } from '../../records.js';
import type { Clock } from '../../runtime/clock.js';
import { messageOf } from '../../runtime/errors.js';
import type { Ears, Order, Woken } from './ears.js';
import { FrameError, frameOf, FrameReader, type EventData, type FramePiece } from './frames.js';
import { wakeNameOf } from './info.js';
import { formatFault, type AudioFormat } from './pcm.js';
import { AudioError, AudioStream } from './stream.js';
import type { Turns } from './turns.js';
import { WavError } from './wav-head.js';

/** A frame that began, and the first one of a connection, must be complete within this. */
const frameMs = 10_000;
/** Nothing at all for so long; a satellite keeps a connection for the next wake phrase. */
const idleMs = 300_000;
/** After its request, and amid an order, audio comes within this. */
const audioIdleMs = 30_000;
/** An answer is there within this, or the processor has no time for it. */
const answerMs = 60_000;
/** Who does not read what it asked for is cut off. */
const writeMs = 10_000;
/** A connection that ends is read for so long. */
const partMs = 2000;
/** Text is looked up in the grammar up to this length. */
const textMax = 500;
/** After so many events others get a turn. */
const eventsAtOnce = 50;

/** What a connection is given by the service. */
export interface Service {
  readonly clock: Clock;
  readonly turns: Turns;
  readonly info: () => EventData;
  /** Resolves when there is somebody who hears; rejects when that takes too long. */
  readonly ears: () => Promise<Ears>;
  readonly wakePhrase: () => string;
  /** What a sentence means, null for none of the grammar's. */
  readonly meaningOf: (text: string) => Meaning | null;
  /** A place among those who are heard at once; null when all are taken. */
  readonly place: () => (() => void) | null;
  readonly onHeard: (heard: Heard) => void;
  /** The client was cut off. */
  readonly onCut: (why: string) => void;
}

export interface Meaning {
  readonly intent: string;
  readonly slots: Readonly<Record<string, unknown>>;
}

/** The client is told why, and the connection ends. */
class Refusal extends Error {
  constructor(
    readonly code: string,
    text: string,
  ) {
    super(text);
  }
}

type Request =
  | { readonly kind: 'order'; readonly relaxed: boolean }
  | { readonly kind: 'wake'; readonly wanted: boolean; readonly name: string };

const anOrder: Request = { kind: 'order', relaxed: false };
const usualFormat: AudioFormat = { rateHz: 16_000, width: 2, channels: 1 };

interface Hearing {
  readonly request: Request;
  readonly stream: AudioStream<Order | Woken>;
  readonly leave: () => void;
}

export class Connection {
  private readonly reader = new FrameReader();
  private readonly bytes: AsyncIterator<Buffer>;
  private request: Request = anOrder;
  private hearing: Hearing | null = null;
  /** An order is answered: the audio that still comes is of no use. */
  private answered = false;
  private detected = false;
  private format = usualFormat;
  private timestampMs: number | null = null;
  private listensToPayload = false;
  private events = 0;
  private usedMs: number;
  private waitedMs = 0;

  constructor(
    private readonly socket: Socket,
    private readonly service: Service,
  ) {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    this.usedMs = service.clock.monotonic();
    // A reset shows in the reading too.
    socket.on('error', () => undefined);
    this.bytes = socket[Symbol.asyncIterator]();
  }

  /** Somebody is heard: it is not given up for another one. */
  get busy(): boolean {
    return this.hearing !== null;
  }

  /** When it began, or did something last. */
  get lastUsedMs(): number {
    return this.usedMs;
  }

  /** Resolves when the connection is over; never rejects. */
  async run(): Promise<void> {
    try {
      for (;;) {
        const bytes = await this.next();
        if (bytes === null) break;
        for (const piece of this.reader.feed(bytes)) {
          await this.inTime(this.take(piece));
          if (this.socket.destroyed) return;
        }
        if (!this.reader.within) this.waitedMs = 0;
      }
    } catch (error) {
      await this.refuse(error);
    } finally {
      this.leave();
      await this.part();
    }
  }

  /** What still comes is read and dropped: closed with bytes unread, the last answer would be lost with them. */
  private async part(): Promise<void> {
    const { socket, service } = this;
    if (socket.destroyed) return;
    socket.end();
    const cancel = service.clock.after(partMs, () => socket.destroy());
    try {
      while ((await this.bytes.next()).done !== true);
    } catch {
      // Reset, or cut off.
    }
    cancel();
    socket.destroySoon();
  }

  cut(why: string): void {
    if (this.socket.destroyed) return;
    this.service.onCut(why);
    this.socket.destroy();
  }

  private async refuse(error: unknown): Promise<void> {
    const [code, text] =
      error instanceof Refusal
        ? [error.code, error.message]
        : error instanceof FrameError
          ? ['frame', `this is no event: ${error.message}`]
          : error instanceof AudioError || error instanceof WavError
            ? ['audio', error.message]
            : ['not-heard', `it could not be heard: ${messageOf(error)}; say it again`];
    this.service.onCut(text);
    await this.send('error', { text, code });
  }

  private get limitMs(): number {
    if (this.reader.within || this.events === 0) return frameMs;
    return this.hearing?.request.kind === 'order' ? audioIdleMs : idleMs;
  }

  /** Bytes as they come; null at the end. Only the waiting counts, not what is done with them. */
  private async next(): Promise<Buffer | null> {
    const { clock } = this.service;
    const begin = clock.monotonic();
    const limitMs = Math.max(0, this.limitMs - this.waitedMs);
    const cancel = clock.after(limitMs, () => this.cut('nothing came for too long'));
    try {
      const result = await this.bytes.next();
      return result.done === true ? null : result.value;
    } catch {
      return null;
    } finally {
      cancel();
      this.waitedMs += clock.monotonic() - begin;
    }
  }

  private async inTime(work: Promise<void>): Promise<void> {
    const cancel = this.service.clock.after(answerMs, () =>
      this.cut('the processor had no time for it'),
    );
    try {
      await work;
    } finally {
      cancel();
    }
  }

  private async take(piece: FramePiece): Promise<void> {
    if (piece.kind === 'payload') {
      if (this.listensToPayload) await this.hear(piece.bytes);
      return;
    }
    if (++this.events % eventsAtOnce === 0) await this.service.turns.take(() => undefined);
    this.usedMs = this.service.clock.monotonic();
    const { type, data } = piece.event;
    this.listensToPayload = type === 'audio-chunk';
    switch (type) {
      case 'describe':
        return this.send('info', this.service.info());
      case 'ping':
        return this.send('pong', { text: data['text'] ?? null });
      case 'transcribe':
        return this.ask({ kind: 'order', relaxed: data['vad_sensitivity'] === 'relaxed' });
      case 'detect':
        return this.ask(this.wakeRequest(data['names']));
      case 'audio-start':
        this.ask(this.request);
        return this.begin(data);
      case 'audio-chunk':
        return this.chunk(data);
      case 'audio-stop':
        return this.stop();
      case 'recognize':
      case 'transcript':
        return this.recognize(data['text']);
      default:
      // The protocol grows: what is not known is passed over.
    }
  }

  private wakeRequest(names: unknown): Request {
    const phrase = this.service.wakePhrase();
    if (phrase === '')
      throw new Refusal('no-wake', 'there is no wake phrase here: set recognizer.wake.phrase');
    const name = wakeNameOf(phrase);
    const wanted = !Array.isArray(names) || names.length === 0 || names.includes(name);
    return { kind: 'wake', wanted, name };
  }

  /** What the audio that follows is for. */
  private ask(request: Request): void {
    this.leave();
    this.request = request;
    this.answered = false;
    this.detected = false;
  }

  private async begin(data: EventData): Promise<void> {
    this.format = this.formatOf(data);
    const leave = this.service.place();
    if (leave === null)
      throw new Refusal('busy', 'others are heard just now, as many as wyoming.clients allows');
    try {
      const ears = await this.service.ears();
      const { request } = this;
      const listening = request.kind === 'wake' ? ears.wake() : ears.order(request.relaxed);
      this.hearing = { request, stream: new AudioStream<Order | Woken>(listening), leave };
    } catch (error) {
      leave();
      throw error;
    }
  }

  private formatOf({ rate, width, channels }: EventData): AudioFormat {
    const { format } = this;
    const number = (value: unknown, known: number) =>
      value === undefined || value === null ? known : Number(value);
    const given = {
      rateHz: number(rate, format.rateHz),
      width: number(width, format.width),
      channels: number(channels, format.channels),
    };
    const fault = formatFault(given);
    if (fault !== undefined) throw new Refusal('audio', fault);
    return given;
  }

  private async chunk(data: EventData): Promise<void> {
    const { timestamp } = data;
    if (typeof timestamp === 'number') this.timestampMs = timestamp;
    if (this.answered) return;
    if (this.hearing === null) await this.begin(data);
    else this.format = this.formatOf(data);
  }

  private async hear(bytes: Buffer): Promise<void> {
    if (this.hearing === null) return;
    await this.tell(this.hearing.stream.feed(bytes, this.format));
  }

  private async stop(): Promise<void> {
    const { hearing } = this;
    if (hearing !== null) {
      await this.tell(hearing.stream.stop(this.format));
      if (hearing.request.kind === 'wake' && !this.detected) await this.send('not-detected');
    }
    this.ask(this.request);
    this.request = hearing?.request.kind === 'wake' ? this.request : anOrder;
  }

  private async tell(answers: AsyncGenerator<Order | Woken>): Promise<void> {
    for await (const answer of answers) {
      // It has gone, or has been told.
      if (this.socket.destroyed || this.hearing === null) return;
      if ('score' in answer) await this.tellWake(this.hearing.request);
      else await this.tellOrder(answer);
    }
  }

  private async tellWake(request: Request): Promise<void> {
    if (request.kind !== 'wake' || !request.wanted) return;
    this.detected = true;
    await this.send('detection', { name: request.name, timestamp: this.timestampMs });
  }

  private async tellOrder({ heard }: Order): Promise<void> {
    this.leave();
    this.answered = true;
    if (heard !== null) this.service.onHeard(heard);
    await this.send('transcript', { text: heard?.accepted === true ? heard.text : '' });
  }

  private async recognize(text: unknown): Promise<void> {
    const sentence = typeof text === 'string' && text.length <= textMax ? text : '';
    await this.service.ears();
    const meaning = await this.service.turns.take(() => this.service.meaningOf(sentence));
    if (meaning === null) return this.send('not-recognized');
    const entities = Object.entries(meaning.slots).map(([name, value]) => ({ name, value }));
    return this.send('intent', { name: meaning.intent, entities });
  }

  private leave(): void {
    this.hearing?.leave();
    this.hearing = null;
  }

  private async send(type: string, data: EventData = {}): Promise<void> {
    const { socket, service } = this;
    if (socket.destroyed || socket.write(frameOf(type, data))) return;
    await new Promise<void>((resolve) => {
      const cancel = service.clock.after(writeMs, () => this.cut('it does not read its answers'));
      const done = () => {
        cancel();
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
    });
  }
}
