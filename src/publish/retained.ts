import { messageOf } from '../runtime/errors.js';
import type { Log } from '../runtime/log.js';
import { RefusedError } from './connection.js';
import type { Link } from './link.js';

/** A value of a retained topic, with what may be sent in its place when it is too much for the broker. */
interface Value {
  readonly forms: readonly string[];
  readonly onTaken: () => void;
}

/** An object is published as JSON, a text as it is; an empty text takes the topic away from the broker, once. */
export type Payload = Readonly<Record<string, unknown>> | string;

export const textOf = (payload: Payload) =>
  typeof payload === 'string' ? payload : JSON.stringify(payload);

/** What becomes of a topic that a broker does not take as it is. */
export type Reduction = 'shortened' | 'left-out';

/** After a blame only what is so much smaller is tried: the next message of nearly the same size would end the next connection. */
const smallerBy = 2;

/**
 * The newest value of each retained topic, in the order in which they are published. None of them may stand in
 * the way: what the broker does not take is shortened, or left out.
 */
export class RetainedTopics {
  private readonly values = new Map<string, Value>();
  /** Payloads of this size or more end the connection. */
  private readonly limitBytes = new Map<string, number>();
  private readonly chosenBytes = new Map<string, number>();
  private readonly reduced = new Map<string, Reduction>();

  /** `onTaken`: each time that a broker has taken it, until there is a newer value. */
  set(
    topic: string,
    payload: Payload,
    shorter?: Payload,
    onTaken: () => void = () => undefined,
  ): void {
    const forms = [payload, ...(shorter === undefined ? [] : [shorter])];
    this.values.set(topic, { forms: forms.map(textOf), onTaken });
  }

  /** A broker has taken this form of it. */
  taken(topic: string, payload: string): void {
    const value = this.values.get(topic);
    if (value?.forms.includes(payload) !== true) return;
    // Gone from the broker there is nothing of it to be sent again.
    if (payload === '') this.values.delete(topic);
    value.onTaken();
  }

  /** The small ones first. */
  topics(): string[] {
    const size = (topic: string) => this.values.get(topic)?.forms[0]?.length ?? 0;
    const [first, ...rest] = this.values.keys();
    return first === undefined ? [] : [first, ...rest.sort((a, b) => size(a) - size(b))];
  }

  /** The longest form that is allowed; undefined: leave it out. `news` is what changed by that. */
  choose(
    topic: string,
    fits: (payload: string) => boolean,
  ): { readonly payload: string | undefined; readonly news: Reduction | null } {
    const forms = this.values.get(topic)?.forms;
    if (forms === undefined) return { payload: undefined, news: null };
    const limit = this.limitBytes.get(topic) ?? Infinity;
    const index = forms.findIndex((form) => Buffer.byteLength(form) < limit && fits(form));
    const now = index < 0 ? 'left-out' : index > 0 ? 'shortened' : undefined;
    const before = this.reduced.get(topic);
    if (now === undefined) this.reduced.delete(topic);
    else this.reduced.set(topic, now);
    const payload = forms[index];
    if (payload !== undefined) this.chosenBytes.set(topic, Buffer.byteLength(payload));
    return { payload, news: now !== undefined && now !== before ? now : null };
  }

  /** What was chosen last ended connections. */
  blame(topic: string): void {
    const bytes = this.chosenBytes.get(topic) ?? 0;
    this.limitBytes.set(topic, bytes / smallerBy);
  }

  /** Topics that are not published now, and those that are shortened. */
  get state(): ReadonlyMap<string, Reduction> {
    return this.reduced;
  }
}

export const retainedKey = (topic: string) => `retained:${topic}`;

/** From the values to the link: now, after every connection, and again when there is a newer one. */
export class RetainedSender {
  /** Topics that are being sent; whether there is a newer value. */
  private readonly sending = new Map<string, boolean>();
  /** Topics of which it was said that the broker refuses them. */
  private readonly refused = new Set<string>();

  constructor(
    private readonly topics: RetainedTopics,
    private readonly link: Link,
    private readonly log: Log,
    private readonly onReduced: (topic: string, how: Reduction) => void,
  ) {}

  up(): void {
    this.sending.clear();
    this.again();
  }

  /** All of them, for a subscriber that missed them. */
  again(): void {
    for (const topic of this.topics.topics()) this.send(topic);
  }

  /** The access list of a broker may have been mended meanwhile. */
  againRefused(): void {
    for (const topic of this.refused) this.send(topic);
  }

  /** One at a time for each topic: of values that come meanwhile only the newest is sent. */
  send(topic: string): void {
    if (!this.link.connected) return;
    if (this.sending.has(topic)) {
      this.sending.set(topic, true);
      return;
    }
    const { payload, news } = this.topics.choose(topic, (form) => this.link.fits(topic, form));
    if (news !== null) this.onReduced(topic, news);
    if (payload === undefined) return;
    this.sending.set(topic, false);
    this.link
      .publish(topic, payload, { qos: 1, retain: true, key: retainedKey(topic) })
      .then(() => {
        this.refused.delete(topic);
        this.topics.taken(topic, payload);
      })
      .catch((error: unknown) => this.sayRefused(topic, error))
      .finally(() => {
        const again = this.sending.get(topic) === true;
        this.sending.delete(topic);
        if (again) this.send(topic);
      });
  }

  private sayRefused(topic: string, error: unknown): void {
    if (!(error instanceof RefusedError) || this.refused.has(topic)) return;
    this.refused.add(topic);
    this.log.warn(
      { event: 'mqtt.publish-refused', topic, why: messageOf(error) },
      'the broker refuses a retained message; it is tried again each minute',
    );
  }
}
