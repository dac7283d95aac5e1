/** Packets of MQTT, whatever the network cuts them into: whole ones go on as they are, a message too long without its end. */
import mqtt from 'mqtt';
import mqttPacket from 'mqtt-packet';
import t from 'tap';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { Inbound, packetBytesMax } from '../../src/publish/inbound.js';
import { Link } from '../../src/publish/link.js';
import { systemClock } from '../../src/runtime/clock.js';
import { until } from '../sim/mic-sim.js';
import { Mosquitto } from '../sim/mosquitto.js';

const bytesMax = 200;
const message = (id: number, bytes: number) =>
  mqttPacket.generate({
    ...{ cmd: 'publish', topic: `t/${id}`, payload: Buffer.alloc(bytes, id), qos: 1 },
    ...{ messageId: id, dup: false, retain: false },
  });
const ping = mqttPacket.generate({ cmd: 'pingresp' });

/** What mqtt.js makes of it. */
function read(bytes: Buffer) {
  const parser = mqttPacket.parser();
  const packets: mqttPacket.Packet[] = [];
  parser.on('packet', (packet) => packets.push(packet));
  parser.parse(bytes);
  return packets;
}

function cut(random: () => number, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + Math.floor(random() * (random() < 0.5 ? 3 : 300));
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

void t.test('every message comes, in order; of a long one the beginning', async (t) => {
  const random = randomFrom(3);
  for (let round = 0; round < 300; round++) {
    const sizes = Array.from({ length: 8 }, () => Math.floor(random() ** 3 * 1000));
    const sent = Buffer.concat(
      sizes.flatMap((size, i) => [message(i + 1, size), ...(random() < 0.3 ? [ping] : [])]),
    );
    const inbound = new Inbound(bytesMax);
    const out = Buffer.concat(cut(random, sent).map((piece) => inbound.feed(piece)));
    const [whole, got] = [read(sent), read(out)];
    t.equal(got.length, whole.length);
    for (const [i, packet] of got.entries()) {
      const wanted = whole[i];
      if (packet.cmd !== 'publish' || wanted?.cmd !== 'publish') {
        t.equal(packet.cmd, wanted?.cmd);
        continue;
      }
      t.equal(packet.messageId, wanted.messageId);
      t.equal(packet.topic, wanted.topic);
      const [payload, all] = [packet.payload as Buffer, wanted.payload as Buffer];
      t.same(payload, all.subarray(0, payload.length));
      const fits = message(packet.messageId ?? 0, all.length).length <= bytesMax;
      t.equal(payload.length < all.length, !fits);
      t.ok(message(packet.messageId ?? 0, payload.length).length <= bytesMax);
    }
  }
});

void t.test('small packets go on in the bytes that came', async (t) => {
  const sent = Buffer.concat([message(1, 10), ping, message(2, 20)]);
  t.same(new Inbound(bytesMax).feed(sent), sent);
});

void t.test('what is no message and too long, and what has no length', async (t) => {
  t.throws(() => new Inbound(bytesMax).feed(Buffer.from([0x90, 0xff, 0x7f])), /no message/);
  const none = Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
  t.same(new Inbound(bytesMax).feed(none), none, 'left to mqtt.js, which refuses it');
});

for (const version of [4, 5] as const)
  void t.test(`MQTT ${version}: with a real broker`, async (t) => {
    const broker = await Mosquitto.open();
    const other = await mqtt.connectAsync(broker.url);
    const got: [string, number][] = [];
    const downs: string[] = [];
    const link = new Link({
      ...{ url: broker.url, protocolVersion: version, clientId: 'board', secrets: () => ({}) },
      ...{ rejectUnauthorized: true, keepaliveMs: 30_000, connectTimeoutMs: 15_000 },
      will: { topic: 'will', payload: 'gone' },
      subscribe: 'to/board',
      ...{ clock: systemClock, random: Math.random },
      onUp: () => undefined,
      onDown: (why) => downs.push(why),
      onSubscribeRefused: (why) => downs.push(why),
      onMessage: (topic, payload) => got.push([topic, payload.length]),
    });
    t.teardown(async () => {
      await link.close(1000);
      await other.endAsync(true);
      await broker.close();
    });
    // There already when it subscribes, as after every start.
    await other.publishAsync('to/board', Buffer.alloc(3e6), { retain: true, qos: 1 });
    link.open();
    await until('it is connected', () => link.connected);
    if (version === 4) await until('the beginning has come', () => got.length === 1);
    for (let i = 0; i < 30; i++)
      await other.publishAsync('to/board', Buffer.alloc(i % 2 === 0 ? 1e6 : 500), { qos: 1 });
    const small = () => got.filter(([, bytes]) => bytes === 500).length;
    await until('the small ones have come', () => small() === 15);
    const long = got.filter(([, bytes]) => bytes !== 500);
    t.equal(long.length, version === 4 ? 16 : 0, 'in version 5 the broker keeps them');
    t.ok(long.every(([, bytes]) => bytes <= packetBytesMax && bytes > packetBytesMax - 100));
    t.same(downs, [], 'the connection stays');
  });
