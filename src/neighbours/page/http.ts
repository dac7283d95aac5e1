/** What every answer of the page has, and how a request's body is read. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Nothing from elsewhere, no inline script, in no other page's frame, and no microphone of the phone. */
const always = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
} as const;

export type Headers = Readonly<Record<string, string>>;

export function head(response: ServerResponse, status: number, headers: Headers): void {
  response.writeHead(status, { ...always, 'cache-control': 'no-store', ...headers });
}

export function answerJson(
  response: ServerResponse,
  status: number,
  data: unknown,
  headers: Headers = {},
): void {
  head(response, status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(JSON.stringify(data));
}

/** What is wrong with a request, for people. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Headers = {},
  ) {
    super(message);
  }
}

/** The JSON object of a request; a longer one is not read to its end. */
export async function jsonBody(
  request: IncomingMessage,
  bytesMax: number,
): Promise<Readonly<Record<string, unknown>>> {
  // Only a page of the same origin may send this type without being asked first (CORS).
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
    throw new Refusal(415, 'expected content-type: application/json');
  const tooLong = new Refusal(413, `the request is too long: at most ${bytesMax} bytes`, {
    connection: 'close',
  });
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLong;
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bytesMax) throw tooLong;
    parts.push(part);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts)));
  } catch {
    throw new Refusal(400, 'this is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Refusal(400, 'expected a JSON object');
  return value as Readonly<Record<string, unknown>>;
}

/** A text of the body. */
export function textOf(
  body: Readonly<Record<string, unknown>>,
  name: string,
  lettersMax: number,
): string {
  const value = body[name];
  if (typeof value !== 'string') throw new Refusal(400, `expected "${name}" as a text`);
  if (value.length > lettersMax)
    throw new Refusal(400, `"${name}" is too long: at most ${lettersMax} letters`);
  return value;
}
