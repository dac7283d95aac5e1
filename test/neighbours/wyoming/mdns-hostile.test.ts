/** mDNS's port, which everybody in the network may write to: what is none costs nothing, and no line of the log. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import packet from 'dns-packet';
import multicastDns from 'multicast-dns';
import t from 'tap';
import { loadConfig } from '../../../src/config/index.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';
import { Announcer } from '../../../src/neighbours/wyoming/announce.js';
import { guardDatagrams, isOwnFault } from '../../../src/neighbours/wyoming/datagrams.js';
import { LinesLog } from '../../sim/lines-log.js';
import { until } from '../../sim/mic-sim.js';
import { hearsMulticast } from '../../sim/multicast.js';
import { letters, spoiled } from '../../sim/rude.js';
import { TestClock } from '../../sim/test-clock.js';

const service = '_wyoming._tcp.local';

void t.test('too long, from nowhere, too many a second', (t) => {
  const clock = new TestClock();
  const socket = new EventEmitter();
  const heard: number[] = [];
  socket.on('message', (bytes: Buffer) => heard.push(bytes.length));
  guardDatagrams(socket as Socket, clock);
  const from = (port: number) => ({ address: '10.0.0.9', port }) as RemoteInfo;
  socket.emit('message', Buffer.alloc(9001), from(5353));
  socket.emit('message', Buffer.alloc(10), from(0));
  t.same(heard, []);
  for (let i = 0; i < 1000; i++) socket.emit('message', Buffer.alloc(10), from(5353));
  t.equal(heard.length, 200);
  t.throws(() => guardDatagrams(new EventEmitter() as Socket, clock), /another way/);
  t.end();
});

void t.test('a fault of this machine is told apart from what others send', (t) => {
  const fault = (code: string) => Object.assign(new Error('x'), { code });
  t.ok(isOwnFault(fault('ENETUNREACH')));
  t.notOk(isOwnFault(fault('ERR_OUT_OF_RANGE')));
  t.notOk(isOwnFault(new Error('Cannot decode name (bad pointer)')));
  t.end();
});

const multicast = await hearsMulticast();

void t.test(
  'over a real socket it is found all the while',
  { skip: multicast ? false : 'no multicast on this machine' },
  async (t) => {
    const lines = new LinesLog();
    const clock = new TestClock();
    const config = loadConfig(undefined, { KIKITORI_DEVICE_ID: 'hall-3' });
    const ground = { config: () => config, clock, random: () => 0.5, log: lines.log };
    const at = { host: '0.0.0.0', port: 10_300 };
    const announcer = new Announcer(ground, at, () => ['127.0.0.1']);
    announcer.start();
    const asker = multicastDns({ interface: '127.0.0.1', bind: '0.0.0.0' });
    let found = 0;
    asker.on('response', ({ answers }) => {
      if (answers.some(({ type, name }) => type === 'PTR' && name === service)) found++;
    });
    const rude = createSocket({ type: 'udp4', reuseAddr: true });
    rude.bind(0, '127.0.0.1');
    await once(rude, 'listening');
    rude.setMulticastInterface('127.0.0.1');
    t.teardown(async () => {
      await announcer.close();
      asker.destroy();
      rude.close();
    });
    await until('it announces itself', () => lines.with('wyoming.announced').length > 0);

    const random = randomFrom(28);
    const send = (bytes: Buffer) =>
      new Promise<void>((resolve) => rude.send(bytes, 5353, '224.0.0.251', () => resolve()));
    const question = packet.encode({
      type: 'query',
      questions: [
        { name: service, type: 'PTR' },
        { name: 'kikitori-hall-3.local', type: 'A' },
      ],
    });
    const many = packet.encode({
      type: 'query',
      questions: Array.from({ length: 300 }, () => ({ name: service, type: 'PTR' as const })),
    });
    const loop = Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 12, 0, 1]);
    for (let i = 0; i < 2000; i++) {
      const bytes = [spoiled(random, question), letters(random, 200), many, loop][i % 4];
      await send(bytes ?? Buffer.alloc(0));
      if (i % 100 === 0) await clock.advance(1000);
    }
    const before = found;
    await until('it is found', async () => {
      await clock.advance(1000);
      asker.query(service, 'PTR');
      return found > before;
    });
    t.same(lines.with('wyoming.not-announced'), [], 'not a line');
  },
);
