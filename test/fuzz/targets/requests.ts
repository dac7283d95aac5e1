import { requestHandlers, thresholdsOf, type Requested } from '../../../src/agent/requests.js';
import { requestEntries } from '../../../src/publish/contract/index.js';
import { RequestDesk } from '../../../src/publish/requests.js';
import { messageOf } from '../../../src/runtime/errors.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { mutateJson } from '../engine/mutate-json.js';
import { must, type Target } from '../engine/target.js';

const agent: Requested = {
  listen: async () => undefined,
  stopListening: async () => undefined,
  mute: async (on) => must(typeof on === 'boolean', 'mute is neither on nor off'),
  setOptions: async (given) => {
    const set = thresholdsOf(given);
    must(
      Object.values(set).every((v) => v >= 0 && v <= 1),
      'a threshold beyond 0 to 1',
    );
    return set;
  },
  reloadGrammar: async () => ({ sentences: 1, sha256: '' }),
  selftest: async () => ({}),
  restart: () => undefined,
  updates: {
    request: async () => ({}),
    rollback: async () => ({}),
    language: { request: async () => ({}) },
  },
};
const names = requestEntries.map(([name]) => name);

/** The name of the request, a line feed, and its payload. */
export const target: Omit<Target, 'name'> = {
  right:
    'every request has an answer that is JSON, with the transaction as it came; asked again it is the same; nothing is thrown',
  covers: ['src/publish/requests.ts', 'src/publish/done-requests.ts', 'src/agent/requests.ts'],
  words: names,
  seeds: () => [
    ...requestEntries.map(([name, entry]) => `${name}\n${JSON.stringify(entry.example ?? {})}`),
    'options\n{"options":{"minConfidence":0.5},"transaction":{"id":[1,2]}}',
    'mute\n{"mute":false,"transaction":"7"}',
    'rollback\n{"once":"a","transaction":7}',
  ],
  mutate: (input, random, other) => {
    const [name, body] = parts(input);
    const changed = mutateJson(body, random, parts(other)[1]);
    return Buffer.concat([Buffer.from(random.chance(0.2) ? random.of(names) : name), nl, changed]);
  },
  run: async (input) => {
    const [name, body] = parts(input);
    const desk = new RequestDesk(
      requestHandlers(() => agent),
      systemClock,
    );
    const answer = await desk.answer(name, body);
    const again = await desk.answer(name, body);
    desk.close();
    must(JSON.stringify(again) === JSON.stringify(answer), 'another answer when asked again');
    must(answer.status === 'ok' || answer.error !== '', 'a refusal without words');
    must((answer.error?.length ?? 0) < 2000, 'a refusal without an end');
    must(
      Buffer.byteLength(JSON.stringify(answer)) < 128 * 1024,
      'an answer larger than what was asked',
    );
    const said = transactionOf(body);
    must(
      JSON.stringify(answer.transaction) === JSON.stringify(said),
      `the transaction is ${JSON.stringify(answer.transaction)}, was ${JSON.stringify(said)}`,
    );
  },
};

const nl = Buffer.from('\n');

function parts(input: Buffer): [name: string, body: Buffer] {
  const end = Math.max(0, input.indexOf(10));
  return [input.toString('utf8', 0, end), input.subarray(end + 1)];
}

function transactionOf(body: Buffer): unknown {
  try {
    const value = JSON.parse(body.toString('utf8')) as { transaction?: unknown } | null;
    return Array.isArray(value) || typeof value !== 'object' ? undefined : value?.transaction;
  } catch (error) {
    must(messageOf(error) !== '', 'no words');
    return undefined;
  }
}
