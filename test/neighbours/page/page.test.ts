/** The page over HTTP, of the daemon as it ships: who may have it, what it answers, what it must bear. */
import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { program } from '../../sim/daemon.js';
import { until } from '../../sim/mic-sim.js';
import { follow, PageBoard } from '../../sim/page-board.js';

const token = 'a-token-for-this-test-alone';
const bearer = { authorization: `Bearer ${token}` };

/** With a Host of its own, which fetch does not allow. */
async function asHost(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: '/api/session', headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}

void t.test('on this machine alone, without a token', async (t) => {
  const board = await PageBoard.start();
  t.teardown(async () => board.remove());

  const index = await board.get('/');
  t.equal(index.status, 200);
  t.match(
    index.headers.get('content-security-policy'),
    /default-src 'self'.*frame-ancestors 'none'/,
  );
  t.equal(index.headers.get('x-content-type-options'), 'nosniff');
  const html = await index.text();
  t.notMatch(
    html,
    /<script(?![^>]*src=)|\son\w+=|style=|https?:/,
    'nothing inline, nothing from elsewhere',
  );
  for (const [, path = ''] of html.matchAll(/(?:src|href)="([^"]+)"/g))
    t.equal((await board.get(path)).status, 200, path);
  for (const path of ['/lit/lit-html.js', '/lit/directives/repeat.js', '/live.js'])
    t.match((await board.get(path)).headers.get('content-type'), 'text/javascript', path);
  for (const path of ['/../package.json', '/%2e%2e/package.json', '/lit/', '/api/', '/api/none'])
    t.equal((await board.get(path)).status, 404, path);

  t.same(await (await board.get('/api/session')).json(), { open: true, needsToken: false });
  t.equal(await asHost(board.port, `localhost:${board.port}`), 200);
  t.equal(await asHost(board.port, 'evil.example'), 421, 'a name that was led to this machine');
  const foreign = await board.post('/api/mute', {}, { origin: 'http://evil.example' });
  t.equal(foreign.status, 403);
  const plain = await board.post('/api/mute', {}, { 'content-type': 'text/plain' });
  t.equal(plain.status, 415, 'what a form of another site may send');
  t.equal((await board.get('/api/mute')).status, 405);

  // What is heard, live.
  const stream = await board.get('/api/events');
  t.match(stream.headers.get('content-type'), 'text/event-stream');
  await board.say('turn on the hall light');
  const events = await follow(stream, ({ name }) => name === 'utterance');
  t.same(
    events.slice(0, 2).map(({ name }) => name),
    ['state', 'utterances'],
  );
  const state = events[0]?.data ?? {};
  t.match(state, { device: 'board', mode: 'always', sentences: 10, health: { mic: 'up' } });
  t.notMatch(JSON.stringify(state), /config|mqtt:|\/tmp/, 'no configuration, no path');
  t.ok(events.some(({ name, data }) => name === 'level' && Number(data['db']) > -30));
  t.ok(
    events.some(({ name, data }) => name === 'partial' && String(data['text']).includes('turn')),
  );
  t.match(events.at(-1)?.data, {
    ...{ accepted: true, text: 'turn on the hall light', intent: 'Light' },
    ...{ slots: { state: 'on', room: 'hall' }, verdict: /Accepted, \d+ % sure/ },
  });

  t.match((await board.post('/api/selftest', {})).data, { status: 'ok', data: { wanted: String } });
  t.match((await board.post('/api/mute', { mute: true })).data, { data: { muted: true } });
  t.match((await board.post('/api/mute', { mute: false })).data, { data: { muted: false } });
  t.equal((await board.post('/api/restart', {})).status, 404, 'no request without a button');
  t.match((await board.post('/api/sentence', { text: 'stop the conveyor' })).data, {
    ...{ allowed: true, intent: 'ConveyorStop', alike: [{ words: ['stop', 'start'] }] },
  });

  // What is none.
  for (const [body, status] of [
    ['{', 400],
    ['[]', 400],
    ['null', 400],
    ['{"text": 5}', 400],
    ['{"text": " "}', 400],
    [JSON.stringify({ text: 'a'.repeat(301) }), 400],
    [JSON.stringify({ text: 'a'.repeat(10_000) }), 413],
  ] as const)
    t.equal((await board.post('/api/sentence', body)).status, status, body.slice(0, 30));
  await board.hears('stop the conveyor', 'ConveyorStop');
});

