/**
 * A folder served as an S3-like bucket serves it to a reader that may not list: a missing key is 403 with
 * XML, ETags are MD5 in quotes, ranges are answered, If-Range is not known, there are no folders.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import type { Test } from 'tap';

export class BucketSim {
  /** `STATUS path range`, in order. */
  readonly requests: string[] = [];
  /** After so many bytes of the next answer the connection is cut. */
  cutAfter: number | null = null;
  url = '';

  private constructor(
    private readonly dir: string,
    private readonly prefix: string,
  ) {}

  static async start(t: Test, dir: string, prefix = 'bucket/kikitori'): Promise<BucketSim> {
    const sim = new BucketSim(dir, prefix);
    const server = http.createServer(
      (request, response) => void sim.answer(request, response).catch(() => response.destroy()),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    sim.url = `http://127.0.0.1:${port}/${prefix}`;
    t.teardown(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return sim;
  }

  private async answer(request: http.IncomingMessage, response: http.ServerResponse) {
    // S3 takes a plus in a path for a space.
    const key = decodeURIComponent((request.url ?? '').slice(1).replace(/\+/g, ' '));
    const inside = key.startsWith(`${this.prefix}/`) && normalize(key) === key;
    const path = join(this.dir, key.slice(this.prefix.length));
    const bytes = inside ? await readFile(path).catch(() => undefined) : undefined;
    const { range = '' } = request.headers;
    const say = (status: number) => this.requests.push(`${status} ${key} ${range}`.trim());
    const refuse = (status: number, code: string) => {
      say(status);
      const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code></Error>`;
      response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
    };
    if (bytes === undefined) return refuse(403, 'AccessDenied');
    const from = Number(/^bytes=(\d+)-$/.exec(range)?.[1] ?? 0);
    if (range !== '' && from >= bytes.length) return refuse(416, 'InvalidRange');
    const status = range === '' ? 200 : 206;
    say(status);
    const part = bytes.subarray(from);
    response.writeHead(status, {
      etag: `"${createHash('md5').update(bytes).digest('hex')}"`,
      'accept-ranges': 'bytes',
      'content-length': part.length,
      'content-type': 'binary/octet-stream',
      ...(status === 206
        ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }
        : {}),
    });
    if (this.cutAfter === null || this.cutAfter >= part.length) return response.end(part);
    const { cutAfter } = this;
    this.cutAfter = null;
    return response.write(part.subarray(0, cutAfter), () => response.destroy());
  }
}
