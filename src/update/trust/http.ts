import http from 'node:http';
import https from 'node:https';
import { checkServerIdentity } from 'node:tls';
import type { Clock } from '../../runtime/clock.js';
import { codeOf, messageOf } from '../../runtime/errors.js';
import { agentVersion } from '../../runtime/version.js';
import { UpdateError } from './errors.js';
import { proxyFor, refusedByProxy, type Proxy } from './proxy.js';

export interface Limits {
  /** Whole request, from the first packet to the last. */
  readonly totalMs: number;
  /** At least `windowBytes` must arrive in every window of this length. */
  readonly windowMs: number;
  readonly windowBytes: number;
}

export const metadataLimits: Limits = { totalMs: 60_000, windowMs: 15_000, windowBytes: 512 };
/** A bundle of 6 MB at 300 bytes a second is the slowest that still arrives. */
export const bundleLimits: Limits = {
  totalMs: 6 * 3600_000,
  windowMs: 30_000,
  windowBytes: 30 * 300,
};

export interface Request {
  readonly url: string;
  /** GET unless said otherwise. */
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Certificate of the authority that signed the server's, PEM; else the system's. */
  readonly ca?: string;
  readonly signal?: AbortSignal;
}

export interface Response {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
}

const tlsCodes =
  /^(ERR_TLS|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|EPROTO$|HOSTNAME_MISMATCH)/;

/**
 * One request. `accept` sees status and headers and says how many bytes may follow; `sink` gets them one
 * part after the other. Nothing is followed, decoded or kept: a redirect is an error, and so is any
 * byte more than was agreed.
 */
export async function get(
  request: Request,
  accept: (response: Response) => number,
  sink: (bytes: Buffer) => Promise<void>,
): Promise<void> {
  const { url, limits, clock } = request;
  const stop = new AbortController();
  let why: UpdateError | undefined;
  const end = (error: UpdateError) => {
    why ??= error;
    stop.abort();
  };
  let windowBytes = 0;
  let cancelWindow = (): void => undefined;
  const watch = () => {
    cancelWindow = clock.after(limits.windowMs, () => {
      if (windowBytes < limits.windowBytes) {
        const what = `${windowBytes} bytes in ${limits.windowMs} ms`;
        end(new UpdateError('too-slow', { where: url, what }));
      } else {
        windowBytes = 0;
        watch();
      }
    });
  };
  const cancelTotal = clock.after(limits.totalMs, () =>
    end(new UpdateError('timed-out', { where: url, what: `${limits.totalMs} ms` })),
  );
  const onAbort = () => end(new UpdateError('aborted', { where: url }));
  request.signal?.addEventListener('abort', onAbort, { once: true });
  if (request.signal?.aborted === true) onAbort();
  watch();
  let proxy: Proxy | null = null;
  try {
    proxy = proxyFor(url);
    const response = await open(request, proxy, stop.signal);
    const most = accept({ status: response.statusCode ?? 0, headers: response.headers });
    let received = 0;
    for await (const part of response as AsyncIterable<Buffer>) {
      windowBytes += part.length;
      received += part.length;
      if (received > most)
        throw new UpdateError('too-long', { where: url, what: `more than ${most} bytes` });
      await sink(part);
    }
    if (!response.complete) throw new UpdateError('cut-off', { where: url });
  } catch (error) {
    throw why ?? networkError(error, url, proxy);
  } finally {
    cancelWindow();
    cancelTotal();
    request.signal?.removeEventListener('abort', onAbort);
    stop.abort();
    proxy?.agent.destroy();
  }
}

function open(
  request: Request,
  proxy: Proxy | null,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const { url, ca } = request;
  return new Promise((resolve, reject) => {
    const options: https.RequestOptions = {
      method: request.method ?? 'GET',
      signal,
      agent: proxy?.agent ?? false,
      headers: {
        'user-agent': `kikitori/${agentVersion}`,
        'accept-encoding': 'identity',
        ...request.headers,
      },
      ...(ca === undefined ? {} : { ca }),
    };
    const sent = url.startsWith('https:')
      ? https.request(url, {
          ...options,
          rejectUnauthorized: true,
          minVersion: 'TLSv1.2',
          // Inside a tunnel the host is not known to the socket where it is a number.
          checkServerIdentity: (_host, cert) => checkServerIdentity(hostOf(url), cert),
        })
      : http.request(url, options);
    sent.on('response', (response) => {
      // A torn connection also reaches whoever reads the body; without this it could end the process.
      response.on('error', () => undefined);
      const status = response.statusCode ?? 0;
      if (proxy !== null && status === 407) reject(refusedByProxy(url, proxy.name, status));
      if (status >= 300 && status < 400 && status !== 304)
        reject(new UpdateError('redirected', { where: url, what: `status ${status}` }));
      else resolve(response);
    });
    sent.on('proxyConnect', ({ statusCode }: { statusCode: number }) => {
      if (proxy !== null && statusCode !== 200) reject(refusedByProxy(url, proxy.name, statusCode));
    });
    sent.on('error', reject);
    sent.end(request.body);
  });
}

const hostOf = (url: string) => new URL(url).hostname.replace(/^\[|\]$/g, '');

function networkError(error: unknown, where: string, proxy: Proxy | null): Error {
  if (error instanceof UpdateError) return error;
  const code = codeOf(error) ?? '';
  const by = proxy === null ? '' : `, by the proxy ${proxy.name}`;
  const what = (code === '' ? messageOf(error) : code) + by;
  if (tlsCodes.test(code)) return new UpdateError('tls', { where, what, cause: error });
  if (code.startsWith('HPE_'))
    return new UpdateError('malformed', { where, what: `no HTTP: ${what}`, cause: error });
  // Errors of the disk come from the sink and keep their name.
  if (/^E(NOSPC|DQUOT|IO|ROFS|ACCES|PERM|NOENT|BADF|MFILE|FBIG)$/.test(code)) return error as Error;
  if (error instanceof Error && !isNetwork(code, error)) return error;
  return new UpdateError('unreachable', { where, what, cause: error });
}

function isNetwork(code: string, error: Error): boolean {
  return (
    /^(E(CONN|HOST|NET|TIMEDOUT|PIPE|AI_|NOTFOUND|ADDR)|UND_|ECANCELED)/.test(code) ||
    /socket hang up|aborted|getaddrinfo/.test(error.message)
  );
}
