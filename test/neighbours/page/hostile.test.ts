/** The page's port before those who mean harm, or know no better: the daemon hears all the while. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import t from 'tap';
import { sizeOf } from '../../../bench/lib/process-size.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { Streams } from '../../../src/neighbours/page/streams.js';
import { HttpPort } from '../../../src/neighbours/shared/http-port.js';
import { LinesLog } from '../../sim/lines-log.js';
import { until } from '../../sim/mic-sim.js';
import { PageBoard } from '../../sim/page-board.js';
import { crowd, letters, Rude, spoiled } from '../../sim/rude.js';
import { TestClock } from '../../sim/test-clock.js';

const connectionsMax = 48;
/** Far more than they need, far less than they could take. */
const moreMbMax = 120;

type Test = Parameters<Parameters<typeof t.test>[0]>[0];

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
const post = (path: string, body: string | Buffer, said = Buffer.byteLength(body)) =>
  Buffer.concat([
    Buffer.from(
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${said}\r\n\r\n`,
    ),
    Buffer.from(body),
  ]);

void t.test('a daemon with a page', async (t) => {
  const board = await PageBoard.start();
  t.teardown(async () => board.remove());
  const { port, daemon } = board;
  const pid = daemon.child.child.pid ?? 0;
  await board.hears('stop the conveyor', 'ConveyorStop');
  const before = await sizeOf(pid);
  const lines = () => daemon.child.lines.length;

  // A byte a second: of a head, of a body.
  const slow = [
    ...Array.from({ length: 6 }, () => new Rude(port).drip(get('/'))),
    ...Array.from({ length: 6 }, () =>
      new Rude(port, { first: post('/api/sentence', '{', 4000) }).drip('"text": "stop"'),
    ),
  ];

  // Requests with something wrong in them. Each client has an address of its own, for an address has a limit.
  const random = randomFrom(24);
  const good = [
    Buffer.from(get('/')),
    Buffer.from(get('/api/grammar')),
    Buffer.from(get('/api/session?x=%ff%00')),
    post('/api/sentence', '{"text": "stop the conveyor"}'),
    post('/api/mute', '{"mute": false}'),
    Buffer.from(
      'POST /api/sentence HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"tex\r\n9\r\nt": "go"}\r\n0\r\n\r\n',
    ),
    Buffer.from(
      'GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    ),
    Buffer.from('CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n'),
    Buffer.from('GET / HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\r\n'),
  ];
  const answers = new Map<string, number>();
  for (let round = 0; round < 12; round++) {
    const some = Array.from({ length: 15 }, (_, i) => {
      const base = good[(round + i) % good.length] ?? Buffer.alloc(0);
      const first = i % 10 === 9 ? letters(random, 400) : spoiled(random, base);
      return new Rude(port, { first, from: `127.0.1.${1 + ((round * 20 + i) % 200)}` });
    });
    await Promise.all(some.map((one) => one.sent));
    // What came before this one has been read when it is answered.
    const probe = new Rude(port, { first: get('/icon.svg'), from: `127.0.5.${1 + round}` });
    await until('the next is answered', () => probe.got.includes('\r\n\r\n'));
    probe.leave();
    for (const one of some) {
      for (const [, status = ''] of one.got.matchAll(/HTTP\/1\.1 (\d{3})/g))
        answers.set(status, (answers.get(status) ?? 0) + 1);
      one.leave();
    }
  }
  t.ok(
    [...answers.keys()].every((status) => /^[1-4]/.test(status)),
    [...answers.keys()].join(' '),
  );
  t.ok((answers.get('200') ?? 0) > 0 && (answers.get('400') ?? 0) > 0);

  // Bodies that are JSON, and nothing that can be meant.
  const deep = '['.repeat(2000) + ']'.repeat(2000);
  for (const [i, body] of [
    deep,
    `{"text": ${deep}}`,
    '{"__proto__": {"text": "stop"}}',
    '{"text": {"toString": 1}}',
    '{"text": "\\ud800\\udc00\\ud800"}',
    `{"text": "${'\\u0000'.repeat(200)}"}`,
    `{"text": "${'𝔰'.repeat(150)}"}`,
    `{"text": "${'1'.repeat(300)}"}`,
    `{"text": "${'1e9 9:59 €1.05 '.repeat(20)}"}`,
    '{"text": "constructor toString __proto__ hasOwnProperty"}',
  ].entries()) {
    const one = new Rude(port, { first: post('/api/sentence', body), from: `127.0.2.${1 + i}` });
    await until('it is answered', () => one.got.includes('\r\n\r\n') || one.over);
    t.match(one.got, /^HTTP\/1\.1 (200|400|429)/, body.slice(0, 40));
    one.leave();
  }

  // Bodies that never end, given up half-way: no line of the log for each.
  const linesBefore = lines();
  for (let i = 0; i < 100; i++) {
    const half = new Rude(port, {
      first: post('/api/sentence', '{"te', 4000),
      from: `127.0.3.${1 + (i % 200)}`,
    });
    await once(half.socket, 'connect');
    half.leave();
  }
  await board.hears('start the conveyor', 'ConveyorStart');
  t.same(daemon.events('page.failed'), []);
  t.same(daemon.events('neighbour.failed'), []);
  t.ok(lines() - linesBefore < 50, `${lines() - linesBefore} lines`);

  // Answers asked for ahead, and not read: a few at most; and no stream stays behind.
  const ahead = [
    ...crowd(port, 10, () => get('/api/events').repeat(12)),
    ...crowd(port, 10, () => get('/api/grammar').repeat(3000)).map((one) => one.deaf()),
  ];
  await until('most are cut off', () => ahead.slice(0, 10).every(({ over }) => over));
  for (const one of ahead) one.leave();
  for (let i = 0; i < 12; i++) {
    const stream = new Rude(port, { first: get('/api/events'), from: `127.0.4.${1 + i}` });
    await until('it has an answer', () => stream.got.includes('\r\n\r\n'));
    t.match(stream.got, /^HTTP\/1\.1 200/, 'there is room for all streams');
    stream.leave();
  }

  // Bodies as long as they may be, all at once, and far more connections than there are.
  const large = 500 * 1024;
  const long = crowd(port, 40, () => post('/api/grammar/check', 'x'.repeat(large), large + 1));
  const many = crowd(port, 1000, (i) => (i % 2 === 0 ? get('/api/events') : ''));
  await until(
    'the others are refused',
    () => many.filter(({ over }) => over).length >= 1000 - connectionsMax,
  );
  await board.hears('turn on the hall light', 'Light');
  for (const one of [...long, ...many]) one.leave();

  await Promise.all(slow.map((one) => one.closed));
  t.pass('who sends a byte a second is cut off');
  await until('it answers', async () =>
    board.get('/').then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  await board.hears('turn off the kitchen light', 'Light');
  const after = await sizeOf(pid);
  t.ok(after.peakMb - before.peakMb < moreMbMax, `${(after.peakMb - before.peakMb).toFixed(0)} MB`);
  await until('nothing stays open', async () => (await sizeOf(pid)).files <= before.files + 3);
  t.same(daemon.events('page.failed'), []);
});

async function streaming(t: Test) {
  const clock = new TestClock();
  const streams = new Streams(clock);
  const responses: ServerResponse[] = [];
  const server = createServer((_, response) => {
    responses.push(response);
    response.writeHead(200);
    streams.add(response, []);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    streams.close();
    server.closeAllConnections();
    server.close();
  });
  return { clock, streams, responses, port: (server.address() as AddressInfo).port };
}

void t.test('who does not read a stream is cut off by the bytes that wait for him', async (t) => {
  const { streams, responses, port } = await streaming(t);
  const deaf = new Rude(port, { first: get('/') }).deaf();
  const reader = new Rude(port, { first: get('/') });
  await until('both are there', () => responses.length === 2);
  const event = 'x'.repeat(10_000);
  let most = 0;
  let sent = 0;
  await until('one is cut off', async () => {
    for (let i = 0; i < 20; i++) {
      streams.send('utterance', event);
      streams.sendNow('level', { db: -40 });
      sent += event.length;
    }
    most = Math.max(most, ...responses.map((r) => r.writableLength));
    await new Promise((resolve) => setImmediate(resolve));
    return responses.some(({ destroyed }) => destroyed);
  });
  t.equal(responses.filter(({ destroyed }) => destroyed).length, 1, 'the other one stays');
  t.ok(most < 900_000, `at most ${most} bytes waited`);
  t.ok(sent < 50e6);
  t.notOk(reader.over);
  deaf.leave();
  reader.leave();
});

void t.test('who does not read two beats long is cut off, however little waits', async (t) => {
  const { clock, streams, responses, port } = await streaming(t);
  const deaf = new Rude(port, { first: get('/') }).deaf();
  await until('it is there', () => responses.length === 1);
  const [response] = responses;
  while ((response?.writableLength ?? 0) < 1000) {
    streams.sendNow('level', 'x'.repeat(8000));
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let i = 0; i < 4; i++) await clock.advance(10_000);
  t.ok(response?.destroyed);
  await until('there is room', () => !streams.any);
  deaf.leave();
});

void t.test('an answer has a time, also for who reads a byte now and then', async (t) => {
  const clock = new TestClock();
  const lines = new LinesLog();
  const http = new HttpPort(
    { clock, log: lines.log },
    {
      ...{ listen: '127.0.0.1:0', connectionsMax: 4, name: 'page' },
      handle: (request, response) => {
        if (request.url === '/endless') http.endless(response);
        response.end(Buffer.alloc(16e6));
      },
    },
  );
  t.teardown(() => http.close());
  await until('it listens', () => http.address !== null);
  const { port = 0 } = http.address ?? {};
  const reads = (path: string) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(get(path));
    socket.once('readable', () => void socket.read(1));
    return socket;
  };
  const [slow, endless] = [reads('/'), reads('/endless')];
  await Promise.all([once(slow, 'readable'), once(endless, 'readable')]);
  await clock.advance(59_000);
  t.equal(await connections(http), 2);
  await clock.advance(2000);
  await until('it is cut off', async () => (await connections(http)) === 1);
  slow.destroy();
  endless.destroy();
  await until('both have gone', async () => (await connections(http)) === 0);
});

const connections = (http: HttpPort) =>
  new Promise<number>((resolve, reject) => {
    http.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
