import type { Heard } from '../../records.js';
import type { Context, House, Neighbour } from '../neighbour.js';
import { intentMessage, levelOf, textCaptured, type Session } from './messages.js';

/** Why a session is over, in the words of Hermes. */
type Reason = 'nominal' | 'timeout' | 'intentNotRecognized' | 'abortedByUser';

/** A longer name of a session is not taken over. */
const idLengthMax = 256;
const defaultSite = 'default';
/** As a request of the device's own topics. */
const payloadBytesMax = 64 * 1024;

/** Conversations in the Hermes protocol, whole: a session begins, is heard, and ends in every case. One at a time. */
export class Hermes implements Neighbour {
  private readonly siteId: string;
  private readonly run: string;
  private sessions = 0;
  private session: Session | null = null;
  /** Its command was told: somebody carries it out and ends it. */
  private acting = false;
  /** The session that the next listening belongs to, as somebody named it. */
  private asked: string | null = null;
  private cancel: () => void = () => undefined;

  constructor(private readonly house: House) {
    const { device, publish } = house.config();
    this.siteId = publish.hermes.siteId === '' ? device.id : publish.hermes.siteId;
    this.run = Math.floor(house.random() * 2 ** 32).toString(16);
    const on = (topic: string, act: (payload: Readonly<Record<string, unknown>>) => void) =>
      house.mqtt.subscribe(`hermes/${topic}`, (_, payload, retained) => {
        const given = retained ? null : objectOf(payload);
        if (given !== null) act(given);
      });
    on('asr/startListening', (given) => {
      if (this.isHere(given)) this.listen(given['sessionId']);
    });
    on('asr/stopListening', (given) => {
      if (this.isHere(given)) void house.ask('stop');
    });
    on('dialogueManager/startSession', (given) => {
      const type = (given['init'] as { type?: unknown } | null | undefined)?.type;
      if (this.isHere(given) && type === 'action') this.listen(undefined);
    });
    on('dialogueManager/continueSession', (given) => {
      if (this.isOurs(given)) this.listen(given['sessionId']);
    });
    on('dialogueManager/endSession', (given) => {
      if (this.isOurs(given)) this.end('nominal');
    });
  }

  event(name: string): void {
    if (name !== 'wake') return;
    const modelId = levelOf(this.house.config().recognizer.wake.phrase);
    this.send(`hotword/${modelId}/detected`, { modelId, siteId: this.siteId });
    this.begin(null);
  }

  pushToTalk(): void {
    const { asked } = this;
    this.asked = null;
    if (asked === null || asked !== this.session?.sessionId) {
      this.begin(asked);
      return;
    }
    // It goes on: another command is waited for.
    this.acting = false;
    this.wait(this.session);
  }

  partial(): void {
    if (this.session !== null) this.wait(this.session);
  }

  heard(heard: Heard, context: Context): void {
    const isTalk = heard.reason === 'not-a-command' || heard.reason === 'noise';
    // People who talk to each other are in no session.
    if (!heard.accepted && isTalk && (this.session === null || this.acting)) return;
    const session = this.session === null || this.acting ? this.begin(null) : this.session;
    const seconds = Math.max(0, context.endedAtMs - context.startedAtMs) / 1000;
    this.send('asr/textCaptured', textCaptured(heard, session, seconds));
    if (heard.accepted && heard.intent !== null) {
      const id = `${context.boot}-${context.seq}`;
      this.send(`intent/${levelOf(heard.intent)}`, intentMessage(heard, session, id));
      this.acting = true;
      this.wait(session);
    } else {
      const input = heard.text;
      this.send('dialogueManager/intentNotRecognized', { input, customData: null, ...session });
      this.end('intentNotRecognized');
    }
  }

  async close(): Promise<void> {
    this.end('abortedByUser');
  }

  private begin(named: string | null): Session {
    this.end('abortedByUser');
    const sessionId = named ?? `${this.siteId}-${this.run}-${++this.sessions}`;
    const session = { sessionId, siteId: this.siteId };
    this.session = session;
    this.send('dialogueManager/sessionStarted', { ...session, customData: null });
    this.wait(session);
    return session;
  }

  private end(reason: Reason): void {
    this.cancel();
    const { session } = this;
    this.session = null;
    this.acting = false;
    if (session !== null)
      this.send('dialogueManager/sessionEnded', {
        ...{ ...session, customData: null, termination: { reason } },
      });
  }

  /** From now on for as long as a session may last. */
  private wait(session: Session): void {
    this.cancel();
    this.cancel = this.house.clock.after(this.house.config().publish.hermes.sessionMs, () => {
      if (this.session === session) this.end('timeout');
    });
  }

  private listen(named: unknown): void {
    const fits = typeof named === 'string' && named !== '' && named.length <= idLengthMax;
    this.asked = fits ? named : null;
    void this.house.ask('listen');
  }

  private isHere({ siteId = defaultSite }: Readonly<Record<string, unknown>>): boolean {
    return siteId === this.siteId;
  }

  private isOurs({ sessionId }: Readonly<Record<string, unknown>>): boolean {
    return this.session !== null && sessionId === this.session.sessionId;
  }

  private send(topic: string, payload: Readonly<Record<string, unknown>>): void {
    this.house.mqtt.send(`hermes/${topic}`, payload);
  }
}

/** An empty payload is an empty object; what is none is null. */
function objectOf(payload: Buffer): Readonly<Record<string, unknown>> | null {
  if (payload.length === 0) return {};
  if (payload.length > payloadBytesMax) return null;
  try {
    const value: unknown = JSON.parse(payload.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
