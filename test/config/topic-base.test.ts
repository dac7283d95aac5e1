/** publish.base: one level or several, wherever topics are built or read. */
import t from 'tap';
import { loadConfig, topicPath } from '../../src/config/index.js';
import { FleetView } from '../../src/fleet/watch/view.js';
import { topicsOf } from '../../src/publish/payloads.js';

const base = 'site/hall-3/kikitori';

void t.test('several levels are taken, what is no beginning of topics is refused', async (t) => {
  t.equal(loadConfig(undefined, { KIKITORI_PUBLISH_BASE: base }).publish.base, base);
  for (const good of ['k', 'a/b', 'Werk Süd/Halle 3', 'a$/b', 'a.b_c-d']) topicPath.validate(good);
  for (const bad of [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '+',
    'a/#',
    'a+b',
    '$SYS',
    '$share/a',
    'a/ ',
    'a\u0000b',
    'ä'.repeat(101),
    7,
  ])
    t.throws(() => topicPath.validate(bad), /levels with \//, JSON.stringify(bad));
});

void t.test('topics are built and read with it', async (t) => {
  const topics = topicsOf(base, 'press-3');
  t.equal(topics.state, 'site/hall-3/kikitori/press-3/state');
  t.equal(topics.intent('Stop'), 'site/hall-3/kikitori/press-3/intent/Stop');
  const view = new FleetView(base);
  const state = Buffer.from('{"state":"online"}');
  t.match(view.apply(topics.state, state, true, 0), { device: 'press-3', online: true });
  t.equal(view.apply('site/hall-3/other/press-3/state', state, true, 0), undefined);
  const lacks = Buffer.from('{"setAside":2,"brokerLacks":["no-retain"]}');
  t.match(view.apply(topics.health, lacks, true, 0), {
    health: { setAside: 2, brokerLacks: 'no-retain' },
  });
});
