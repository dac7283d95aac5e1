import t from 'tap';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { RecentRows } from '../../src/recognizer/recent-rows.js';

void t.test('the last rows come back, as from a list that forgets', async (t) => {
  const random = randomFrom(7);
  const below = (n: number) => Math.floor(random() * n);
  for (let round = 0; round < 50; round++) {
    const dim = 1 + below(4);
    const recent = new RecentRows(dim);
    let listed: number[][] = [];
    let most = below(12);
    for (let i = 0; i < 80; i++) {
      if (below(20) === 0) {
        recent.clear();
        listed = [];
      }
      // Another pre-roll.
      if (below(20) === 0) most = below(12);
      if (below(15) === 0) {
        const rows = below(most + 2);
        recent.keepLast(rows);
        listed = rows === 0 ? [] : listed.slice(-rows);
      }
      const row = Float32Array.from({ length: dim }, () => random());
      recent.add(row, most);
      listed = most === 0 ? [] : [...listed, [...row]].slice(-most);
      t.equal(recent.length, listed.length);
      t.same([...recent.rows()], listed.flat());
    }
  }
});
