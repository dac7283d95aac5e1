import t from 'tap';
import { parseChannelFile } from '../../src/update/channel.js';
import { cohortOf, eligibility } from '../../src/update/eligibility.js';

const rollout = (
  percent: number,
  groups: string[] = [],
  state: 'running' | 'paused' = 'running',
) => ({
  deployment: 'd1',
  rollout: { percent, groups, state },
});
const devices = Array.from({ length: 10_000 }, (_, i) => `board-${i}`);

void t.test('a percentage takes about that share, widening only adds', async (t) => {
  const inAt = (percent: number) =>
    new Set(devices.filter((id) => eligibility({ id, groups: [] }, rollout(percent)).eligible));
  const five = inAt(5);
  const twenty = inAt(20);
  t.ok(five.size > 400 && five.size < 600, `5 %: ${five.size} of 10,000`);
  t.ok([...five].every((id) => twenty.has(id)));
  t.equal(inAt(0).size, 0);
  t.equal(inAt(100).size, devices.length);
});

void t.test('another roll-out has other first devices', async (t) => {
  const first = (d: string) => new Set(devices.filter((id) => cohortOf(id, d) < 500));
  const [one, two] = [first('d1'), first('d2')];
  const both = [...one].filter((id) => two.has(id));
  t.ok(both.length < 80, `${both.length} in both`);
});

void t.test('groups are in whatever the percentage, but not when paused', async (t) => {
  const device = { id: 'x', groups: ['pilot'] };
  t.same(eligibility(device, rollout(0, ['pilot'])), { eligible: true, because: 'group' });
  t.same(eligibility(device, rollout(0, ['other'])), { eligible: false, reason: 'not-in-rollout' });
  t.same(eligibility(device, rollout(100, ['pilot'], 'paused')), {
    eligible: false,
    reason: 'paused',
  });
});

void t.test('a channel file: every fault at once, with its field', async (t) => {
  const good = {
    format: 1,
    channel: 'stable',
    deployment: 'd-1',
    bundle: {
      path: 'bundles/a.tar',
      name: 'kikitori-en',
      version: '1.2.3',
      sha256: 'a'.repeat(64),
      bytes: 1000,
      minAgent: '0.1.0',
    },
    rollout: { percent: 5, groups: [], state: 'running' },
    downgrade: false,
    publishedAt: '2026-11-24T20:00:00Z',
  };
  t.same(parseChannelFile(JSON.stringify(good), 'x'), good);
  const bad = (change: object) => () =>
    parseChannelFile(JSON.stringify({ ...good, ...change }), 'x');
  t.throws(bad({ format: 2 }), { message: /format is 2.*update kikitori/ });
  t.throws(bad({ rollout: { percent: 101, groups: 'a', state: 'on' } }), {
    message: /3 fault.*rollout.percent: 101.*rollout.groups.*rollout.state/,
  });
  for (const path of ['/etc/passwd', '../a', 'a/../b', 'a//b', '']) {
    t.throws(bad({ bundle: { ...good.bundle, path } }), { message: /bundle.path/ }, path);
  }
  t.throws(bad({ deployment: '../x' }), { message: /deployment/ });
  t.throws(() => parseChannelFile('{', 'x'), { message: /not JSON/ });
});
