/** Brokers without retained messages or QoS 1: said clearly, and there is a setting to live with them. */
import { BrokerSim, type BrokerSimOptions } from '../sim/broker-sim.js';
import { anyContext, heardNumber } from '../sim/heard.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { openPublisher, type Teardown } from '../sim/publisher.js';
import { scenario, together } from '../sim/together.js';

const intent = 'k/d/intent/Count';

async function mosquitto(t: Teardown, line: string) {
  const broker = await Mosquitto.open({ config: ['allow_anonymous true', line] });
  t.teardown(() => broker.close());
  const subscriber = await Subscriber.open(broker.url, 'k/#');
  t.teardown(() => subscriber.close());
  return { broker, subscriber };
}

async function sim(t: Teardown, options: BrokerSimOptions) {
  const broker = await BrokerSim.open(options);
  t.teardown(() => broker.close());
  return broker;
}

for (const protocolVersion of [4, 5] as const) {
  scenario(
    `no retained messages, MQTT ${protocolVersion}: found out, said, and commands go on`,
    async (t) => {
      const { broker, subscriber } = await mosquitto(t, 'retain_available false');
      const { publisher, said } = await openPublisher(t, broker.url, { link: { protocolVersion } });
      publisher.retain('health', { mic: 'up' });
      await publisher.heard(heardNumber(1), anyContext());
      await subscriber.find((m) => m.topic === intent);
      await subscriber.find((m) => m.topic === 'k/d/health');
      t.match(said('mqtt.no-retain')?.['msg'], /publish\.retain: false/);
      t.same(publisher.stats().lacks, ['no-retain']);
      await publisher.close();
      await subscriber.find((m) => m.topic === 'k/d/state' && m.json['state'] === 'offline');
    },
  );

  scenario(`publish.retain: false, MQTT ${protocolVersion}: at once`, async (t) => {
    const { broker, subscriber } = await mosquitto(t, 'retain_available false');
    const { publisher, lines } = await openPublisher(t, broker.url, {
      link: { protocolVersion, retain: false },
    });
    await publisher.heard(heardNumber(1), anyContext());
    await subscriber.find((m) => m.topic === intent);
    // A busy machine may break a connection; that is no complaint about the broker.
    t.same(
      lines.filter((l) => Number(l['level']) > 30 && l.event !== 'mqtt.down'),
      [],
      'nothing to complain of',
    );
    t.same(publisher.stats().lacks, []);
  });

  scenario(`no QoS 1, MQTT ${protocolVersion}: found out and said; letters wait`, async (t) => {
    const { broker, subscriber } = await mosquitto(t, 'max_qos 0');
    const { publisher, said } = await openPublisher(t, broker.url, { link: { protocolVersion } });
    publisher.retain('health', { mic: 'up' });
    await publisher.heard(heardNumber(1), anyContext());
    await subscriber.find((m) => m.topic === 'k/d/health');
    t.match(said('mqtt.no-qos-1')?.['msg'], /publish\.qos: 0/);
    t.same(publisher.stats().lacks, ['no-qos-1']);
    t.equal(publisher.stats().queued, 2, 'the guarantee is not given up silently');
    t.equal(subscriber.topics(intent).length, 0);
  });

  scenario(`publish.qos: 0, MQTT ${protocolVersion}: commands arrive`, async (t) => {
    const { broker, subscriber } = await mosquitto(t, 'max_qos 0');
    const { publisher, lines } = await openPublisher(t, broker.url, {
      link: { protocolVersion, qos: 0 },
    });
    for (let i = 0; i < 40; i++) await publisher.heard(heardNumber(i), anyContext());
    t.ok(await subscriber.until(() => publisher.stats().queued === 0));
    await subscriber.find((m) => m.topic === intent && m.json['seq'] === 39);
    t.same(
      subscriber.topics(intent).map((m) => m.json['seq']),
      Array.from({ length: 40 }, (_, i) => i),
      'in order',
    );
    t.same(
      lines.filter((l) => Number(l['level']) > 30),
      [],
    );
    await broker.kill();
    await subscriber.until(() => lines.some((l) => l.event === 'mqtt.down'));
    await publisher.heard(heardNumber(40), anyContext());
    t.equal(publisher.stats().queued, 2, 'without a broker they wait');
    await broker.start();
    t.ok(await subscriber.until(() => publisher.stats().queued === 0), 'and go later');
  });

  scenario(
    `QoS 0 and a message that makes the broker hang up, MQTT ${protocolVersion}: set aside too`,
    async (t) => {
      const broker = await sim(t, {
        onPublish: ({ payload }) =>
          payload.toString().includes('"number 2"') ? { hangUp: true } : undefined,
      });
      const { publisher } = await openPublisher(t, broker.url, {
        link: { protocolVersion, qos: 0 },
      });
      for (let i = 1; i < 5; i++) await publisher.heard(heardNumber(i), anyContext());
      t.ok(await broker.until(() => publisher.stats().queued === 0));
      t.same([...new Set(broker.texts(intent))], ['number 1', 'number 3', 'number 4']);
      t.equal(publisher.stats().setAside, 2);
    },
  );
}

