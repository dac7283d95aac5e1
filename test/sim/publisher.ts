/** A publisher with a folder and a log of its own, that ends with the test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Publisher, type PublisherOptions } from '../../src/publish/index.js';
import { systemClock } from '../../src/runtime/clock.js';

export interface Line {
  readonly event: string;
  readonly [key: string]: unknown;
}

export interface Opened {
  readonly publisher: Publisher;
  readonly lines: Line[];
  readonly dir: string;
  readonly said: (event: string) => Line | undefined;
}

export interface Teardown {
  teardown(action: () => unknown): void;
}

export async function openPublisher(
  t: Teardown,
  url: string,
  more: { link?: Partial<PublisherOptions['link']>; dir?: string } & Partial<
    Omit<PublisherOptions, 'link'>
  > = {},
): Promise<Opened> {
  const { link, dir: given, ...rest } = more;
  const dir = given ?? (await mkdtemp(join(tmpdir(), 'kikitori-publish-')));
  const lines: Line[] = [];
  const publisher = await Publisher.open({
    base: 'k',
    device: 'd',
    boot: '0123456789ab',
    link: {
      url,
      protocolVersion: 4,
      clientId: 'kikitori-d',
      secrets: () => ({}),
      rejectUnauthorized: true,
      keepaliveMs: 30_000,
      connectTimeoutMs: 10_000,
      ...link,
    },
    outbox: { dir, maxBytes: 10_000_000, maxAgeMs: 86_400_000 },
    handlers: {},
    clock: systemClock,
    random: () => 0,
    log: pino(
      { level: 'trace' },
      { write: (text: string) => lines.push(JSON.parse(text) as Line) },
    ),
    ...rest,
  });
  t.teardown(async () => {
    await publisher.close(200);
    await rm(dir, { recursive: true, force: true });
  });
  return { publisher, lines, dir, said: (event) => lines.find((l) => l.event === event) };
}
