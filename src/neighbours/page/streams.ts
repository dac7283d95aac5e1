/** Server-sent events to everybody who has the page open; who does not read is cut off. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../runtime/clock.js';
import { Timers } from '../../runtime/timers.js';

/** Phones and desks at once. */
export const streamsMax = 12;
/** Bytes that may wait for one of them. A level takes 60, a whole page of utterances about 100,000. */
const waitingBytesMax = 512 * 1024;
/** Of what is only of the moment less may wait: it is left out. */
const momentBytesMax = 16 * 1024;
/** A line for nobody, so that a dead connection is noticed. */
const beatMs = 10_000;
/** Who still has something unread at so many beats does not read. */
const beatsBehindMax = 2;

export class Streams {
  /** With the beats at which something waited. */
  private readonly open = new Map<ServerResponse, number>();
  private readonly timers: Timers;

  constructor(clock: Clock) {
    this.timers = new Timers(clock);
    this.timers.every(beatMs, () => this.beat());
  }

  get any(): boolean {
    return this.open.size > 0;
  }

  get full(): boolean {
    return this.open.size >= streamsMax;
  }

  /** Headers are sent already. */
  add(response: ServerResponse, first: readonly (readonly [string, unknown])[]): void {
    this.open.set(response, 0);
    // Of the connection: an answer whose turn never came (pipelining) is not told.
    response.req.socket.once('close', () => this.open.delete(response));
    // A browser that lost it asks again after this.
    response.write('retry: 2000\n\n');
    for (const [name, data] of first) response.write(eventText(name, data));
  }

  send(name: string, data: unknown): void {
    if (this.any) this.write(eventText(name, data));
  }

  /** Of the moment: whoever is behind does not get it. */
  sendNow(name: string, data: unknown): void {
    if (this.any) this.write(eventText(name, data), true);
  }

  close(): void {
    this.timers.cancel();
    for (const response of this.open.keys()) cut(response);
    this.open.clear();
  }

  private beat(): void {
    for (const [response, before] of this.open) {
      const behind = response.writableLength > 0 ? before + 1 : 0;
      this.open.set(response, behind);
      if (behind >= beatsBehindMax) cut(response);
    }
    this.write(':\n\n');
  }

  private write(text: string, ofTheMoment = false): void {
    for (const response of this.open.keys()) {
      if (response.writableLength > waitingBytesMax) cut(response);
      else if (!ofTheMoment || response.writableLength <= momentBytesMax) response.write(text);
    }
  }
}

function cut(response: ServerResponse): void {
  response.destroy();
  response.req.socket.destroy();
}

/** JSON has no line breaks of its own, so one line holds it. */
const eventText = (name: string, data: unknown) =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
