/** Documents that are made from the code say what the code says. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { pages } from '../scripts/docs/pages.js';
import { broken, promiseFile, promiseNow, type Promised } from '../scripts/docs/promise.js';
import { fill } from '../scripts/docs/regions.js';

const root = fileURLToPath(new URL('..', import.meta.url));

void t.test('every made page is current', async (t) => {
  const made = await pages(root);
  for (const { path, text } of made)
    t.ok((await readFile(join(root, path), 'utf8')) === text, `${path}; if not: npm run docs`);
  const schemas = (await readdir(join(root, 'docs/mqtt'))).filter((name) => name.endsWith('.json'));
  for (const name of schemas)
    t.ok(
      made.some(({ path }) => path === `docs/mqtt/${name}`),
      `${name} has a topic`,
    );
});

void t.test('what is between the marks is replaced, the rest stays', async (t) => {
  const page = 'a\n<!-- made: x -->\nold\n<!-- end of x -->\nb\n';
  const filled = fill('p.md', page, { x: 'new' });
  t.equal(
    filled,
    'a\n<!-- made: x; change the source and run npm run docs -->\n\nnew\n\n<!-- end of x -->\nb\n',
  );
  t.equal(fill('p.md', filled, { x: 'new' }), filled, 'again: nothing changes');
  t.throws(() => fill('p.md', 'a\n<!-- made: y -->\n', { x: '' }), {
    message:
      /p\.md:2: nothing makes "y"\np\.md: expected the line <!-- end of y -->\np\.md: expected the lines <!-- made: x/,
  });
  t.throws(() => fill('p.md', '<!-- end of x -->', {}), { message: /p\.md:1: "x" ends/ });
  t.throws(() => fill('p.md', `${page}${page}`, { x: '' }), {
    message: /p\.md:7: "x" is here twice/,
  });
});

void t.test('what readers were promised is kept', async (t) => {
  const now = promiseNow();
  t.same(broken(now, now), []);
  const change = (part: 'said' | 'asked', name: string, to: object | null): Promised => {
    const { [name]: was, ...rest } = now[part];
    t.ok(was, name);
    return { ...now, [part]: to === null ? rest : { ...rest, [name]: { ...was, ...to } } };
  };
  const breaks = (to: Promised, fault: string) => t.same(broken(now, to), [fault]);
  breaks(change('said', 'health.mic', null), 'health.mic is gone');
  breaks(change('said', 'health.mic', { always: false }), 'health.mic was always there');
  breaks(
    change('said', 'transcript.words[].word', { types: ['number'] }),
    'transcript.words[].word was string, is number',
  );
  breaks(
    change('said', 'response mute.muted', { types: ['boolean', 'null'] }),
    'response mute.muted was boolean, is boolean or null',
  );
  breaks(
    change('asked', 'request mute.mute', { always: true }),
    'request mute.mute could be left out',
  );
  breaks(
    change('asked', 'request update.action', { values: ['check', 'install', 'rollback'] }),
    'request update.action took string or abort or check or install or rollback',
  );
  const topics = { ...now.topics, '<base>/<device>/state': 'from device, QoS 0, retained true' };
  breaks(
    { ...now, topics },
    '<base>/<device>/state: was from device, QoS 1, retained true, is from device, QoS 0, retained true',
  );
  const field = { always: true, types: ['string'] };
  t.same(broken(now, { ...now, said: { ...now.said, 'health.more': field } }), [], 'more is told');
  breaks(
    { ...now, asked: { ...now.asked, 'request mute.why': field } },
    'request mute.why is wanted now and was not there before',
  );
  const more = { ...now, said: { ...now.said, 'health.gone': field } };
  t.throws(() => promiseFile(JSON.stringify(more)), { message: /health\.gone is gone/ });
});
