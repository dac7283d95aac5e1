/** Sentences checked in a thread of their own: the daemon's goes on, one at a time, within its limits. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { CheckThread, type CheckJob } from '../../../src/neighbours/page/check-thread.js';
import { TestClock } from '../../sim/test-clock.js';
import { toneBundle } from '../../sim/tone-model.js';

const { path: modelPath } = await toneBundle();
const right = `intents:
  Light: {data: [{sentences: ["turn (on|off) the {room} light"]}]}
lists: {room: {values: [kitchen, hall]}}
`;
const job = (text: string, more: Partial<CheckJob> = {}): CheckJob => ({
  ...{ text, file: 'sentences.yaml', phonesMax: 1_000_000, modelPath, wordsPath: '' },
  ...{ openSlots: false, ...more },
});
/** Compiled it is after the better part of a minute, on a fast machine. */
const endless = (() => {
  const ends = ['an', 'er', 'ight', 'old', 'ake', 'ing', 'ust', 'een'];
  const words = [...'abcdefghijklmnopqrstuvwxyz'].flatMap((a) => ends.map((end) => a + end));
  const values = Array.from({ length: 5000 }, (_, i) =>
    [i, i * 7, i * 31 + (i >> 3)].map((n) => words[n % words.length]).join(' '),
  );
  return `intents: {Go: {data: [{sentences: ["go {x} {x} {x} now"]}]}}
lists: {x: {values: [${values.join(', ')}]}}
`;
})();

void t.test('what the compiler says, and then the next', async (t) => {
  const thread = new CheckThread(new TestClock());
  t.same(await thread.check(job(right)), { ok: true, sentences: 4, warnings: [] });
  const wrong = right.replace('{room}', '{rooms}').replace('kitchen, hall', '');
  t.match(await thread.check(job(wrong)), { ok: false, faults: [{ line: 2 }], more: 0 });
  t.match(await thread.check(job(right, { phonesMax: 5 })), {
    ok: false,
    faults: [{ message: /5 are allowed|at most 5|phones/ }],
  });
  await t.rejects(thread.check(job(right, { modelPath: '/nowhere' })), { message: /nowhere/ });
  t.match(await thread.check(job(right)), { ok: true }, 'a fault before it does no harm');
});

void t.test('while it is checked the event loop answers; then its time is over', async (t) => {
  const order: string[] = [];
  const server = createServer((_, response) => {
    order.push('answered');
    response.end('well');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const clock = new TestClock();
  const thread = new CheckThread(clock);
  const checked = thread.check(job(endless)).then((found) => {
    order.push('checked');
    return found;
  });
  for (let i = 0; i < 20; i++) await (await fetch(`http://127.0.0.1:${port}/`)).text();
  t.equal(await thread.check(job(right)), null, 'a second one is told to wait');
  await clock.advance(29_999);
  await (await fetch(`http://127.0.0.1:${port}/`)).text();
  t.same(
    order,
    Array.from({ length: 21 }, () => 'answered'),
  );
  await clock.advance(1);
  t.match(await checked, { ok: false, refused: /Not checked: they take longer than 30 s.*lists/ });
  t.match(await thread.check(job(right)), { ok: true }, 'then the next has its turn');
});

void t.test('too much memory, and a daemon that is stopped', async (t) => {
  const small = new CheckThread(new TestClock(), 8);
  t.match(await small.check(job(endless)), { ok: false, refused: /more than 8 MB of memory/ });
  const thread = new CheckThread(new TestClock());
  const checked = thread.check(job(endless));
  await thread.close();
  t.match(await checked, { ok: false, refused: /being stopped/ });
  await thread.close();
});
