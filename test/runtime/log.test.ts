import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Child } from '../sim/process.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

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