void t.test('the sentences: saved only when they are right', async (t) => {
  const board = await PageBoard.start();
  t.teardown(async () => board.remove());
  const path = board.daemon.grammarPath;
  const read = async () =>
    (await (await board.get('/api/grammar')).json()) as {
      text: string;
      sha256: string;
      readOnly?: string;
    };
  const { text, sha256: before, readOnly } = await read();
  t.equal(text, await readFile(path, 'utf8'));
  t.equal(readOnly, undefined);
  const wrong = text.replace('stop [the]', 'stop [the').replace('{room}', '{rooms}');
  const faults = (await board.post('/api/grammar/check', { text: wrong })).data;
  t.match(faults, { ok: false, faults: [{ line: 3 }, { line: 7 }] }, 'all of them, at their lines');
  t.match((await board.post('/api/grammar/save', { text: wrong, before })).data, { ok: false });
  t.equal(await readFile(path, 'utf8'), text, 'nothing was saved');
  const good = text.replace('stop [the]', '(stop|slow) [the]');
  t.match((await board.post('/api/grammar/check', { text: good })).data, {
    ok: true,
    sentences: 12,
  });
  t.equal(await readFile(path, 'utf8'), text, 'checking saves nothing');
  t.match((await board.post('/api/grammar/save', { text: good, before })).data, { ok: true });
  t.equal(await readFile(path, 'utf8'), good);
  t.equal(await readFile(`${path}.before`, 'utf8'), text, 'the old one is beside it');
  await board.hears('slow the conveyor', 'ConveyorStop');
  const late = await board.post('/api/grammar/save', { text, before });
  t.match(late.data, { ok: false, refused: /has changed/ }, 'what somebody else wrote is kept');
  t.equal(await readFile(path, 'utf8'), good);
  const large = { text: 'x'.repeat(300 * 1024), before };
  t.equal((await board.post('/api/grammar/save', large)).status, 400);
});

void t.test('another address wants a token', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-page-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  const started = async (page: Record<string, string>) => {
    const path = join(folder, 'config.json');
    await writeFile(path, JSON.stringify({ page, state: { dir: folder } }));
    const { status, stderr } = spawnSync(process.execPath, [program, 'run', '--config', path], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    return { status, stderr };
  };
  const open = await started({ listen: '0.0.0.0:8080' });
  t.equal(open.status, 2);
  t.match(open.stderr, /page\.listen.*other machines reach.*page\.tokenFile/);
  await writeFile(join(folder, 'short'), 'secret\n');
  const short = await started({ listen: '127.0.0.1:0', tokenFile: 'short' });
  t.equal(short.status, 2);
  t.match(short.stderr, /page\.tokenFile.*16 to 512 characters/);
  t.notMatch(short.stderr, /secret\b(?! )/, 'the token is not shown');
  const none = await started({ listen: '127.0.0.1:0', tokenFile: 'nowhere' });
  t.equal(none.status, 2);
  t.match(none.stderr, /page\.tokenFile.*no such secret/);
});

