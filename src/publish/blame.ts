import { isCertain, mayBeAboutMessage } from './reasons.js';

/** A message that was written and not acknowledged. */
export interface UnderWay {
  /** Of a message that is sent again on the next connection. Undefined: it is sent once. */
  readonly key: string | undefined;
  readonly topic: string;
  readonly bytes: number;
}

/** How a connection ended. */
export interface Ending {
  readonly underWay: readonly UnderWay[];
  /** The broker hung up, or its answer cannot be read. False: the line broke. */
  readonly byPeer: boolean;
  /** The reason that the broker gave. */
  readonly reason: number | null;
  /** Something else was acknowledged on this connection: line and broker were well. */
  readonly proven: boolean;
}

/** So many connections in a row must end with the same message under way, and it alone. */
const endingsMax = 3;
/** Fewer for a message like one that was blamed, unless one like it was acknowledged since. */
const endingsLikeCulprit = 2;
const topicsMax = 100;

/**
 * Finds the message that makes the broker hang up. When the broker ends a connection, all messages under way are
 * suspected. From then on they go one at a time, so the next end has one cause. Blamed is a message that ends
 * `endingsMax` connections in a row by itself, if each had acknowledged something else before. A broken line
 * never blames: what it interrupted is acknowledged later.
 */
export class Blame {
  private readonly suspects = new Set<string>();
  private readonly endings = new Map<string, number>();
  private readonly culpritTopics = new Set<string>();
  private culpritBytes = Infinity;

  /** `needsProof`: messages for which nothing may be decided before another one was acknowledged. */
  constructor(private readonly needsProof: (key: string) => boolean) {}

  /** One message at a time, and none whose fate cannot be seen. */
  get careful(): boolean {
    return this.suspects.size > 0;
  }

  /** Connections that this message has ended in a row. */
  endedBy(key: string): number {
    return this.endings.get(key) ?? 0;
  }

  /** The message to blame, or null. */
  ended(ending: Ending): UnderWay | null {
    if (!ending.byPeer || !mayBeAboutMessage(ending.reason)) return null;
    const alone = this.careful && ending.underWay.length === 1;
    for (const { key } of ending.underWay) if (key !== undefined) this.suspects.add(key);
    const [first] = ending.underWay;
    if (!alone || first?.key === undefined) return null;
    const count = this.endedBy(first.key) + 1;
    this.endings.set(first.key, count);
    if (count < this.needed(first, ending.reason)) return null;
    if (!ending.proven && this.needsProof(first.key)) return null;
    this.forget(first.key);
    if (this.culpritTopics.size < topicsMax) this.culpritTopics.add(first.topic);
    this.culpritBytes = Math.min(this.culpritBytes, first.bytes);
    return first;
  }

  /** The broker answered to it, be it with no. */
  acknowledged({ key, topic, bytes }: UnderWay): void {
    if (key !== undefined) this.forget(key);
    this.culpritTopics.delete(topic);
    if (bytes >= this.culpritBytes) this.culpritBytes = Infinity;
  }

  /** Nothing of these is left to be sent. */
  gone(what: (key: string) => boolean): void {
    for (const key of [...this.suspects]) if (what(key)) this.forget(key);
  }

  private forget(key: string): void {
    this.suspects.delete(key);
    this.endings.delete(key);
  }

  private needed({ topic, bytes }: UnderWay, code: number | null): number {
    if (isCertain(code)) return 1;
    return this.culpritTopics.has(topic) || bytes >= this.culpritBytes
      ? endingsLikeCulprit
      : endingsMax;
  }
}
