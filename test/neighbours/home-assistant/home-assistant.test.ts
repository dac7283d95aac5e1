/** Told, told again, and taken away: with a real broker, and somebody who plays Home Assistant's part. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { HomeAssistant } from '../../../src/neighbours/home-assistant/index.js';
import { kinds, type House, type Neighbour } from '../../../src/neighbours/index.js';
import type { PublisherOptions } from '../../../src/publish/index.js';
import { HomeAssistantSim } from '../../sim/home-assistant-sim.js';
import { noJinja } from '../../sim/jinja.js';
import { LinesLog } from '../../sim/lines-log.js';
import { until } from '../../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../../sim/mosquitto.js';
import { openPublisher } from '../../sim/publisher.js';
import { TestClock } from '../../sim/test-clock.js';

type Test = Parameters<Parameters<typeof t.test>[0]>[0];

const topicOf = (prefix = 'homeassistant') => `${prefix}/device/kikitori_d/config`;

async function stage(
  t: Test,
  link: Partial<PublisherOptions['link']> = {},
  config: readonly string[] = [
    'allow_anonymous true',
    'persistence true',
    'persistence_location {folder}/',
  ],
) {
  const broker = await Mosquitto.open({ config });
  const dir = await mkdtemp(join(tmpdir(), 'kikitori-neighbour-'));
  const path = join(dir, 'home-assistant.json');
  const lines = new LinesLog();
  const clock = new TestClock();
  t.teardown(async () => {
    await rm(dir, { recursive: true, force: true });
    await broker.close();
  });
  /** A run of the daemon, with what it needs of it. */
  const run = async (
    settings: { enabled?: boolean; prefix?: string } = {},
    intents: readonly string[] = ['Stop', 'Light'],
  ) => {
    const { publisher } = await openPublisher(t, broker.url, { link, base: 'kikitori' });
    const grammar = { intents };
    const house = {
      config: () => ({
        device: { id: 'd' },
        state: { dir },
        publish: {
          base: 'kikitori',
          requests: {},
          homeAssistant: { enabled: true, prefix: 'homeassistant', ...settings },
        },
      }),
      clock,
      random: () => 0.5,
      log: lines.log,
      grammar: () => grammar,
      languageUpdate: () => null,
      mqtt: { ...publisher.port, topics: publisher.topics, connected: true },
    } as unknown as House;
    const neighbour: Neighbour = await HomeAssistant.open(house);
    return {
      publisher,
      neighbour,
      house,
      sentences: (next: readonly string[]) => {
        grammar.intents = next;
        neighbour.changed?.('info');
      },
      end: async () => {
        await neighbour.close();
        await publisher.close(2000);
      },
    };
  };
  const retained = async (topic: string) => {
    const subscriber = await Subscriber.open(broker.url);
    await subscriber.publish('end', 'of what is retained');
    await subscriber.find((m) => m.topic === 'end');
    await subscriber.close();
    return subscriber.topics(topic)[0]?.text;
  };
  return { broker, dir, path, lines, clock, run, retained };
}

void t.test(
  'told when it begins, again when asked, with its values',
  { skip: noJinja() },
  async (t) => {
    const { broker, clock, run } = await stage(t);
    const home = await HomeAssistantSim.open(broker.url);
    t.teardown(() => home.close());
    const { publisher, neighbour } = await run();
    const figures = { rtf: 0.1, rssMb: 99, latencyMs: 120, queued: 0, dropped: 0 };
    publisher.retain('health', { mic: 'up', muted: true, ...figures });
    await until('it is shown', () => home.state('switch.d_mute') === 'on');
    t.equal(home.shown.length, 21);
    t.equal(home.announcements.length, 1);

    await home.begin();
    await home.begin();
    await until('it is to answer', () => clock.pending > 0);
    await clock.advance(2499);
    t.equal(home.announcements.length, 1, 'not at once: a hall of devices would answer together');
    await clock.advance(1);
    await until('told again', () => home.announcements.length >= 2);
    const values = await Subscriber.open(broker.url, 'kikitori/d/health');
    t.teardown(() => values.close());
    await values.find((m) => m.retained);
    await until('the values are next', () => clock.pending > 0);
    await clock.advance(2000);
    await values.find((m) => !m.retained);
    t.same(home.complaints, []);
    await neighbour.close();
    t.equal(clock.pending, 0, 'nothing is left to be done');
  },
);