scenario('a broker that hangs up on whatever is retained', async (t) => {
  const broker = await sim(t, {
    onPublish: ({ retain }) => (retain ? { hangUp: true } : undefined),
  });
  const { publisher, said } = await openPublisher(t, broker.url);
  publisher.retain('info', { version: '1' });
  publisher.retain('health', { mic: 'up' });
  await publisher.heard(heardNumber(1), anyContext());
  t.ok(await broker.until(() => publisher.stats().queued === 0));
  t.ok(said('mqtt.no-retain'));
  for (const topic of ['k/d/state', 'k/d/info', 'k/d/health'])
    t.ok(await broker.until(() => broker.taken.some((m) => m.topic === topic)), topic);
  t.same(publisher.stats().reduced, {});
  t.equal(publisher.stats().setAside, 0);
});

scenario('a broker that hangs up on every QoS 1: letters are kept, not set aside', async (t) => {
  const broker = await sim(t, {
    onPublish: ({ qos }) => (qos > 0 ? { hangUp: true } : undefined),
  });
  const { publisher, said } = await openPublisher(t, broker.url);
  for (let i = 0; i < 3; i++) await publisher.heard(heardNumber(i), anyContext());
  t.ok(await broker.until(() => broker.offered.some((m) => m.topic === 'k/d/transcript')));
  t.ok(await broker.until(() => broker.connects.length >= 12));
  t.equal(publisher.stats().queued >= 6, true);
  t.equal(publisher.stats().setAside, 0);
  t.notOk(said('outbox.message-set-aside'));
});

for (const protocolVersion of [4, 'auto'] as const) {
  const link = { protocolVersion };
  scenario(`a broker that is only starting, MQTT ${protocolVersion}`, async (t) => {
    const broker = await sim(t, {
      onConnect: (_, times) => (times <= 3 ? { hangUp: true } : undefined),
    });
    const { publisher, said } = await openPublisher(t, broker.url, { link });
    await publisher.heard(heardNumber(1), anyContext());
    t.ok(await broker.until(() => publisher.stats().queued === 0));
    t.match(broker.connects.at(-1), {
      protocolVersion: protocolVersion === 4 ? 4 : 5,
      will: { retain: true, qos: 1 },
    });
    t.notOk(said('mqtt.no-retain'));
    t.notOk(said('mqtt.no-qos-1'));
  });

  scenario(`a port that closes in place of an answer, MQTT ${protocolVersion}`, async (t) => {
    const broker = await sim(t, { onConnect: () => ({ hangUp: true }) });
    const { said } = await openPublisher(t, broker.url, { link });
    t.ok(await broker.until(() => said('mqtt.no-answer') !== undefined));
    t.notOk(said('mqtt.kicked-out'));
  });
}

scenario('no MQTT 5 and no retained messages, neither with a word: both found out', async (t) => {
  const broker = await sim(t, {
    onConnect: ({ protocolVersion, will }) =>
      protocolVersion === 5 || will?.retain === true ? { hangUp: true } : undefined,
  });
  const link = { protocolVersion: 'auto' } as const;
  const { publisher, said } = await openPublisher(t, broker.url, { link });
  await publisher.heard(heardNumber(1), anyContext());
  t.ok(await broker.until(() => publisher.stats().queued === 0));
  t.match(broker.connects.at(-1), { protocolVersion: 4, will: { retain: false, qos: 1 } });
  t.match(said('mqtt.up')?.['mqtt'], '3.1.1');
  t.ok(said('mqtt.no-retain'));
});

scenario('a subscription that makes the broker hang up is left out', async (t) => {
  const broker = await sim(t, { onSubscribe: () => ({ hangUp: true }) });
  const { publisher, said } = await openPublisher(t, broker.url);
  await publisher.heard(heardNumber(1), anyContext());
  t.ok(await broker.until(() => publisher.stats().queued === 0));
  t.match(said('mqtt.subscribe-refused'), { topic: 'k/d/request/+' });
});

together();
