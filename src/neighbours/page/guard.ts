/** Who may have the page: the machine itself, or whoever has the token. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../../runtime/clock.js';
import { isLoopback } from '../../runtime/listen-address.js';
import { Allowance } from './allowance.js';

export const cookieName = 'kikitori_session';
/** A shift, and then the token again. */
const sessionMs = 12 * 3600 * 1000;
/** The one used longest ago goes. */
const sessionsMax = 32;
/** Wrong tokens: so many at once, then one each so many seconds; for an address, and for all together. */
const attempts = { atOnce: 5, perSecond: 1 / 20 };
const attemptsOfAll = { atOnce: 30, perSecond: 0.5 };

/** What a request says of where it comes from. */
export interface Asking {
  readonly headers: IncomingHttpHeaders;
  readonly address: string;
}

export type Verdict = 'yes' | 'no-token' | 'wrong-token' | 'too-many';

const digest = (text: string) => createHash('sha256').update(text).digest();

export class Guard {
  private readonly token: Buffer | null;
  private readonly sessions = new Map<string, number>();
  private readonly wrong: Allowance;
  private readonly wrongOfAll: Allowance;

  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    token: string | null,
  ) {
    this.token = token === null ? null : digest(token);
    this.wrong = new Allowance(clock, attempts.atOnce, attempts.perSecond);
    this.wrongOfAll = new Allowance(clock, attemptsOfAll.atOnce, attemptsOfAll.perSecond);
  }

  get needsToken(): boolean {
    return this.token !== null;
  }

  /**
   * Without a token only this machine's own names are answered: a page from the internet whose name leads to
   * 127.0.0.1 (DNS rebinding) asks for another one. With a token such a page has no session.
   */
  knowsHost({ headers }: Pick<Asking, 'headers'>): boolean {
    if (this.token !== null) return true;
    const [, bracketed, plain] =
      /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(headers.host ?? '') ?? [];
    return isLoopback((bracketed ?? plain ?? '').toLowerCase());
  }

  /** False for what another site's page asks for. */
  sameOrigin({ headers }: Pick<Asking, 'headers'>): boolean {
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
    if (headers.origin === undefined) return true;
    try {
      return new URL(headers.origin).host === headers.host;
    } catch {
      return false;
    }
  }

  admits(asking: Asking): Verdict {
    if (this.token === null) return 'yes';
    const id = sessionOf(asking.headers);
    if (id !== undefined && this.renew(id)) return 'yes';
    const [, bearer] = /^Bearer +(\S+)$/i.exec(asking.headers.authorization ?? '') ?? [];
    return bearer === undefined ? 'no-token' : this.compare(bearer, asking.address);
  }

  /** A token typed in: a session for it, or why not. */
  enter(token: string, address: string): { readonly verdict: Verdict; readonly cookie?: string } {
    const verdict = this.token === null ? 'yes' : this.compare(token, address);
    if (verdict !== 'yes' || this.token === null) return { verdict };
    const id = randomBytes(32).toString('base64url');
    this.sessions.set(digest(id).toString('hex'), this.clock.monotonic());
    const [oldest] = this.sessions.keys();
    if (this.sessions.size > sessionsMax && oldest !== undefined) this.sessions.delete(oldest);
    return { verdict, cookie: cookieWith(id, sessionMs / 1000) };
  }

  /** The cookie that takes a session away. */
  leave(asking: Pick<Asking, 'headers'>): string {
    const id = sessionOf(asking.headers);
    if (id !== undefined) this.sessions.delete(digest(id).toString('hex'));
    return cookieWith('', 0);
  }

  /** In constant time. Refused before it is compared when there were too many wrong ones. */
  private compare(token: string, address: string): Verdict {
    if (!this.wrong.has(address) || !this.wrongOfAll.has('')) return 'too-many';
    if (this.token !== null && timingSafeEqual(digest(token), this.token)) return 'yes';
    this.wrong.take(address);
    this.wrongOfAll.take('');
    return 'wrong-token';
  }

  private renew(id: string): boolean {
    const key = digest(id).toString('hex');
    const usedMs = this.sessions.get(key);
    if (usedMs === undefined) return false;
    this.sessions.delete(key);
    const now = this.clock.monotonic();
    if (now - usedMs > sessionMs) return false;
    this.sessions.set(key, now);
    return true;
  }
}

const cookieWith = (id: string, seconds: number) =>
  `${cookieName}=${id}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${seconds}`;

function sessionOf({ cookie = '' }: IncomingHttpHeaders): string | undefined {
  const mine = cookie.split(/; */).find((part) => part.startsWith(`${cookieName}=`));
  return mine?.slice(cookieName.length + 1);
}
