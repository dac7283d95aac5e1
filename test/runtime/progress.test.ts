import t from 'tap';
import { remaining } from '../../src/runtime/progress.js';

void t.test(
  'nothing for five seconds, then at most a line each five, with the time that is left',
  async (t) => {
    let now = 1000;
    const lines: string[] = [];
    const tell = remaining(
      'measuring',
      (line) => lines.push(line),
      () => now,
    );
    for (let done = 1; done <= 10; done++) {
      now += 2000;
      tell(done, 10);
    }
    t.same(lines, [
      'measuring: 30 %, 14 s left',
      'measuring: 60 %, 8 s left',
      'measuring: 90 %, 2 s left',
    ]);
    now += 1e6;
    tell(10, 10);
    t.equal(lines.length, 3, 'and nothing at the end');
    const slow: string[] = [];
    const say = remaining(
      'slow',
      (line) => slow.push(line),
      () => now,
    );
    now += 60_000;
    say(1, 11);
    t.same(slow, ['slow: 9 %, 10 min left']);
  },
);
