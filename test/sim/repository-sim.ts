/** A web server in front of a real repository, honest until it is told otherwise. */
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import type { Test } from 'tap';
import { freePort } from './mosquitto.js';

export interface Exchange {
  readonly path: string;
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  /** What an honest server would send; undefined: 404. */
  readonly bytes: Buffer | undefined;
}

/** Answers in its own way, or returns false to leave it to the honest server. */
export type Fault = (exchange: Exchange) => boolean | Promise<boolean>;

export class RepositorySim {
  /** path with Range header, in order. */
  readonly requests: string[] = [];
  fault: Fault = () => false;
  ranges = true;
  etag = (bytes: Buffer) => `"${createHash('md5').update(bytes).digest('hex')}"`;
  url = '';
  private server: http.Server | https.Server | undefined;
  private port = 0;

  constructor(
    private readonly dir: string,
    private readonly tls?: { key: string; cert: string },
  ) {}

  static async start(t: Test, fleetDir: string, tls?: { key: string; cert: string }) {
    const sim = new RepositorySim(join(fleetDir, 'repository'), tls);
    await sim.up();
    t.teardown(() => sim.down());
    return sim;
  }

  async up(): Promise<void> {
    const listener = (request: http.IncomingMessage, response: http.ServerResponse) =>
      void this.answer(request, response).catch(() => response.destroy());
    this.server =
      this.tls === undefined
        ? http.createServer(listener)
        : https.createServer({ ...this.tls }, listener);
    this.port ||= await freePort();
    await new Promise<void>((resolve) => this.server?.listen(this.port, '127.0.0.1', resolve));
    this.url = `${this.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}`;
  }

  async down(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  private async answer(
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    const path = decodeURIComponent((request.url ?? '/').slice(1));
    const { range } = request.headers;
    this.requests.push(range === undefined ? path : `${path} ${range}`);
    const bytes = await readFile(join(this.dir, path)).catch(() => undefined);
    if (await this.fault({ path, request, response, bytes })) return;
    if (bytes === undefined) {
      response.writeHead(404).end('not here');
      return;
    }
    const etag = this.etag(bytes);
    const wanted = /^bytes=(\d+)-$/.exec(range ?? '')?.[1];
    const current = request.headers['if-range'] ?? etag;
    if (!this.ranges || wanted === undefined || current !== etag) {
      response.writeHead(200, { 'content-length': bytes.length, etag }).end(bytes);
      return;
    }
    const from = Number(wanted);
    if (from >= bytes.length) response.writeHead(416).end();
    else
      response
        .writeHead(206, {
          etag,
          'content-length': bytes.length - from,
          'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
        })
        .end(bytes.subarray(from));
  }
}

/** Sends other bytes in place of a file whose path matches. */
export const instead =
  (pattern: RegExp, change: (bytes: Buffer) => Buffer): Fault =>
  ({ path, response, bytes }) => {
    if (!pattern.test(path) || bytes === undefined) return false;
    const other = change(Buffer.from(bytes));
    response.writeHead(200, { 'content-length': other.length }).end(other);
    return true;
  };
