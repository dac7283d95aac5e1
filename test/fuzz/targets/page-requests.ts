import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { jsonBody, Refusal, textOf } from '../../../src/neighbours/page/http.js';
import { mutateJson } from '../engine/mutate-json.js';
import { must, type Target } from '../engine/target.js';

const most = 400;

/** The first byte says how the body is cut, and whether its length and type are told. */
export const target: Omit<Target, 'name'> = {
  right:
    'a body is an object of at most so many bytes however it is cut, and a text of it has a limit; else a refusal with a status',
  covers: ['src/neighbours/page/http.ts'],
  refusals: [Refusal],
  bytesMax: 600,
  seeds: () => [
    '\x05{"text":"turn on the light"}',
    '\x01{"mute":false}',
    '\x80{}',
    `\x07{"text":"${'x'.repeat(390)}"}`,
  ],
  mutate: (input, random, other) =>
    Buffer.concat([input.subarray(0, 1), mutateJson(input.subarray(1), random, other.subarray(1))]),
  run: async (input) => {
    const how = input[0] ?? 0;
    const body = input.subarray(1);
    const size = 1 + (how % 64);
    const pieces: Buffer[] = [];
    for (let at = 0; at < body.length; at += size) pieces.push(body.subarray(at, at + size));
    const headers = {
      'content-type': how < 200 ? 'application/json; charset=utf-8' : 'text/plain',
      ...(how > 127 ? { 'content-length': String(body.length) } : {}),
    };
    const request = Object.assign(Readable.from(pieces), { headers }) as unknown as IncomingMessage;
    try {
      const value = await jsonBody(request, most);
      must(body.length <= most, 'a longer body than allowed was read');
      must(typeof value === 'object' && value !== null && !Array.isArray(value), 'no object');
      must(textOf(value, 'text', 100).length <= 100, 'a longer text than allowed');
    } catch (error) {
      if (error instanceof Refusal)
        must(error.status >= 400 && error.status < 500, `status ${error.status}`);
      throw error;
    }
  },
};
