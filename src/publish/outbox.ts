import { rename } from 'node:fs/promises';
import { ClassicLevel } from 'classic-level';
import type { Clock } from '../runtime/clock.js';
import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';

/** A message that must not be lost: exactly what will be sent. */
export interface Letter {
  readonly topic: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface StoredLetter extends Letter {
  /** Position in the order of acceptance; the key in the store. */
  readonly number: number;
  readonly bytes: number;
  readonly acceptedAtMs: number;
}

export interface OutboxOptions {
  readonly dir: string;
  /** Beyond this the oldest letters are dropped and counted. */
  readonly maxBytes: number;
  /** Letters older than this are dropped and counted. */
  readonly maxAgeMs: number;
  readonly clock: Clock;
  readonly onDropped: (count: number, why: 'full' | 'old') => void;
  /** A store that cannot be read was set aside under this name and a new one begun. */
  readonly onSetAside?: (path: string, why: string) => void;
}

const keyOf = (number: number) => String(number).padStart(16, '0');

/**
 * What was accepted and not yet acknowledged, on disk, in order. `put` resolves after fsync (one a
 * batch, all or nothing); `remove` follows the broker's acknowledgement and need not be synced, since
 * a letter sent twice is allowed and a lost one is not.
 */
export class Outbox {
  private readonly letters = new Map<number, StoredLetter>();
  private next = 0;
  private bytes = 0;
  /** Letters that were there when the store was opened: sent as replayed. */
  readonly replayedBelow: number;

  private constructor(
    private readonly store: ClassicLevel<string, string>,
    private readonly options: OutboxOptions,
    found: readonly StoredLetter[],
  ) {
    for (const letter of found) this.remember(letter);
    this.next = (found.at(-1)?.number ?? -1) + 1;
    this.replayedBelow = this.next;
  }

  static async open(options: OutboxOptions): Promise<Outbox> {
    const open = async () => {
      const store = new ClassicLevel<string, string>(options.dir, {
        keyEncoding: 'utf8',
        valueEncoding: 'utf8',
      });
      await store.open();
      return store;
    };
    let store: ClassicLevel<string, string>;
    try {
      store = await open();
    } catch (error) {
      const cause = (error as { cause?: unknown }).cause;
      if (codeOf(cause) === 'LEVEL_LOCKED') {
        throw new KikitoriError('another kikitori uses this outbox', {
          kind: 'storage',
          where: options.dir,
          hint: 'stop it, or set another state.dir',
        });
      }
      const aside = `${options.dir}.unreadable-${options.clock.now()}`;
      await rename(options.dir, aside).catch(() => undefined);
      options.onSetAside?.(aside, messageOf(cause ?? error));
      store = await open();
    }
    const found: StoredLetter[] = [];
    for await (const [key, value] of store.iterator()) {
      const letter = JSON.parse(value) as Letter & { acceptedAtMs: number };
      found.push({ ...letter, number: Number(key), bytes: value.length });
    }
    return new Outbox(store, options, found);
  }

  get size(): number {
    return this.letters.size;
  }

  get sizeBytes(): number {
    return this.bytes;
  }

  /** Resolves when all of them are safe. Older letters make room when the limit is reached. */
  async put(letters: readonly Letter[]): Promise<StoredLetter[]> {
    await this.enforce(JSON.stringify(letters).length);
    const acceptedAtMs = this.options.clock.now();
    const stored = letters.map((letter) => {
      const bytes = JSON.stringify({ ...letter, acceptedAtMs }).length;
      return { ...letter, acceptedAtMs, bytes, number: this.next++ };
    });
    await this.store.batch(
      stored.map(({ number, topic, payload }) => ({
        type: 'put' as const,
        key: keyOf(number),
        value: JSON.stringify({ topic, payload, acceptedAtMs }),
      })),
      { sync: true },
    );
    for (const letter of stored) this.remember(letter);
    return stored;
  }

  async remove(number: number): Promise<void> {
    const letter = this.letters.get(number);
    if (letter === undefined) return;
    this.letters.delete(number);
    this.bytes -= letter.bytes;
    await this.store.del(keyOf(number));
  }

  /** Letters in order, from `number` on. */
  *from(number: number): Generator<StoredLetter> {
    for (const letter of this.letters.values()) if (letter.number >= number) yield letter;
  }

  async close(): Promise<void> {
    await this.store.close();
  }

  private remember(letter: StoredLetter): void {
    this.letters.set(letter.number, letter);
    this.bytes += letter.bytes;
  }

  private async enforce(incoming: number): Promise<void> {
    const { clock, maxAgeMs, maxBytes } = this.options;
    let old = 0;
    let full = 0;
    for (const letter of [...this.letters.values()]) {
      if (clock.now() - letter.acceptedAtMs > maxAgeMs) old++;
      else if (this.bytes + incoming > maxBytes) full++;
      else break;
      await this.remove(letter.number);
    }
    if (old > 0) this.options.onDropped(old, 'old');
    if (full > 0) this.options.onDropped(full, 'full');
  }
}
