import type { Fetcher } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { sleep, type Clock } from '../../runtime/clock.js';
import { UpdateError } from './errors.js';
import { get, type Limits } from './http.js';

export interface FetcherOptions {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly ca?: string;
  readonly signal?: AbortSignal;
  /** Wait before the second and third attempt at an unreachable server. */
  readonly retryMs: number;
}

const attempts = 3;

/** How tuf-js gets its metadata: into memory, never more than it asked for. */
export class MetadataFetcher implements Fetcher {
  /** What the last fetch threw: tuf-js keeps only its text. */
  fault: UpdateError | undefined;

  constructor(private readonly options: FetcherOptions) {}

  async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    this.fault = undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.once(url, maxLength);
      } catch (error) {
        if (!(error instanceof UpdateError)) throw error;
        const again = error.code === 'unreachable' || error.code === 'cut-off';
        if (!again || attempt >= attempts) {
          this.fault = error;
          throw error;
        }
        await sleep(this.options.clock, this.options.retryMs * attempt);
      }
    }
  }

  /** tuf-js would keep targets in the temporary folder, which may be memory; download.ts does better. */
  downloadFile<T>(): Promise<T> {
    return Promise.reject(new Error('targets are fetched by download.ts'));
  }

  private async once(url: string, maxLength: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    await get(
      { url, ...this.options },
      ({ status, headers }) => {
        // tuf-js ends its search for newer roots at a 404, or a 403 as buckets send it.
        if (status === 404 || status === 403) {
          this.fault = new UpdateError('http-status', { where: url, what: `status ${status}` });
          throw new DownloadHTTPError('not there', status);
        }
        if (status !== 200)
          throw new UpdateError('http-status', { where: url, what: `status ${status}` });
        refuseEncoded(headers['content-encoding'], url);
        return maxLength;
      },
      async (part) => void parts.push(part),
    );
    return Buffer.concat(parts);
  }
}

/** Compressed answers are refused: their length says nothing about what they unfold to. */
export function refuseEncoded(encoding: string | undefined, where: string): void {
  if (encoding !== undefined && encoding !== 'identity')
    throw new UpdateError('malformed', { where, what: `content-encoding ${tokenOf(encoding)}` });
}

/** A name of an encoding as it is; else only that there is one: with an @ in it the address would be hidden for a password. */
function tokenOf(encoding: string): string {
  return /^[\w, -]{1,60}$/.test(encoding) ? encoding : 'that is no name';
}
