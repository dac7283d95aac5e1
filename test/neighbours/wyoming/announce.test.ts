/** The service announced by mDNS: by the records, and over a real socket. */
import { createSocket } from 'node:dgram';
import type { Answer } from 'dns-packet';
import multicastDns from 'multicast-dns';
import t from 'tap';
import { loadConfig } from '../../../src/config/index.js';
import {
  Announcer,
  answersTo,
  ownAddresses,
  recordsOf,
} from '../../../src/neighbours/wyoming/announce.js';
import { LinesLog } from '../../sim/lines-log.js';
import { until } from '../../sim/mic-sim.js';
import { hearsMulticast } from '../../sim/multicast.js';
import { TestClock } from '../../sim/test-clock.js';

const service = '_wyoming._tcp.local';
const name = `kikitori-hall-3.${service}`;

void t.test('one record of each kind, and all taken back at the end', async (t) => {
  const records = recordsOf('hall-3', 10_300, ['10.0.0.7', '10.1.0.7']);
  t.match(records, [
    { name: service, type: 'PTR', data: name },
    { name: '_services._dns-sd._udp.local', type: 'PTR', data: service },
    { name, type: 'SRV', data: { port: 10_300, target: 'kikitori-hall-3.local' } },
    { name, type: 'TXT' },
    { name: 'kikitori-hall-3.local', type: 'A', data: '10.0.0.7' },
    { name: 'kikitori-hall-3.local', type: 'A', data: '10.1.0.7' },
  ]);
  const leaving = recordsOf('hall-3', 10_300, ['10.0.0.7'], true);
  t.same([...new Set(leaving.map((record) => 'ttl' in record && record.ttl))], [0]);
  t.match(
    recordsOf('ä b.c', 1, []),
    [{ data: `kikitori---b-c.${service}` }],
    'a name of one label',
  );
});

void t.test('IPv6 has records of its own, without the zone', async (t) => {
  const records = recordsOf('hall-3', 10_300, ['10.0.0.7', 'fd00::7%eth0']);
  t.match(records.slice(4), [
    { name: 'kikitori-hall-3.local', type: 'A', data: '10.0.0.7' },
    { name: 'kikitori-hall-3.local', type: 'AAAA', data: 'fd00::7' },
  ]);
  const asked = answersTo([{ name: 'kikitori-hall-3.local', type: 'AAAA' }], records);
  t.match(asked.answers, [{ type: 'AAAA', data: 'fd00::7' }]);
  const first = answersTo([{ name: service, type: 'PTR' }], records);
  t.same(
    first.additionals.map(({ type }) => type),
    ['SRV', 'TXT', 'A', 'AAAA'],
  );
});

void t.test('announced is what the service answers at', async (t) => {
  const address = (at: string, internal = false) => ({
    ...{ address: at, internal, netmask: '', mac: '', cidr: null },
    ...(at.includes(':') ? { family: 'IPv6' as const, scopeid: 0 } : { family: 'IPv4' as const }),
  });
  const interfaces = {
    lo: [address('127.0.0.1', true), address('::1', true)],
    eth0: [address('10.0.0.7'), address('10.0.0.8'), address('fe80::7'), address('fd00::7')],
    wlan0: [address('fe80::9')],
    none: undefined,
  };
  const of = (host: string) => ownAddresses(host, interfaces);
  t.same(of('0.0.0.0'), ['10.0.0.7']);
  t.same(of('::'), ['10.0.0.7', 'fd00::7%eth0', 'fe80::9%wlan0']);
  t.same(of('10.0.0.8'), ['10.0.0.8']);
  t.same(of('fd00::7'), ['fd00::7%eth0']);
  t.same(of('203.0.113.1'), []);
});

void t.test('what is asked is answered, with what one asks next', async (t) => {
  const records = recordsOf('hall-3', 10_300, ['10.0.0.7']);
  const types = (list: readonly Answer[]) => list.map(({ type }) => type);
  const asked = (about: string, type: 'PTR' | 'SRV' | 'A' | 'AAAA') =>
    answersTo([{ name: about, type }], records);
  const first = asked('_Wyoming._tcp.LOCAL', 'PTR');
  t.same(types(first.answers), ['PTR']);
  t.same(types(first.additionals), ['SRV', 'TXT', 'A']);
  t.same(types(asked(name, 'SRV').answers), ['SRV']);
  t.same(types(asked('kikitori-hall-3.local', 'A').answers), ['A']);
  t.same(asked('kikitori-hall-3.local', 'AAAA').answers, []);
  t.same(asked('_http._tcp.local', 'PTR'), { answers: [], additionals: [] });
});

