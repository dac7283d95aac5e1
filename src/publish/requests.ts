import type { Clock } from '../runtime/clock.js';
import { messageOf } from '../runtime/errors.js';

const payloadBytesMax = 64 * 1024;
const answerTimeoutMs = 30_000;

export type RequestHandler = (
  payload: Readonly<Record<string, unknown>>,
) => Promise<Readonly<Record<string, unknown>>>;

export interface Answer {
  readonly status: 'ok' | 'error';
  readonly data: Readonly<Record<string, unknown>>;
  readonly error?: string;
  readonly transaction?: unknown;
}

/** Bytes of a request in, an answer out; never throws. `transaction` is echoed as it came. */
export async function answerRequest(
  name: string,
  bytes: Buffer,
  handlers: Readonly<Record<string, RequestHandler>>,
  clock: Clock,
): Promise<Answer> {
  if (bytes.length > payloadBytesMax)
    return failure(`${bytes.length} bytes, expected at most ${payloadBytesMax}`);
  let payload: Record<string, unknown> = {};
  try {
    const parsed: unknown = bytes.length === 0 ? {} : JSON.parse(bytes.toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      return failure('expected a JSON object');
    payload = parsed as Record<string, unknown>;
  } catch (error) {
    return failure(`not JSON: ${messageOf(error)}`);
  }
  const { transaction } = payload;
  const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
  if (handler === undefined)
    return failure(
      `unknown request "${name}", expected one of ${Object.keys(handlers).join(', ')}`,
      transaction,
    );
  let cancel: () => void = () => undefined;
  const tooLate = new Promise<never>((_, reject) => {
    cancel = clock.after(answerTimeoutMs, () =>
      reject(new Error(`no answer within ${answerTimeoutMs} ms`)),
    );
  });
  try {
    const data = await Promise.race([handler(payload), tooLate]);
    return { status: 'ok', data, ...(transaction === undefined ? {} : { transaction }) };
  } catch (error) {
    return failure(messageOf(error), transaction);
  } finally {
    cancel();
  }
}

function failure(error: string, transaction?: unknown): Answer {
  return {
    status: 'error',
    data: {},
    error,
    ...(transaction === undefined ? {} : { transaction }),
  };
}
