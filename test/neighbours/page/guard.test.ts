/** Who may have the page, and how often. */
import t from 'tap';
import { Allowance } from '../../../src/neighbours/page/allowance.js';
import { cookieName, Guard } from '../../../src/neighbours/page/guard.js';
import { TestClock } from '../../sim/test-clock.js';

const token = 'sixteen-letters-or-more';
const from = (headers: Record<string, string>, address = '10.0.0.5') => ({ headers, address });
const cookieOf = (set: string | undefined) => (set ?? '').split(';')[0] ?? '';

void t.test('so many at once, so many a second, for each address', async (t) => {
  const clock = new TestClock();
  const allowance = new Allowance(clock, 3, 1);
  const taken = (address: string) => [0, 1, 2, 3].map(() => allowance.take(address));
  t.same(taken('a'), [true, true, true, false]);
  t.same(taken('b'), [true, true, true, false], 'another address has its own');
  await clock.advance(2000);
  t.same(taken('a'), [true, true, false, false]);
  for (let i = 0; i < 300; i++) allowance.take(`other-${i}`);
  t.same(taken('a'), [true, true, true, false], 'forgotten, not kept without a limit');
});

void t.test('without a token: names of this machine alone', async (t) => {
  const guard = new Guard(new TestClock(), null);
  for (const host of ['localhost:8080', '127.0.0.1:8080', '127.0.0.2', '[::1]:80', 'LocalHost'])
    t.ok(guard.knowsHost(from({ host })), host);
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.nip.io:8080',
    '10.0.0.1',
    '',
  ])
    t.notOk(guard.knowsHost(from({ host })), host);
  t.notOk(guard.knowsHost(from({})), 'none at all');
  t.equal(guard.admits(from({})), 'yes');
});

void t.test('what another site asks for', async (t) => {
  const guard = new Guard(new TestClock(), null);
  const host = 'localhost:8080';
  t.ok(guard.sameOrigin(from({ host })), 'curl says no origin');
  t.ok(guard.sameOrigin(from({ host, origin: 'http://localhost:8080' })));
  t.ok(guard.sameOrigin(from({ host, 'sec-fetch-site': 'same-origin' })));
  for (const origin of ['http://evil.example', 'http://localhost:9090', 'null', 'http://localhost'])
    t.notOk(guard.sameOrigin(from({ host, origin })), origin);
  for (const site of ['cross-site', 'same-site'])
    t.notOk(guard.sameOrigin(from({ host, 'sec-fetch-site': site })), site);
});

void t.test('a token gives a session, which ends', async (t) => {
  const clock = new TestClock();
  const guard = new Guard(clock, token);
  t.ok(guard.knowsHost(from({ host: 'board.local' })));
  t.equal(guard.admits(from({})), 'no-token');
  t.equal(guard.admits(from({ authorization: `Bearer ${token}` })), 'yes');
  t.equal(guard.admits(from({ authorization: 'Bearer other' })), 'wrong-token');
  const { verdict, cookie } = guard.enter(token, '10.0.0.5');
  t.equal(verdict, 'yes');
  t.match(cookie, /; HttpOnly; SameSite=Strict; Path=\//);
  t.notMatch(cookie, token, 'the session is not the token');
  const mine = { cookie: `other=1; ${cookieOf(cookie)}` };
  t.equal(guard.admits(from(mine)), 'yes');
  await clock.advance(11 * 3600_000);
  t.equal(guard.admits(from(mine)), 'yes', 'used: it goes on');
  await clock.advance(13 * 3600_000);
  t.equal(guard.admits(from(mine)), 'no-token', 'a shift later');
  const again = { cookie: cookieOf(guard.enter(token, '10.0.0.5').cookie) };
  t.match(guard.leave({ headers: again }), /Max-Age=0/);
  t.equal(guard.admits(from(again)), 'no-token', 'left');
  t.equal(guard.admits(from({ cookie: `${cookieName}=` })), 'no-token');
  const all = Array.from({ length: 40 }, () => ({
    cookie: cookieOf(guard.enter(token, 'x').cookie),
  }));
  t.equal(all.filter((one) => guard.admits(from(one)) === 'yes').length, 32, 'no more sessions');
});

void t.test('guessing ends soon, and the right token opens again later', async (t) => {
  const clock = new TestClock();
  const guard = new Guard(clock, token);
  const guess = (address: string) => guard.enter('a wrong one of some length', address).verdict;
  t.same(
    Array.from({ length: 6 }, () => guess('a')),
    [...Array.from({ length: 5 }, () => 'wrong-token'), 'too-many'],
  );
  t.equal(guard.enter(token, 'a').verdict, 'too-many', 'not even compared');
  t.equal(guard.admits(from({ authorization: `Bearer ${token}` }, 'a')), 'too-many');
  t.equal(guard.enter(token, 'b').verdict, 'yes', 'from elsewhere it goes on');
  await clock.advance(20_000);
  t.equal(guard.enter(token, 'a').verdict, 'yes');
  const verdicts = Array.from({ length: 100 }, (_, i) => guess(`address-${i}`));
  t.ok(verdicts.filter((v) => v === 'wrong-token').length <= 30, 'many addresses together, too');
});
