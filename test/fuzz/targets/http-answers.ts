/** What a server, a proxy or a captive portal answers, byte by byte. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { get } from '../../../src/update/trust/http.js';
import { download } from '../../../src/update/trust/download.js';
import { realFiles } from '../../../src/update/trust/index.js';
import { sha256 } from '../../../src/bundle/index.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, thrown, type Target } from '../engine/target.js';

const folder = mkdtempSync(join(tmpdir(), 'kikitori-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const limits = { totalMs: 20_000, windowMs: 20_000, windowBytes: 1 };
const most = 256;
const text = 'the bytes that were signed';
const body = Buffer.from(text);

let answer = Buffer.alloc(0);
const server = createServer((socket: Socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => socket.end(answer));
});
server.unref();
let url: Promise<string> | undefined;
const listening = () =>
  (url ??= new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`),
    ),
  ));

export const target: Omit<Target, 'name'> = {
  right:
    'never more bytes than agreed; a download is there with the right bytes or not at all; nothing beside it',
  covers: [
    'src/update/trust/http.ts',
    'src/update/trust/download.ts',
    'src/update/trust/errors.ts',
  ],
  where: 'http://127.0.0.1',
  processorMsMax: 5000,
  words: [
    'HTTP/1.1 206 Partial Content\r\n',
    'content-range: bytes 0-25/26\r\n',
    'content-encoding: gzip\r\n',
    'transfer-encoding: chunked\r\n',
    'location: /\r\n',
    '\r\n\r\n',
    'etag: W/"1"\r\n',
    '1a\r\n',
    '0\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
  ],
  seeds: () => [
    `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\netag: "1"\r\n\r\n${text}`,
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1a\r\n${text}\r\n0\r\n\r\n`,
    `HTTP/1.0 200 OK\r\n\r\n${text}`,
    'HTTP/1.1 302 Found\r\nlocation: https://portal.example/\r\n\r\n',
    `HTTP/1.1 200 OK\r\ncontent-encoding: @zip\r\ncontent-length: ${body.length}\r\n\r\n${text}`,
    'HTTP/1.1 503 Busy\r\nretry-after: 5\r\ncontent-length: 2\r\n\r\nno',
    `HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-25/26\r\ncontent-length: 26\r\n\r\n${text}`,
  ],
  run: async (input) => {
    answer = Buffer.from(input);
    const request = { url: await listening(), limits, clock: systemClock };
    let bytes = 0;
    const refusals: Error[] = [];
    try {
      await get(
        request,
        () => most,
        async (part) => {
          bytes += part.length;
          must(bytes <= most, 'more bytes than agreed');
        },
      );
    } catch (error) {
      refusals.push(thrown(error));
    }
    try {
      const path = await download({
        ...request,
        ...{ sha256: sha256(body), bytes: body.length, folder, files: realFiles },
        ...{ retryMs: 0, reserveBytes: 0 },
      });
      must(
        sha256((await realFiles.read(path)) ?? '') === sha256(body),
        'other bytes than were signed',
      );
    } catch (error) {
      refusals.push(thrown(error));
    }
    const names = readdirSync(folder);
    must(
      names.every((n) => n.startsWith(sha256(body))),
      `beside it: ${names.join()}`,
    );
    for (const name of names) rmSync(join(folder, name));
    const last = refusals.at(-1);
    if (last !== undefined) throw last;
  },
};
