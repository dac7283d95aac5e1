/** The line to the broker: dead without a word, a byte at a time, leading elsewhere. And each trouble has its own words. */
import t from 'tap';
import { anyContext, heardNumber } from '../sim/heard.js';
import { LineSim } from '../sim/line-sim.js';
import { until } from '../sim/mic-sim.js';
import { freePort, Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { openPublisher, type Opened } from '../sim/publisher.js';
import { TestClock } from '../sim/test-clock.js';

type Test = Parameters<Parameters<typeof t.test>[0]>[0];

const impatient = { keepaliveMs: 1000, connectTimeoutMs: 1000 };
const waits = (subscriber: Subscriber, look: () => boolean) => subscriber.until(look);
const all = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A broker, a line to it, and somebody who listens beside the line. */
async function stage(t: Test, link = impatient, trickle = {}) {
  const broker = await Mosquitto.open();
  const line = await LineSim.to(broker.port, 'open', trickle);
  const subscriber = await Subscriber.open(broker.url, 'k/#');
  const opened = await openPublisher(t, line.url, { link });
  t.teardown(async () => {
    await subscriber.close();
    await line.close();
    await broker.close();
  });
  const say = async (from: number, to: number) => {
    for (let i = from; i < to; i++) await opened.publisher.heard(heardNumber(i), anyContext());
  };
  const intents = () => [
    ...new Set(subscriber.topics('k/d/intent/Count').map((m) => Number(m.json['seq']))),
  ];
  return { broker, line, subscriber, ...opened, say, intents };
}

const downs = ({ lines }: Pick<Opened, 'lines'>) =>
  lines.filter((l) => l.event === 'mqtt.down').map((l) => String(l['why']));

for (const state of ['hole', 'trickle'] as const)
  void t.test(
    state === 'hole' ? 'half-open: bytes go and none come' : 'one byte a second, both ways',
    async (t) => {
      const s = await stage(t);
      await s.say(0, 5);
      t.ok(await waits(s.subscriber, () => s.intents().length === 5));
      s.line.state = state;
      await s.say(5, 40);
      const said = (why: RegExp) => waits(s.subscriber, () => downs(s).some((d) => why.test(d)));
      t.ok(await said(/Keepalive timeout|no acknowledgement/), 'noticed');
      t.ok(await said(/connack timeout/), 'a new connection is no better, and it goes on trying');
      s.line.cut();
      s.line.open();
      t.ok(await waits(s.subscriber, () => s.intents().length === 40));
      t.same(s.intents(), all(40), 'nothing is lost, the first deliveries are in order');
      t.ok(await waits(s.subscriber, () => s.publisher.stats().queued === 0));
    },
  );

void t.test('slow, and fast enough', async (t) => {
  const patient = { keepaliveMs: 60_000, connectTimeoutMs: 60_000 };
  const s = await stage(t, patient, { everyMs: 1, pieceBytes: 16 });
  await s.say(0, 1);
  t.ok(await waits(s.subscriber, () => s.intents().length === 1));
  s.line.state = 'trickle';
  await s.say(1, 4);
  t.ok(await waits(s.subscriber, () => s.intents().length === 4));
  t.same(s.intents(), all(4));
});

void t.test('the address leads to another broker, which knows nothing of the first', async (t) => {
  const s = await stage(t);
  const other = await Mosquitto.open();
  const beside = await Subscriber.open(other.url, 'k/#');
  t.teardown(async () => {
    await beside.close();
    await other.close();
  });
  await s.say(0, 20);
  t.ok(await waits(s.subscriber, () => s.intents().length === 20));
  s.line.target = other.port;
  await s.broker.kill();
  await s.say(20, 50);
  const there = () => beside.topics('k/d/intent/Count').map((m) => Number(m.json['seq']));
  t.ok(await waits(beside, () => there().includes(49)));
  t.same(
    [...new Set([...s.intents(), ...there()])],
    all(50),
    'one or the other has each, in order',
  );
  t.ok(
    beside.topics('k/d/state').some((m) => m.json['state'] === 'online'),
    'said anew',
  );
  // And back again, with nobody there in between.
  s.line.shut();
  await other.kill();
  await s.say(50, 60);
  await s.broker.start();
  const back = await Subscriber.open(s.broker.url, 'k/#');
  t.teardown(() => back.close());
  s.line.target = s.broker.port;
  s.line.open();
  t.ok(await waits(back, () => back.topics('k/d/intent/Count').some((m) => m.json['seq'] === 59)));
});

void t.test('closing takes three seconds at most, whatever the broker does', async (t) => {
  const clock = new TestClock();
  const broker = await Mosquitto.open();
  const line = await LineSim.to(broker.port);
  t.teardown(async () => {
    await line.close();
    await broker.close();
  });
  const { publisher } = await openPublisher(t, line.url, { clock });
  await until('it is connected', () => publisher.stats().connected);
  line.state = 'hole';
  await publisher.heard(heardNumber(1), anyContext());
  const closed = publisher.close();
  await clock.advance(3000);
  await closed;
  t.equal(publisher.stats().queued, 2, 'what was said is kept');
});

void t.test('each trouble has words of its own, and is tried again for ever', async (t) => {
  const whys = new Map<string, string>();
  /** What the log says of it, at least twice tried. */
  const why = async (
    name: string,
    url: string,
    link: Parameters<typeof openPublisher>[2] = {},
    during: (opened: Opened) => Promise<void> = async () => undefined,
  ) => {
    const opened = await openPublisher(t, url, link);
    await during(opened);
    await until(name, () => downs(opened).length > 0);
    whys.set(name, downs(opened).at(-1) ?? 'nothing');
    await opened.publisher.close(100);
  };
  const passwords = { allow_anonymous: false };
  const strict = await Mosquitto.open({ config: [`allow_anonymous ${passwords.allow_anonymous}`] });
  const open = await Mosquitto.open();
  const shut = await LineSim.to(open.port, 'shut');
  const hole = await LineSim.to(open.port, 'hole');
  const line = await LineSim.to(open.port);
  t.teardown(async () => {
    for (const one of [shut, hole, line]) await one.close();
    for (const one of [strict, open]) await one.close();
  });
  await why('nobody listens', `mqtt://127.0.0.1:${await freePort()}`);
  await why('hangs up', shut.url);
  await why('is silent', hole.url, { link: impatient });
  await why('wrong password', strict.url, {
    link: { username: 'd', secrets: () => ({ password: 'x' }) },
  });
  await why('TLS to a port without', open.url.replace('mqtt:', 'mqtts:'));
  const silent = { link: { keepaliveMs: 1000 } };
  await why('falls silent', line.url, silent, async ({ publisher }) => {
    await until('it is connected', () => publisher.stats().connected);
    line.state = 'hole';
  });
  await why('is killed', open.url, {}, async ({ publisher }) => {
    await until('it is connected', () => publisher.stats().connected);
    await open.kill();
  });
  t.match(Object.fromEntries(whys), {
    'nobody listens': /ECONNREFUSED/,
    'hangs up': /before it answered|ECONNRESET/,
    'is silent': /connack timeout/,
    'wrong password': /Not authorized|Bad (user|User)/,
    'TLS to a port without': /wrong version number|SSL|TLS|before it answered|ECONNRESET|packet/i,
    'falls silent': /Keepalive timeout/,
    'is killed': /the broker closed the connection$|ECONNRESET|ECONNREFUSED/,
  });
  t.comment(JSON.stringify(Object.fromEntries(whys), null, 1));
});
