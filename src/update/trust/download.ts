import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { sleep, type Clock } from '../../runtime/clock.js';
import { codeOf, messageOf } from '../../runtime/errors.js';
import { UpdateError } from './errors.js';
import { refuseEncoded } from './fetcher.js';
import type { Files } from './files.js';
import { get, type Limits } from './http.js';

export interface DownloadOptions {
  readonly url: string;
  /** As signed: the only two facts about the file that are believed. */
  readonly sha256: string;
  readonly bytes: number;
  readonly folder: string;
  readonly files: Files;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly retryMs: number;
  /** Must stay free on the disk beside the file itself. */
  readonly reserveBytes: number;
  readonly ca?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (bytesDone: number) => void;
}

/** Attempts in a row without a new byte; then the next check goes on where this one ended. */
const fruitlessMax = 3;
const syncEveryBytes = 1024 * 1024;

/**
 * Fetches one signed file into `folder` and resolves to its path, `<sha256>.tar`. Until length and
 * SHA-256 are right it is `<sha256>.part`, which a later call takes up again (Range, If-Range). Other
 * files in the folder are leftovers of other deployments and are removed: it never holds two.
 */
export async function download(o: DownloadOptions): Promise<string> {
  const done = join(o.folder, `${o.sha256}.tar`);
  const part = join(o.folder, `${o.sha256}.part`);
  const validator = join(o.folder, `${o.sha256}.etag`);
  try {
    await o.files.makeFolder(o.folder);
    for (const name of await o.files.list(o.folder))
      if (!name.startsWith(o.sha256)) await o.files.remove(join(o.folder, name));
    if (await holds(o, done)) return done;
    await o.files.remove(done);
    await checkSpace(o, (await o.files.size(part)) ?? 0);
    await fetchAll(o, part, validator);
    await o.files.rename(part, done);
    await o.files.remove(validator);
    return done;
  } catch (error) {
    const failure = asUpdateError(error, o.folder);
    // A full disk stops the rest of the agent too: give the space back.
    if (failure.code === 'disk-full') await o.files.remove(part).catch(() => undefined);
    throw failure;
  }
}

async function fetchAll(o: DownloadOptions, part: string, validator: string): Promise<void> {
  let fruitless = 0;
  let resumedFromDisk = ((await o.files.size(part)) ?? 0) > 0;
  for (;;) {
    const before = Math.min((await o.files.size(part)) ?? 0, o.bytes);
    try {
      if (before < o.bytes) await fetchOnce(o, part, validator, before);
      if (await holds(o, part)) return;
      await o.files.remove(part);
      // What lay on the disk may have been torn by a power cut: that is no fault of the server's.
      if (!resumedFromDisk)
        throw new UpdateError('mismatch', { where: o.url, what: 'length or SHA-256' });
      resumedFromDisk = false;
    } catch (error) {
      if (!(error instanceof UpdateError) || !mayRecover(error)) throw error;
      const after = (await o.files.size(part)) ?? 0;
      fruitless = after > before ? 0 : fruitless + 1;
      if (fruitless >= fruitlessMax) throw error;
      await sleep(o.clock, o.retryMs * 2 ** fruitless);
      if (o.signal?.aborted === true) throw new UpdateError('aborted', { where: o.url });
    }
  }
}

const mayRecover = ({ code }: UpdateError) => code === 'unreachable' || code === 'cut-off';

async function fetchOnce(
  o: DownloadOptions,
  part: string,
  validator: string,
  from: number,
): Promise<void> {
  const known = from === 0 ? undefined : (await o.files.read(validator))?.toString('utf8');
  const headers: Record<string, string> = {};
  if (from > 0) {
    headers['range'] = `bytes=${from}-`;
    if (known !== undefined && known !== '') headers['if-range'] = known;
  }
  const wanted: { at: number; etag: string } = { at: from, etag: '' };
  let file: Awaited<ReturnType<Files['openPart']>> | undefined;
  let at = from;
  let unsynced = 0;
  try {
    await get(
      { url: o.url, headers, limits: o.limits, clock: o.clock, ca: o.ca, signal: o.signal },
      ({ status, headers: answer }) => {
        refuseEncoded(answer['content-encoding'], o.url);
        if (status === 200) wanted.at = 0;
        else if (status === 206) checkRange(answer['content-range'], from, o);
        else if (status === 416)
          throw new UpdateError('mismatch', { where: o.url, what: 'shorter than it was signed' });
        else throw new UpdateError('http-status', { where: o.url, what: `status ${status}` });
        wanted.etag = strongValidator(answer);
        return o.bytes - wanted.at;
      },
      async (bytes) => {
        if (file === undefined) {
          at = wanted.at;
          await o.files.replace(validator, Buffer.from(wanted.etag));
          file = await o.files.openPart(part, at);
        }
        await file.write(bytes);
        at += bytes.length;
        unsynced += bytes.length;
        if (unsynced >= syncEveryBytes) {
          await file.sync();
          unsynced = 0;
        }
        o.onProgress?.(at);
      },
    );
    await file?.sync();
  } finally {
    await file?.close();
  }
  if (at < o.bytes)
    throw new UpdateError('cut-off', { where: o.url, what: `${at} of ${o.bytes} bytes` });
}

function checkRange(range: string | undefined, from: number, o: DownloadOptions): void {
  if (range?.startsWith(`bytes ${from}-`) === true) return;
  // Whatever else a server writes is not shown: an @ in it would make a secret of the address beside it.
  const shown = range !== undefined && /^[\w /*-]{1,60}$/.test(range) ? range : 'that is none';
  throw new UpdateError('malformed', { where: o.url, what: `content-range ${shown}` });
}

/** Weak entity tags may not be used with If-Range (RFC 9110, 13.1.5). */
function strongValidator(headers: { etag?: string; 'last-modified'?: string }): string {
  const { etag } = headers;
  if (etag !== undefined && !etag.startsWith('W/')) return etag;
  return headers['last-modified'] ?? '';
}

async function holds(o: DownloadOptions, path: string): Promise<boolean> {
  if ((await o.files.size(path)) !== o.bytes) return false;
  const hash = createHash('sha256');
  for await (const bytes of o.files.stream(path)) hash.update(bytes);
  return hash.digest('hex') === o.sha256;
}

async function checkSpace(o: DownloadOptions, there: number): Promise<void> {
  const needed = o.bytes - Math.min(there, o.bytes) + o.reserveBytes;
  const free = await o.files.freeBytes(o.folder);
  if (free < needed) {
    throw new UpdateError('disk-full', {
      where: o.folder,
      what: `${free} bytes free, ${needed} needed`,
    });
  }
}

function asUpdateError(error: unknown, where: string): UpdateError {
  if (error instanceof UpdateError) return error;
  const code = codeOf(error);
  return new UpdateError(code === 'ENOSPC' || code === 'EDQUOT' ? 'disk-full' : 'storage', {
    where,
    what: code ?? messageOf(error),
    cause: error,
  });
}
