import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Child } from '../sim/process.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Every `event: 'x.y'` in the source, also in `a ? 'x.y' : 'x.z'`. */
function eventsInSource(): string[] {
  const events = new Set<string>();
  for (const name of readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const text = readFileSync(`${root}src/${name}`, 'utf8');
    for (const [, value = ''] of text.matchAll(/\bevent:([^,]+)/g)) {
      for (const [, event = ''] of value.matchAll(/'([a-z]+\.[a-z0-9-]+)'/g)) events.add(event);
      // The only ones that are put together: a state of the microphone.
      if (/`mic\.\$\{state\}`/.test(value))
        for (const state of ['up', 'lost', 'silent']) events.add(`mic.${state}`);
    }
  }
  return [...events].sort();
}

void t.test('docs/operate.md lists every event of the log, and no other', async (t) => {
  const text = readFileSync(`${root}docs/operate.md`, 'utf8');
  const table = text.slice(text.indexOf('## Logs'), text.indexOf('## When something'));
  const listed = [...table.matchAll(/^\| `([a-z]+\.[a-z0-9-]+)` \|/gm)].map(([, event]) => event);
  t.ok(listed.length > 25);
  t.same(listed.sort(), eventsInSource());
});

void t.test('docs/mqtt/README.md lists every event that is published', async (t) => {
  const text = readFileSync(`${root}docs/mqtt/README.md`, 'utf8');
  const table = text.slice(text.indexOf('## Events'), text.indexOf('## Requests'));
  for (const name of readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const source = readFileSync(`${root}src/${name}`, 'utf8');
    for (const [, event = ''] of source.matchAll(/(?:\.event|eventPayload)\(\s*'([a-z-]+)'/g))
      t.ok(table.includes(`\`${event}\``), `${event} (src/${name})`);
  }
});

const program = (call: string, env = '{}') =>
  `import('${root}dist/src/runtime/log.js').then(({ openLog }) => { const log = openLog('trace', ${env}); ${call} });`;

void t.test(
  'a line is written before the call returns: none is lost when the process dies',
  async (t) => {
    const call = `for (let i = 0; i < 500; i++) log.info({ event: 'x.y', i }); process.kill(process.pid, 'SIGKILL');`;
    const child = Child.node(['-e', program(call)]);
    await child.exit();
    t.equal(child.lines.length, 500);
    t.match(JSON.parse(child.lines[499] ?? ''), { level: 30, event: 'x.y', i: 499 });
  },
);

void t.test('under journald each line begins with its priority', async (t) => {
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
  const call = levels.map((level) => `log.${level}({ event: 'a.b' });`).join(' ');
  const child = Child.node(['-e', program(call, "{ JOURNAL_STREAM: '8:1234' }")]);
  await child.exit();
  t.same(
    child.lines.map((line) => line.slice(0, 4)),
    ['<7>{', '<7>{', '<6>{', '<4>{', '<3>{', '<2>{'],
  );
});

void t.test('fields that hold secrets are hidden', async (t) => {
  const call = `log.info({ event: 'a.b', password: 'p1', mqtt: { password: 'p2', key: 'p3', token: 'p4' } });`;
  const child = Child.node(['-e', program(call)]);
  await child.exit();
  t.notMatch(child.lines.join(), /p[1-4]/);
  t.match(child.lines.join(), /\[hidden\]/);
});
