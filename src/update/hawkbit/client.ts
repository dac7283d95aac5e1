import type { Clock } from '../../runtime/clock.js';
import { UpdateError } from '../trust/errors.js';
import { refuseEncoded } from '../trust/fetcher.js';
import { get, type Limits } from '../trust/http.js';
import {
  DdiError,
  feedbackBody,
  parseBase,
  parseCancel,
  parseDeployment,
  type DdiBase,
  type DdiDeployment,
  type Feedback,
} from './ddi.js';

export interface DdiClientOptions {
  /** http(s)://host[/path] of the server. */
  readonly url: string;
  readonly tenant: string;
  readonly controllerId: string;
  /** The header's value, read each time it is needed; undefined where a proxy's certificate is proof enough. */
  readonly authorization: () => string | undefined;
  /** PEM of the authority that signed the server's certificate; else the system's. */
  readonly ca?: () => string | undefined;
  readonly clock: Clock;
  readonly limits?: Partial<Limits>;
}

const answerBytesMax = 256 * 1024;
const retryAfterMsMax = 3_600_000;
const ddiLimits: Limits = { totalMs: 30_000, windowMs: 15_000, windowBytes: 1 };

/** Talks DDI v1. Every failure is a DdiError; the token is in no message. */
export class DdiClient {
  private readonly stop = new AbortController();

  constructor(private readonly options: DdiClientOptions) {}

  async base(): Promise<DdiBase> {
    return parseBase(await this.request('GET', ''), this.url(''));
  }

  async deployment(id: string): Promise<DdiDeployment> {
    const path = `/deploymentBase/${id}`;
    return parseDeployment(await this.request('GET', path), this.url(path));
  }

  /** The id of the action that is to be stopped. */
  async cancelled(id: string): Promise<string> {
    const path = `/cancelAction/${id}`;
    return parseCancel(await this.request('GET', path), this.url(path));
  }

  /** Resolves to false when the server does not want it (any more): the action is gone or closed. */
  async feedback(
    kind: 'deploymentBase' | 'cancelAction',
    id: string,
    feedback: Feedback,
  ): Promise<boolean> {
    const body = feedbackBody(id, feedback, this.options.clock.now());
    try {
      await this.request('POST', `/${kind}/${id}/feedback`, body);
      return true;
    } catch (error) {
      if (error instanceof DdiError && error.code === 'hawkbit-gone') return false;
      throw error;
    }
  }

  async config(data: Readonly<Record<string, string>>): Promise<void> {
    await this.request('PUT', '/configData', JSON.stringify({ mode: 'merge', data }));
  }

  close(): void {
    this.stop.abort();
  }

  private url(path: string): string {
    const { url, tenant, controllerId } = this.options;
    const base = url.replace(/\/+$/, '');
    return `${base}/${encodeURIComponent(tenant)}/controller/v1/${encodeURIComponent(controllerId)}${path}`;
  }

  private async request(method: string, path: string, body?: string): Promise<string> {
    const { clock, limits } = this.options;
    const url = this.url(path);
    const parts: Buffer[] = [];
    try {
      const authorization = this.options.authorization();
      await get(
        {
          url,
          method,
          ...(body === undefined ? {} : { body }),
          headers: {
            accept: 'application/hal+json, application/json',
            ...(authorization === undefined ? {} : { authorization }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          limits: { ...ddiLimits, ...limits },
          clock,
          ca: this.options.ca?.(),
          signal: this.stop.signal,
        },
        ({ status, headers }) => {
          if (status < 200 || status > 299) throw refused(status, headers['retry-after'], url);
          refuseEncoded(headers['content-encoding'], url);
          return answerBytesMax;
        },
        async (part) => void parts.push(part),
      );
    } catch (error) {
      if (!(error instanceof UpdateError)) throw error;
      const what = `hawkBit could not be asked: ${error.code}`;
      throw new DdiError(`hawkbit-${error.code}`, what, { where: url, cause: error });
    }
    return Buffer.concat(parts).toString('utf8');
  }
}

function refused(status: number, retryAfter: string | undefined, where: string): DdiError {
  const make = (code: string, what: string, hint?: string) =>
    new DdiError(code, `hawkBit ${what} (status ${status})`, { where, hint }, waitMs(retryAfter));
  if (status === 401 || status === 403)
    return make(
      'hawkbit-unauthorized',
      'does not accept this board',
      'check update.hawkbit.tokenFile, the tenant, the id of this target, and which kind of token is allowed',
    );
  if (status === 404 || status === 410 || status === 400)
    return make('hawkbit-gone', 'knows nothing of this');
  if (status === 429) return make('hawkbit-busy', 'is asked too often');
  return make('hawkbit-status', 'answered with an error');
}

/** Seconds, as servers send it; a date is left to our own back-off. */
function waitMs(retryAfter: string | undefined): number {
  const seconds = Number(retryAfter);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(1000 * seconds, retryAfterMsMax) : 0;
}