void t.test('with a token, and what a port must bear', async (t) => {
  const board = await PageBoard.start({ token });
  t.teardown(async () => board.remove());
  for (const path of ['/api/events', '/api/grammar'])
    t.equal((await board.get(path)).status, 401, path);
  t.equal((await board.post('/api/mute', {})).status, 401);
  t.equal((await board.get('/')).status, 200, 'the form to type it into');
  t.equal((await board.get('/api/grammar', bearer)).status, 200);
  const entered = await board.post('/api/session', { token });
  const set = entered.headers.get('set-cookie') ?? '';
  t.match(set, /HttpOnly; SameSite=Strict/);
  const cookie = { cookie: set.split(';')[0] ?? '' };
  t.equal((await board.get('/api/grammar', cookie)).status, 200);
  t.notMatch(board.daemon.child.lines.join('\n'), token, 'in no log');

  // Streams have a limit, and one that is left makes room.
  const streams: AbortController[] = [];
  const stream = async () => {
    const abort = new AbortController();
    streams.push(abort);
    return fetch(new URL('/api/events', board.url), { headers: cookie, signal: abort.signal });
  };
  for (let i = 0; i < 12; i++) t.equal((await stream()).status, 200);
  t.equal((await stream()).status, 503, 'one too many');
  for (const abort of streams) abort.abort();
  await until('there is room again', async () => (await stream()).status === 200);
  for (const abort of streams) abort.abort();

  // Readers that do not read, garbage, halves, and far more than there is room for.
  const sockets = Array.from({ length: 1000 }, (_, i) => {
    const socket = connect(board.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const first = [
      `GET /api/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`,
      '\0\xff garbage\r\n\r\n',
      `GET /${'a'.repeat(20_000)}`,
      'POST /api/sentence HTTP/1.1\r\nhost: x\r\ncontent-length: 4000\r\n\r\n{',
    ][i % 4];
    socket.write(first ?? '');
    if (i % 4 === 0) socket.pause();
    return socket;
  });
  await board.hears('turn off the kitchen light', 'Light');
  t.pass('it goes on hearing');
  for (const socket of sockets) socket.destroy();
  const answers = async () =>
    board.get('/api/grammar', cookie).then(
      ({ status }) => status === 200,
      () => false,
    );
  await until('it answers again', answers);

  // Guessing.
  const guess = async (i: number) =>
    (await board.post('/api/session', { token: `wrong-${i}-wrong-wrong` })).status;
  const guesses = await Promise.all(Array.from({ length: 20 }, (_, i) => guess(i)));
  t.ok(guesses.filter((status) => status === 401).length >= 5);
  t.ok(guesses.includes(429), 'then it is enough');
  t.ok(await answers(), 'who is inside stays inside');
  let refused = false;
  await Promise.all(
    Array.from({ length: 40 }, async () => {
      for (let i = 0; i < 100 && !refused; i++)
        refused ||= await board.get('/icon.svg').then(
          ({ status }) => status === 429,
          () => false,
        );
    }),
  );
  t.ok(refused, 'requests have a limit');
  await board.hears('call the supervisor', 'CallSupervisor');
});

void t.test('a file that may not be written is said so', async (t) => {
  const { readGrammar } = await import('../../../src/neighbours/page/grammar-file.js');
  const { defaultGrammarPath } = await import('../../../src/runtime/paths.js');
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-page-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  t.match(await readGrammar(folder), { text: null, readOnly: /is a folder/ });
  t.match(await readGrammar(join(folder, 'none.yaml')), { text: null, readOnly: /no such file/ });
  t.match(await readGrammar(defaultGrammarPath), { readOnly: /the example sentences/ });
  const large = join(folder, 'large.yaml');
  await writeFile(large, '#'.repeat(300 * 1024));
  t.match(await readGrammar(large), { text: null, readOnly: /300 kB/ });
  const latin = join(folder, 'latin.yaml');
  await writeFile(latin, Buffer.from([0x61, 0xe9]));
  t.match(await readGrammar(latin), { text: null, readOnly: /UTF-8/ });
  if (process.getuid?.() === 0) return void t.pass('root may write everywhere');
  const path = join(folder, 'sentences.yaml');
  await writeFile(path, 'intents: {}\n');
  await chmod(path, 0o444);
  t.match(await readGrammar(path), { readOnly: /may not be written by the daemon/ });
});