void t.test('an old "online" that the broker kept asks for nothing', async (t) => {
  const { broker, clock, run, retained } = await stage(t);
  const subscriber = await Subscriber.open(broker.url, 'none');
  t.teardown(() => subscriber.close());
  await subscriber.publish('homeassistant/status', 'online', true);
  await run();
  await until('it is told', async () => (await retained(topicOf())) !== undefined);
  await subscriber.publish('homeassistant/status', 'offline');
  t.equal(clock.pending, 0);
});

void t.test(
  'an intent that goes is taken away, also by a later run',
  { skip: noJinja() },
  async (t) => {
    const { broker, run, path } = await stage(t);
    const home = await HomeAssistantSim.open(broker.url);
    t.teardown(() => home.close());
    const first = await run();
    await until('both triggers', () => home.shown.includes('"Light" spoken'));
    first.sentences(['Stop', 'Call']);
    await until('another one', () => home.shown.includes('"Call" spoken'));
    t.notOk(home.shown.includes('"Light" spoken'));
    t.match(home.config('event.d_command')?.['event_types'], ['Stop', 'Call']);
    const before = home.announcements.length;
    first.sentences(['Stop', 'Call']);
    await first.end();
    t.equal(home.announcements.length, before, 'the same is not told again');
    t.match(JSON.parse(await readFile(path, 'utf8')), [
      { topic: topicOf(), platforms: { intent_Call: 'device_automation' } },
    ]);

    await run({}, ['Stop']);
    await until('gone', () => !home.shown.includes('"Call" spoken'));
    t.ok(home.shown.includes('"Stop" spoken'));
    t.same(home.complaints, []);
  },
);

void t.test('switched off it is taken away by the next run that has a broker', async (t) => {
  const { broker, run, path, dir, retained, lines } = await stage(t);
  const kind = kinds.find(({ name }) => name === 'home-assistant');
  const enabledOf = ({ house }: { house: House }) => kind?.enabled(house.config());
  const first = await run();
  await until('it is told', async () => (await retained(topicOf())) !== undefined);
  await first.end();

  await broker.stop();
  const second = await run({ enabled: false });
  t.equal(enabledOf(second), true, 'there is something to do');
  await second.end();
  t.ok(existsSync(path), 'no broker has heard of it');

  await broker.start();
  const third = await run({ enabled: false });
  await until('taken away', async () => (await retained(topicOf())) === undefined);
  await until('done', () => !existsSync(path));
  t.equal(enabledOf(third), false, 'from now on it is not even loaded');
  t.equal(lines.with('home-assistant.taken-away').length, 1);

  // Home Assistant complains of an empty message for what it does not know.
  await broker.stop();
  await broker.start();
  const subscriber = await Subscriber.open(broker.url);
  t.teardown(() => subscriber.close());
  await until('it is back', () => third.publisher.stats().connected);
  third.publisher.retain('update', { state: 'idle' });
  await subscriber.find((m) => m.topic === 'kikitori/d/update');
  t.same(subscriber.topics(topicOf()), []);

  // A damaged file: this device is taken away all the same.
  await third.end();
  const fourth = await run();
  await until('it is told again', async () => (await retained(topicOf())) !== undefined);
  await fourth.end();
  await writeFile(join(dir, 'home-assistant.json'), '[{"topic": "kikitori/#", "platforms": {}}]');
  await run({ enabled: false });
  await until('taken away again', async () => (await retained(topicOf())) === undefined);
  await until('done again', () => !existsSync(path));
  t.equal(lines.with('home-assistant.unreadable').length, 1);
});

void t.test('under another prefix it is not left behind at the old one', async (t) => {
  const { run, retained, path } = await stage(t);
  const first = await run();
  await until('it is told', async () => (await retained(topicOf())) !== undefined);
  await first.end();
  await run({ prefix: 'ha/two' });
  await until('at the new one', async () => (await retained(topicOf('ha/two'))) !== undefined);
  await until('not at the old one', async () => (await retained(topicOf())) === undefined);
  await until('and it is known', async () => {
    const told = JSON.parse(await readFile(path, 'utf8')) as { topic: string }[];
    return told.length === 1 && told[0]?.topic === topicOf('ha/two');
  });
});

void t.test('a broker with little room is told less', async (t) => {
  const little = ['allow_anonymous true', 'max_packet_size 14000'];
  const { run, retained } = await stage(t, { protocolVersion: 5 }, little);
  const intents = Array.from({ length: 100 }, (_, i) => `Intent${i}`);
  await run({}, intents);
  await until('it is told', async () => (await retained(topicOf())) !== undefined);
  const told = JSON.parse((await retained(topicOf())) ?? '') as Record<string, unknown>;
  t.match(told, { components: { command: { event_types: ['command'] } } });
});