const multicast = await hearsMulticast();
const skip = multicast ? false : 'no multicast on this machine';

function stage(addressesNow: () => string[]) {
  const clock = new TestClock();
  const lines = new LinesLog();
  const config = loadConfig(undefined, { KIKITORI_DEVICE_ID: 'hall-3' });
  const ground = { config: () => config, clock, random: () => 0.5, log: lines.log };
  const announcer = new Announcer(ground, { host: '0.0.0.0', port: 10_300 }, addressesNow);
  return { clock, lines, announcer };
}

void t.test('found by who asks, and gone by a goodbye', { skip }, async (t) => {
  const { announcer, lines } = stage(() => ['127.0.0.1']);
  const asker = multicastDns({ interface: '127.0.0.1', bind: '0.0.0.0' });
  t.teardown(() => asker.destroy());
  const answers: Answer[] = [];
  asker.on('response', (response) =>
    answers.push(...response.answers.filter((a) => a.name.endsWith(service))),
  );
  announcer.start();
  await until('it announces itself', () => lines.with('wyoming.announced').length > 0);
  await until('it is found', () => {
    asker.query(service, 'PTR');
    return answers.some(({ type }) => type === 'PTR');
  });
  t.match(
    answers.find(({ type }) => type === 'PTR'),
    { name: service, data: name },
  );
  answers.length = 0;
  await announcer.close();
  await until('goodbye', () => answers.some((a) => 'ttl' in a && a.ttl === 0));
});

void t.test(
  'addresses that come later are announced, and none that cannot be read harms',
  { skip },
  async (t) => {
    let addresses: () => string[] = () => {
      throw new Error('no netlink');
    };
    const { announcer, lines, clock } = stage(() => addresses());
    t.teardown(() => announcer.close());
    announcer.start();
    t.match(lines.with('wyoming.not-announced'), [{ why: /no netlink/ }]);
    await clock.advance(30_000);
    t.equal(lines.with('wyoming.not-announced').length, 1, 'said once');
    addresses = () => ['127.0.0.1'];
    await clock.advance(30_000);
    await until('it announces itself', () => lines.with('wyoming.announced').length > 0);
  },
);

/** An interface on which a socket hears IPv6 multicast. */
const link = await new Promise<string | undefined>((resolve) => {
  const [own] = ownAddresses('::').filter((address) => address.includes('%'));
  if (own === undefined) return resolve(undefined);
  const socket = createSocket({ type: 'udp6', reuseAddr: true });
  socket.on('error', () => resolve(undefined));
  socket.bind(5353, '::', () => {
    try {
      socket.addMembership('ff02::fb', `::%${own.split('%')[1] ?? ''}`);
      resolve(own);
    } catch {
      resolve(undefined);
    }
    socket.close();
  });
});

void t.test(
  'found over IPv6',
  { skip: link === undefined && 'no IPv6 multicast on this machine' },
  async (t) => {
    const own = link ?? '';
    const { announcer, lines } = stage(() => [own]);
    const asker = multicastDns({
      ...{ type: 'udp6', ip: 'ff02::fb', bind: '::' },
      interface: `::%${own.split('%')[1] ?? ''}`,
    });
    t.teardown(() => asker.destroy());
    const answers: Answer[] = [];
    asker.on('response', (response) => answers.push(...response.answers));
    announcer.start();
    await until('it announces itself', () => lines.with('wyoming.announced').length > 0);
    await until('its address is found', () => {
      asker.query('kikitori-hall-3.local', 'AAAA');
      return answers.some(({ type }) => type === 'AAAA');
    });
    t.match(
      answers.find(({ type }) => type === 'AAAA'),
      { name: 'kikitori-hall-3.local', data: own.split('%')[0] },
    );
    await announcer.close();
  },
);
