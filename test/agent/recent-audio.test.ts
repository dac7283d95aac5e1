import t from 'tap';
import { RecentAudio } from '../../src/agent/recent-audio.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';

void t.test('the last samples come back, as from a list that forgets', async (t) => {
  const random = randomFrom(7);
  const below = (n: number) => Math.floor(random() * n);
  for (let round = 0; round < 50; round++) {
    const most = 1 + below(40);
    const recent = new RecentAudio(most);
    let listed: number[] = [];
    let end = below(100);
    for (let i = 0; i < 30; i++) {
      if (below(10) === 0) {
        // Some audio is missing.
        end += 1 + below(5);
        listed = [];
      }
      if (below(15) === 0) {
        recent.clear();
        listed = [];
      }
      const samples = Float32Array.from({ length: below(60) }, () => random());
      recent.add({ samples, firstSample: end });
      end += samples.length;
      listed = [...listed, ...samples].slice(-most);
      const first = end - listed.length;
      t.equal(recent.firstSample, first);
      const from = first + below(listed.length + 3) - 1;
      t.same([...recent.from(from)], listed.slice(Math.max(0, from - first)));
    }
  }
});
