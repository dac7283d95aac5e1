/** What lies on a broker, and what of it this device may read: a short look, and nothing is left there. */
import { Link, type LinkOptions } from '../../publish/index.js';
import { systemClock } from '../../runtime/clock.js';
import { messageOf } from '../../runtime/errors.js';

const limitMs = 15_000;
/** An access list may keep the answer to our own message from us. */
const echoMs = 5000;
const leaveMs = 1000;
/** As docs/mqtt wants an answer to be: others may read it. */
const wellFormed = JSON.stringify({ status: 'ok', data: {}, error: '' });
const unansweredMax = 6;

export interface Seen {
  /** Why there was no connection, or ''. */
  readonly why: string;
  readonly refused: ReadonlySet<string>;
  /** What this device wrote it could read: the broker shows it what lies there. */
  readonly echoed: boolean;
  /** Retained messages, by topic. */
  readonly kept: ReadonlyMap<string, string>;
}

type Broker = Omit<
  LinkOptions,
  'will' | 'subscribe' | 'subscribeAlso' | 'clock' | 'random' | `on${string}`
>;

/** `own`: a topic of this device's that nobody reads. What was kept comes before the answer to it. */
export async function look(broker: Broker, own: string, filters: readonly string[]): Promise<Seen> {
  const refused = new Set<string>();
  const kept = new Map<string, string>();
  return new Promise((resolve) => {
    const finish = (why: string, echoed = false) => {
      cancel();
      void link.close(leaveMs).then(() => resolve({ why, refused, echoed, kept }));
    };
    let cancel = systemClock.after(limitMs, () => finish(`no answer within ${limitMs / 1000} s`));
    const link = new Link({
      ...broker,
      clientId: `${broker.clientId}-doctor`,
      will: { topic: own, payload: '' },
      subscribe: own,
      subscribeAlso: () => filters,
      clock: systemClock,
      random: Math.random,
      onUp: () => {
        cancel();
        cancel = systemClock.after(echoMs, () => finish(''));
        link.publish(own, wellFormed, { qos: 1 }).catch((error: unknown) => {
          if (link.connected) finish(messageOf(error));
        });
      },
      onDown: (why, { unanswered, asksLess }) => {
        if (!asksLess && (unanswered === 0 || unanswered >= unansweredMax)) finish(why);
      },
      onSubscribeRefused: (_why, filter) => refused.add(filter),
      onMessage: (topic, payload, retained) => {
        if (retained) kept.set(topic, payload.toString());
        else if (topic === own) finish('', true);
      },
    });
    link.open();
  });
}
