/** Lines that somebody else can cause: some at once, then few, and none is lost count of. */
import t from 'tap';
import { Seldom } from '../../src/runtime/seldom.js';
import { TestClock } from '../sim/test-clock.js';

void t.test('so many at once, then one each so many ms, the others counted', async (t) => {
  const clock = new TestClock();
  const seldom = new Seldom(clock, 3, 1000);
  const take = (times: number) => Array.from({ length: times }, () => seldom.take());
  t.same(take(5), [0, 0, 0, null, null]);
  await clock.advance(999);
  t.same(take(1), [null]);
  await clock.advance(1);
  t.same(take(2), [3, null], 'with how many were left out before it');
  await clock.advance(60_000);
  t.same(take(4), [1, 0, 0, null], 'never more than at the beginning');
});
