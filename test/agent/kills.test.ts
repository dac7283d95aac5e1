/** Killed at random while it makes transcripts, its broker too: nothing that it accepted is lost. The long run: scripts/kills. */
import t from 'tap';
import { judge, Kills, type Delivery } from '../sim/kills.js';

void t.test('eight kills and three of the broker in 160 transcripts', async (t) => {
  const found = await Kills.run({ seed: 1, transcripts: 160, kills: 8, brokerKills: 3 });
  t.match(found, { kills: 8, brokerKills: 3 });
  t.ok(found.accepted >= 160);
  t.same(found.lost, []);
  t.same(found.outOfOrder, []);
  t.same(found.strange, []);
  t.ok(found.furthestDuplicate <= 64, `a duplicate came ${found.furthestDuplicate} behind`);
  t.comment(JSON.stringify(found));
});

void t.test('the judge sees what is wrong', async (t) => {
  const sent = (id: string, replayed = false, content = id): Delivery[] =>
    ['transcript', 'intent'].map((topic) => {
      const [boot = '', seq = ''] = id.split('-');
      return { topic, id, boot, seq: Number(seq), replayed, content };
    });
  const lives = [['a-0', 'a-1'], ['b-0']];
  const good = [...sent('a-0'), ...sent('a-1'), ...sent('b-0')];
  t.match(judge(lives, good), {
    accepted: 3,
    delivered: 6,
    lost: [],
    outOfOrder: [],
    duplicates: 0,
  });
  t.same(judge(lives, [...sent('a-0'), ...sent('b-0')]).lost, ['transcript a-1', 'intent a-1']);
  t.same(judge(lives, [...sent('a-0'), ...sent('b-0').slice(0, 1), ...sent('a-1')]).lost, [
    'intent b-0',
  ]);
  t.same(judge(lives, [...sent('a-1'), ...sent('a-0'), ...sent('b-0')]).outOfOrder, [
    'transcript a-0',
    'intent a-0',
  ]);
  t.same(judge(lives, [...sent('a-0'), ...sent('b-0'), ...sent('a-1')]).outOfOrder.length, 2);
  t.match(judge(lives, [...good, ...sent('a-1', true)]), {
    duplicates: 2,
    furthestDuplicate: 4,
    strange: [],
  });
  t.same(judge(lives, [...good, ...sent('a-1', true, 'other')]).strange.length, 2);
  t.same(judge(lives, [...good, ...sent('a-1')]).strange.length, 2, 'it must say replayed');
});
