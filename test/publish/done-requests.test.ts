/** A request with a mark is done once: what comes again is answered from memory, up to stated limits. */
import t from 'tap';
import { onceMax, onceMs } from '../../src/publish/done-requests.js';
import { RequestGate } from '../../src/publish/request-gate.js';
import { RequestDesk } from '../../src/publish/requests.js';
import { TestClock } from '../sim/test-clock.js';

function deskOf() {
  const clock = new TestClock();
  const done: string[] = [];
  const going: (() => void)[] = [];
  const desk = new RequestDesk(
    {
      rollback: async () => ({ times: done.push('rollback') }),
      restart: async () => ({ times: done.push('restart') }),
      fail: async () => {
        throw new Error(`failed ${done.push('fail')}`);
      },
      slow: async () => {
        const times = done.push('slow');
        await new Promise<void>((resolve) => going.push(resolve));
        return { times };
      },
    },
    clock,
  );
  const ask = async (name: string, payload: object, gate?: RequestGate) =>
    desk.answer(name, Buffer.from(JSON.stringify(payload)), gate);
  return { clock, done, going, ask };
}

void t.test('the same mark is answered as before, and nothing is done', async (t) => {
  const { done, ask } = deskOf();
  const first = { status: 'ok', data: { times: 1 } };
  t.same(await ask('rollback', { once: 'a', transaction: 1 }), { ...first, transaction: 1 });
  t.same(await ask('rollback', { once: 'a', transaction: 2 }), { ...first, transaction: 2 });
  t.same(await ask('rollback', { once: 'a' }), first);
  t.same(done, ['rollback']);
  t.match(await ask('rollback', { once: 'b' }), { data: { times: 2 } }, 'another mark');
  t.match(await ask('restart', { once: 'a' }), { data: { times: 3 } }, 'another request');
  t.match(await ask('rollback', {}), { data: { times: 4 } }, 'without a mark each is done');
  t.match(await ask('rollback', {}), { data: { times: 5 } });
});

void t.test('an error is answered again too', async (t) => {
  const { done, ask } = deskOf();
  for (let i = 0; i < 2; i++)
    t.match(await ask('fail', { once: 'a' }), { status: 'error', error: 'failed 1' });
  t.same(done, ['fail']);
});

void t.test('one that is still at work is waited for', async (t) => {
  const { done, going, ask } = deskOf();
  const both = [ask('slow', { once: 'a' }), ask('slow', { once: 'a', transaction: 7 })];
  while (going.length === 0) await new Promise((resolve) => setImmediate(resolve));
  going.forEach((go) => go());
  t.same(await Promise.all(both), [
    { status: 'ok', data: { times: 1 } },
    { status: 'ok', data: { times: 1 }, transaction: 7 },
  ]);
  t.same(done, ['slow']);
});

void t.test('what was let in by nobody is not remembered', async (t) => {
  const { clock, done, ask } = deskOf();
  const shut = new RequestGate(new Set(['restart']), clock);
  t.match(await ask('restart', { once: 'a' }, shut), { status: 'error' });
  t.match(await ask('restart', { once: 'a' }), { status: 'ok' });
  t.match(
    await ask('restart', { once: 'a' }, shut),
    { status: 'error' },
    'nor is a switch passed by',
  );
  t.same(done, ['restart']);
});

void t.test('a flood of copies is let in no more often than others', async (t) => {
  const { clock, done, ask } = deskOf();
  const gate = new RequestGate(new Set(), clock);
  let answered = 0;
  while ((await ask('rollback', { once: 'a' }, gate)).status === 'ok') answered++;
  t.equal(answered, 600, '60 s of 0.1 s each');
  t.same(done, ['rollback']);
});

void t.test('it is forgotten after a while, and the oldest when there are many', async (t) => {
  const { clock, done, ask } = deskOf();
  await ask('rollback', { once: 'a' });
  await clock.advance(onceMs - 1);
  await ask('rollback', { once: 'a' });
  t.equal(done.length, 1, 'known for so long');
  await clock.advance(1);
  await ask('rollback', { once: 'a' });
  t.equal(done.length, 2, 'then done again');
  for (let i = 0; i < onceMax; i++) await ask('rollback', { once: `${i}` });
  t.equal(done.length, 2 + onceMax);
  await ask('rollback', { once: '0' });
  t.equal(done.length, 2 + onceMax, 'the newest are known');
  await ask('rollback', { once: 'a' });
  t.equal(done.length, 3 + onceMax, 'the oldest is not');
});

void t.test('a mark is a short text', async (t) => {
  const { done, ask } = deskOf();
  for (const once of ['', 'x'.repeat(65), 7, null, {}])
    t.match(await ask('rollback', { once, transaction: 3 }), {
      status: 'error',
      error: 'once: expected a text of 1 to 64 characters',
      transaction: 3,
    });
  t.same(done, []);
  t.match(await ask('rollback', { once: 'x'.repeat(64) }), { status: 'ok' });
});
