/** One message that a broker does not take must not stand in the way of the others. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BrokerSim, type BrokerSimOptions } from '../sim/broker-sim.js';
import { anyContext, heardNumber } from '../sim/heard.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { openPublisher, type Teardown } from '../sim/publisher.js';
import { faultOf } from '../sim/schemas.js';
import { scenario, together } from '../sim/together.js';

const versions = [4, 5] as const;
const big = (number: number, bytes: number) => ({
  ...heardNumber(number),
  slots: { number, note: 'x'.repeat(bytes) },
});
const intent = 'k/d/intent/Count';

async function sim(t: Teardown, options: BrokerSimOptions) {
  const broker = await BrokerSim.open(options);
  t.teardown(() => broker.close());
  return broker;
}

const numbersIn = (texts: readonly string[]) => texts.map((text) => Number(text.split(' ')[1]));

const setAside = async (dir: string) =>
  (await readFile(join(dir, 'set-aside.log'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

for (const protocolVersion of versions) {
  scenario(
    `mosquitto with max_packet_size, MQTT ${protocolVersion}: what is too large is set aside, all else arrives in order`,
    async (t) => {
      const broker = await Mosquitto.open({
        config: ['allow_anonymous true', 'max_packet_size 2500'],
      });
      t.teardown(() => broker.close());
      const subscriber = await Subscriber.open(broker.url, 'k/#');
      t.teardown(() => subscriber.close());
      const { publisher, dir, said } = await openPublisher(t, broker.url, {
        link: { protocolVersion },
      });
      publisher.retain('info', { config: 'y'.repeat(4000) }, { config: 'short' });
      await subscriber.find((m) => m.topic === 'k/d/state');
      await publisher.heard(heardNumber(1), anyContext());
      await publisher.heard(big(2, 3500), anyContext());
      await publisher.heard(heardNumber(3), anyContext());
      await publisher.heard(big(4, 3500), anyContext());
      await publisher.heard(heardNumber(5), anyContext());
      await subscriber.find((m) => m.topic === intent && m.json['text'] === 'number 5');
      const got = subscriber.topics(intent).map((m) => String(m.json['text']));
      t.same([...new Set(numbersIn(got))], [1, 3, 5], 'the small ones, in order');
      t.same(
        [
          ...new Set(
            numbersIn(subscriber.topics('k/d/transcript').map((m) => String(m.json['text']))),
          ),
        ],
        [1, 2, 3, 4, 5],
        'also the transcripts of the large ones',
      );
      const events = () => subscriber.topics('k/d/event').map((m) => m.json);
      await subscriber.find(
        () => events().filter((e) => e['event'] === 'message-set-aside').length >= 2,
        60_000,
      );
      t.match(
        events().find((e) => e['event'] === 'message-set-aside'),
        {
          topic: intent,
          bytes: Number,
          why:
            protocolVersion === 5 ? /the broker takes 2500/ : /closed the connection|ECONN|EPIPE/,
        },
      );
      t.same((await subscriber.find((m) => m.topic === 'k/d/info')).json, { config: 'short' });
      t.equal(publisher.stats().setAside, 2);
      t.same(publisher.stats().reduced, { info: 'shortened' });
      t.ok(await subscriber.until(() => publisher.stats().queued === 0), 'nothing is left behind');
      const kept = await setAside(dir);
      t.match(kept, [
        { topic: intent, payload: { text: 'number 2' }, why: String, setAsideAt: String },
        { topic: intent, payload: { text: 'number 4' } },
      ]);
      t.ok(said('mqtt.shortened'), 'said of info');
      t.notOk(said('mqtt.kicked-out'), 'no second client is blamed');
      t.same(
        subscriber.messages
          .filter((m) => m.topic !== 'k/d/info')
          .map(faultOf)
          .filter((f) => f !== ''),
        [],
        'as in docs/mqtt',
      );
    },
  );

  scenario(`a retained message alone, MQTT ${protocolVersion}: left out, and said`, async (t) => {
    const broker = await sim(t, {
      onPublish: ({ topic }) => (topic === 'k/d/info' ? { hangUp: true } : undefined),
    });
    const { publisher, said } = await openPublisher(t, broker.url, { link: { protocolVersion } });
    publisher.retain('info', { config: 'y'.repeat(400) }, { config: '' });
    await publisher.heard(heardNumber(1), anyContext());
    t.ok(await broker.until(() => said('mqtt.left-out') !== undefined));
    t.ok(
      await broker.until(() =>
        broker.taken.some(
          ({ topic, json }) => topic === 'k/d/event' && json['event'] === 'message-left-out',
        ),
      ),
      'told in an event',
    );
    t.same(broker.texts(intent), ['number 1']);
    t.same(publisher.stats().reduced, { info: 'left-out' });
    const before = broker.connects.length;
    publisher.retain('info', { config: 'z'.repeat(400) });
    await publisher.heard(heardNumber(2), anyContext());
    t.ok(await broker.until(() => broker.texts(intent).includes('number 2')));
    t.equal(broker.connects.length, before, 'the connection stays');
  });

  scenario(
    `a broker that hangs up on one topic, MQTT ${protocolVersion}: its reason is said, and the other topics go on`,
    async (t) => {
      const broker = await sim(t, {
        onPublish: ({ topic }) =>
          topic === 'k/d/transcript' ? { disconnect: 0x97, words: 'five a day' } : undefined,
      });
      const { publisher, lines, said } = await openPublisher(t, broker.url, {
        link: { protocolVersion },
      });
      for (let i = 0; i < 4; i++) await publisher.heard(heardNumber(i), anyContext());
      t.ok(await broker.until(() => broker.texts(intent).includes('number 3')));
      t.same([...new Set(numbersIn(broker.texts(intent)))], [0, 1, 2, 3], 'the intents, in order');
      t.ok(await broker.until(() => publisher.stats().setAside === 4));
      t.ok(await broker.until(() => publisher.stats().queued === 0));
      t.notOk(said('mqtt.kicked-out'));
      if (protocolVersion === 5)
        t.ok(
          lines.some(
            (l) =>
              l.event === 'mqtt.down' &&
              /Quota exceeded \(0x97\): five a day/.test(String(l['why'])),
          ),
        );
    },
  );
}

scenario('all that MQTT 5 says in CONNACK is kept to', async (t) => {
  const broker = await sim(t, {
    properties: {
      receiveMaximum: 1,
      maximumPacketSize: 2000,
      retainAvailable: false,
      topicAliasMaximum: 5,
      serverKeepAlive: 1,
    },
    acknowledgeAfterMs: 20,
    onPublish: ({ retain, properties, length = 0 }) =>
      retain
        ? { disconnect: 0x9a }
        : length > 2000 || properties?.topicAlias !== undefined
          ? { disconnect: 0x95 }
          : undefined,
  });
  const { publisher, said } = await openPublisher(t, broker.url, { link: { protocolVersion: 5 } });
  publisher.retain('info', { config: 'y'.repeat(4000) });
  publisher.retain('health', { mic: 'up' });
  for (let i = 0; i < 10; i++) await publisher.heard(heardNumber(i), anyContext());
  await publisher.heard({ ...heardNumber(11, false), text: 'x'.repeat(3000) }, anyContext());
  await publisher.heard(big(10, 2500), anyContext());
  t.ok(
    await broker.until(() => publisher.stats().queued === 0 && publisher.stats().setAside === 1),
  );
  t.same(numbersIn(broker.texts(intent)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  t.ok(broker.taken.filter((m) => m.topic === intent).every((m) => m.json['replayed'] === false));
  t.equal(broker.mostUnacknowledged, 1, 'also with retained messages and events');
  t.match(said('mqtt.up'), { maximumPacketBytes: 2000, receiveMaximum: 1 });
  t.ok(said('mqtt.no-retain'));
  t.same(publisher.stats().lacks, ['no-retain']);
  t.same(publisher.stats().reduced, { info: 'left-out' });
  t.ok(broker.taken.some((m) => m.topic === 'k/d/health' && !m.retain));
  t.ok(
    await broker.until(() => broker.pings >= 2),
    "pings as often as the broker's keep-alive wants",
  );
  t.equal(broker.connects.length, 1, 'one connection');
  t.match(broker.connects[0], { clean: true }, 'no session is left with the broker');
});

scenario('a network that breaks sets nothing aside', async (t) => {
  let cuts = 0;
  const broker = await sim(t, {
    onPublish: ({ topic }, self) => {
      // Each line breaks a while after whatever is under way came, acknowledged or not.
      if (topic === intent && cuts < 12) {
        cuts++;
        setTimeout(() => self.breakLines(), 5 * (cuts % 4));
        return cuts % 2 === 0 ? { silent: true } : undefined;
      }
      return undefined;
    },
  });
  const { publisher, said } = await openPublisher(t, broker.url);
  for (let i = 0; i < 30; i++) await publisher.heard(heardNumber(i), anyContext());
  t.ok(await broker.until(() => publisher.stats().queued === 0));
  // As they came: one that is not acknowledged may be overtaken by those behind it in being taken.
  const came = broker.offered.filter((m) => m.topic === intent).map((m) => String(m.json['text']));
  t.same(
    [...new Set(numbersIn(came))],
    Array.from({ length: 30 }, (_, i) => i),
  );
  t.equal(publisher.stats().setAside, 0);
  t.notOk(said('outbox.message-set-aside'));
});

scenario('reasons in PUBACK: what is tried again, and what is set aside', async (t) => {
  const refusals = new Map<string, number>();
  let quota = 3;
  const broker = await sim(t, {
    onPublish: ({ topic, payload }) => {
      const { slots } = JSON.parse(payload.toString()) as { slots?: { number: number } };
      if (topic !== intent || slots === undefined) return undefined;
      const reason = [0, 0x87, 0x97, 0x99, 0x10][slots.number] ?? 0;
      if (reason === 0x97 && quota-- <= 0) return undefined;
      const name = reason.toString(16);
      refusals.set(name, (refusals.get(name) ?? 0) + 1);
      return { reason };
    },
  });
  const { publisher, dir, said } = await openPublisher(t, broker.url, {
    link: { protocolVersion: 5 },
  });
  for (let i = 0; i < 6; i++) await publisher.heard(heardNumber(i), anyContext());
  t.ok(await broker.until(() => (refusals.get('97') ?? 0) === 3 && publisher.stats().queued === 1));
  t.same(
    numbersIn(broker.texts(intent)).sort(),
    [0, 2, 4, 5],
    'no quota (0x97): again until there is; no subscriber (0x10): taken',
  );
  t.ok((refusals.get('87') ?? 0) >= 3, 'not authorised (0x87): again, until its age limit');
  t.equal(refusals.get('99'), 1, 'payload format invalid (0x99): once');
  t.match(await setAside(dir), [{ payload: { text: 'number 3' }, why: /Payload format invalid/ }]);
  t.match(said('mqtt.publish-refused'), { why: /Not authorized \(0x87\)/ });
  t.equal(broker.connects.length, 1);
});

together();
