import { FleetReader } from '../../../fleet/watch/broker.js';
import type { Clock } from '../../../runtime/clock.js';
import { KikitoriError } from '../../../runtime/errors.js';
import type { DiscoveryMessage } from './discovery.js';

/** Retained messages come at once; this long without another, and an answer, mean that all are there. */
const quietMs = 1000;
const messagesMax = 20_000;
const bytesMax = 64 * 1024 * 1024;

export interface LiveOptions {
  readonly url: string;
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly username?: string;
  readonly password?: string;
  readonly ca?: string;
  readonly clock: Clock;
}

/** The discovery messages that a broker keeps, until none came for a second or the time is up. */
export async function readDiscovery(o: LiveOptions): Promise<readonly DiscoveryMessage[]> {
  const found = new Map<string, string>();
  let bytes = 0;
  const beginMs = o.clock.monotonic();
  let tooMany = false;
  const reader = await FleetReader.open(
    {
      url: o.url,
      base: o.prefix,
      topics: [`${o.prefix}/+/+/config`, `${o.prefix}/+/+/+/config`],
      ...(o.username === undefined ? {} : { username: o.username }),
      ...(o.password === undefined ? {} : { password: o.password }),
      ...(o.ca === undefined ? {} : { ca: o.ca }),
      clock: o.clock,
      onMessage: (topic, payload) => {
        bytes += payload.length;
        tooMany ||= bytes > bytesMax || found.size >= messagesMax;
        if (!tooMany) found.set(topic, payload.toString('utf8'));
      },
      onLink: () => undefined,
    },
    o.timeoutMs,
  );
  try {
    const leftMs = beginMs + o.timeoutMs - o.clock.monotonic();
    await reader.settled(quietMs, leftMs, () => tooMany);
  } finally {
    await reader.close();
  }
  if (tooMany)
    throw new KikitoriError('more than a house has', {
      kind: 'input',
      where: `${o.prefix}/#`,
      expected: `at most ${messagesMax.toLocaleString('en')} discovery messages of ${bytesMax / 1024 / 1024} MiB together`,
    });
  return [...found].map(([topic, payload]) => ({ topic, payload }));
}
