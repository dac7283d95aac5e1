/** The list of the log's events is the code's: the compiler refuses what is not in it, this test what nobody writes. */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { logEvents, type LogEventEntry } from '../../src/runtime/log-events.js';

const root = fileURLToPath(new URL('../../src/', import.meta.url));
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('log-events.ts'))
  .map((name) => ({ name, text: readFileSync(root + name, 'utf8') }));
const entries = Object.entries(logEvents as Record<string, LogEventEntry>);

/** Put together at run time: `mic.${state}`, `update.${phase}`. */
const composed =
  /^(mic\.(up|silent|lost|none)|update\.(idle|downloading|verified|trial|committed|rolled-back|rejected|failed))$/;

void t.test('every event of the list is written somewhere', async (t) => {
  t.ok(entries.length > 60);
  for (const [event] of entries) {
    const written = composed.test(event)
      ? `event: \`${event.split('.')[0] ?? ''}.\${`
      : `'${event}'`;
    t.ok(
      sources.some(({ text }) => text.includes(written)),
      event,
    );
  }
});

void t.test('with the level that the list says', async (t) => {
  let seen = 0;
  for (const { name, text } of sources)
    for (const [, level, event = ''] of text.matchAll(
      /\.(debug|info|warn|error|fatal)\(\s*\{\s*event: '([a-z0-9.-]+)'/g,
    )) {
      seen++;
      t.equal(logEvents[event as keyof typeof logEvents].level, level, `${event} (${name})`);
    }
  t.ok(seen > 40);
});

void t.test('whoever should act is told what to do', async (t) => {
  for (const [event, entry] of entries) {
    t.match(entry.meaning, /^[A-Z`h].*\.$/, `${event}: a sentence`);
    if ('todo' in entry) t.match(entry.todo, /^[A-Z`].*[.?]$/, `${event}: a sentence`);
  }
});
