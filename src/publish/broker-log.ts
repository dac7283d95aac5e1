import type { Log } from '../runtime/log.js';
import type { Limits } from './connection.js';
import type { Down } from './link.js';

/** What a broker does not offer though the configuration asks for it. */
export type Lack = 'no-retain' | 'no-qos-1';

const lackTexts: Readonly<Record<Lack, string>> = {
  'no-retain':
    'the broker keeps no retained messages: state, info, health and update reach only who is subscribed at the time. Set publish.retain: false to live with it',
  'no-qos-1':
    'the broker acknowledges no messages (no QoS 1): transcripts and intents wait in the outbox. Set publish.qos: 0 to send them all the same; docs/mqtt says what that costs',
};
/** A smaller one than this slows down what waits. */
const receiveMaximumOfInterest = 32;
/** So many connections in a row that ended at once are no accident. */
const suspicious = 4;
/** So many without an answer, and less was tried too. */
const mute = 6;

/** What an operator reads about connections: each thing once, with what to do. */
export class BrokerLog {
  private lastDown = '';
  lacks: readonly Lack[] = [];

  constructor(
    private readonly log: Log,
    private readonly wanted: { readonly retain: boolean; readonly qos: 0 | 1 },
    private readonly clientId: string,
  ) {}

  up(limits: Limits, queued: number): void {
    const { maximumPacketBytes, receiveMaximum, protocolVersion } = limits;
    this.log.info(
      {
        event: 'mqtt.up',
        queued,
        mqtt: protocolVersion === 5 ? '5' : '3.1.1',
        ...(Number.isFinite(maximumPacketBytes) ? { maximumPacketBytes } : {}),
        ...(receiveMaximum < receiveMaximumOfInterest ? { receiveMaximum } : {}),
      },
      'connected to the broker',
    );
    this.lastDown = '';
    const lacks: Lack[] = [];
    if (this.wanted.retain && !limits.retain) lacks.push('no-retain');
    if (this.wanted.qos === 1 && limits.qos === 0) lacks.push('no-qos-1');
    for (const lack of lacks.filter((one) => !this.lacks.includes(one)))
      this.log.error(
        { event: lack === 'no-retain' ? 'mqtt.no-retain' : 'mqtt.no-qos-1' },
        lackTexts[lack],
      );
    this.lacks = lacks;
  }

  down(why: string, { kickedOut, shortLived, unanswered, asksOtherVersion }: Down): void {
    if (asksOtherVersion) return;
    if (kickedOut || shortLived === suspicious)
      this.log.error(
        { event: 'mqtt.kicked-out', clientId: this.clientId, certain: kickedOut },
        'connections end as soon as they are made: does another client use this client id? Give each device its own device.id',
      );
    else if (unanswered === mute)
      this.log.error(
        { event: 'mqtt.no-answer', why, attempts: unanswered },
        'the broker closes every connection in place of an answer: are its port and TLS as in publish.mqtt.url, and its listener open to this client?',
      );
    else if (why !== this.lastDown)
      this.log.warn({ event: 'mqtt.down', why }, 'no broker; transcripts wait in the outbox');
    this.lastDown = why;
  }
}
