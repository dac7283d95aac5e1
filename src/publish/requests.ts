import type { Clock } from '../runtime/clock.js';
import { messageOf } from '../runtime/errors.js';
import { DoneRequests, onceLengthMax } from './done-requests.js';
import type { RequestGate } from './request-gate.js';

const payloadBytesMax = 64 * 1024;
const answerTimeoutMs = 30_000;
const atWorkMax = 8;

export type RequestHandler = (
  payload: Readonly<Record<string, unknown>>,
) => Promise<Readonly<Record<string, unknown>>>;

export interface Answer {
  readonly status: 'ok' | 'error';
  readonly data: Readonly<Record<string, unknown>>;
  readonly error?: string;
  readonly transaction?: unknown;
}

/**
 * Bytes of a request in, an answer out; never throws and always ends. `transaction` is echoed as it
 * came; what comes again with the same `once` is answered and not done. Only a few are at work at once: a flood of
 * requests must not take the processor from hearing.
 */
export class RequestDesk {
  private atWork = 0;
  /** Time limits of what is at work. */
  private readonly limits = new Set<() => void>();
  private readonly done: DoneRequests<Answer>;

  constructor(
    private readonly handlers: Readonly<Record<string, RequestHandler>>,
    private readonly clock: Clock,
  ) {
    this.done = new DoneRequests(clock);
  }

  /** `gate` for those who ask over the broker. */
  async answer(name: string, bytes: Buffer, gate?: RequestGate): Promise<Answer> {
    if (bytes.length > payloadBytesMax)
      return failure(`${bytes.length} bytes, expected at most ${payloadBytesMax}`);
    let payload: Record<string, unknown>;
    try {
      const parsed: unknown = bytes.length === 0 ? {} : JSON.parse(bytes.toString('utf8'));
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
        return failure('expected a JSON object');
      payload = parsed as Record<string, unknown>;
    } catch (error) {
      return failure(`not JSON: ${messageOf(error)}`);
    }
    const { transaction, once } = payload;
    const handler = Object.hasOwn(this.handlers, name) ? this.handlers[name] : undefined;
    if (handler === undefined)
      return failure(
        `unknown request "${name.slice(0, 64)}", expected one of ${Object.keys(this.handlers).join(', ')}`,
        transaction,
      );
    const refusal = gate?.refuse(name) ?? null;
    if (refusal !== null) return failure(refusal, transaction);
    if (once === undefined) return this.atDesk(name, handler, payload, gate);
    if (typeof once !== 'string' || once === '' || once.length > onceLengthMax)
      return failure(`once: expected a text of 1 to ${onceLengthMax} characters`, transaction);
    const before = this.done.answerOf(name, once);
    if (before !== undefined) {
      gate?.begin(name)();
      return answerTo(transaction, await before);
    }
    // Not done, so not remembered: it may be tried again.
    if (this.atWork >= atWorkMax) return tooMany(transaction);
    const answer = this.atDesk(name, handler, payload, gate);
    this.done.add(name, once, answer);
    return answer;
  }

  private async atDesk(
    name: string,
    handler: RequestHandler,
    payload: Readonly<Record<string, unknown>>,
    gate?: RequestGate,
  ): Promise<Answer> {
    const { transaction } = payload;
    if (this.atWork >= atWorkMax) return tooMany(transaction);
    this.atWork++;
    const done = gate?.begin(name);
    try {
      const data = await this.withinTime(handler(payload));
      return answerTo(transaction, { status: 'ok', data });
    } catch (error) {
      return failure(messageOf(error), transaction);
    } finally {
      this.atWork--;
      done?.();
    }
  }

  /** Waits for nothing any more. */
  close(): void {
    for (const end of [...this.limits]) end();
  }

  private async withinTime<T>(work: Promise<T>): Promise<T> {
    let cancel: () => void = () => undefined;
    let end: () => void = () => undefined;
    const tooLate = new Promise<never>((_, reject) => {
      end = () => reject(new Error('the agent stops'));
      cancel = this.clock.after(answerTimeoutMs, () =>
        reject(new Error(`no answer within ${answerTimeoutMs} ms`)),
      );
    });
    this.limits.add(end);
    try {
      return await Promise.race([work, tooLate]);
    } finally {
      cancel();
      this.limits.delete(end);
    }
  }
}

const tooMany = (transaction: unknown) =>
  failure(`${atWorkMax} requests are at work, try again`, transaction);

function answerTo(transaction: unknown, { transaction: _, ...answer }: Answer): Answer {
  return { ...answer, ...(transaction === undefined ? {} : { transaction }) };
}

/** An answer that says what is wrong. */
export function failure(error: string, transaction?: unknown): Answer {
  return answerTo(transaction, { status: 'error', data: {}, error });
}
