/** Names of others in topics and payloads: a device id, an intent, a slot, a request. None reaches another topic. */
import mqtt from 'mqtt';
import t from 'tap';
import { loadConfig } from '../../src/config/index.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { intentPayload, topicsOf } from '../../src/publish/index.js';
import { anyContext, heardNumber } from '../sim/heard.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { openPublisher } from '../sim/publisher.js';

/** What means something in a topic, in JSON, in a log or on a terminal, or is no character. */
const odd = [
  ...['/', '+', '#', '$', '\0', '\x01', '\n', '\r', '\t', '\x1b[31m', '\x7f', '\x9b', '"', '\\'],
  ...['\u2028', '\u202e', '\ufeff', '\ufffe', '\ud800', '\udc00', '💥', 'ä', ' ', '..', '%00'],
  ...['{{ 1 }}', '<script>', "'; --", '${x}'],
];
const randomName = (random: () => number) =>
  Array.from({ length: 1 + Math.floor(8 * random()) }, () =>
    random() < 0.4 ? 'a' : (odd[Math.floor(odd.length * random())] ?? 'b'),
  ).join('');

const faultOf = (env: Record<string, string>) => {
  try {
    loadConfig(undefined, env);
    return '';
  } catch (error) {
    return String(error);
  }
};

void t.test('a device id is a name, or the configuration is refused', async (t) => {
  const taken = (name: string, values: readonly string[], key: string) =>
    values
      .filter((value) => !faultOf({ [name]: value }).includes(key))
      .map((v) => JSON.stringify(v));
  const ids = odd.filter((part) => part !== '..').map((part) => `press${part}3`);
  t.same(taken('KIKITORI_DEVICE_ID', ids, 'device.id'), []);
  const bases = ['a/+/b', 'a/#', '$SYS/a', 'a\0', 'a\n', '/a', 'a//b', 'a\x1b'];
  t.same(taken('KIKITORI_PUBLISH_BASE', bases, 'publish.base'), []);
  t.equal(faultOf({ KIKITORI_DEVICE_ID: 'press-3' }), '');
});

void t.test('an intent is one level of plain characters, whatever it is called', async (t) => {
  const random = randomFrom(1);
  const topics = topicsOf('kikitori', 'press-3');
  for (let i = 0; i < 5000; i++) {
    const name = randomName(random);
    const topic = topics.intent(name);
    if (!/^kikitori\/press-3\/intent\/[\w.-]+$/.test(topic)) t.fail(JSON.stringify(name));
    const heard = { ...heardNumber(1), intent: name, slots: { [name]: name } };
    const payload = JSON.parse(
      JSON.stringify(intentPayload(heard, { ...anyContext(), boot: 'b', seq: 0 })),
    ) as {
      intent: string;
      slots: Record<string, string>;
    };
    if (payload.intent !== name) t.fail(`intent ${JSON.stringify(name)}`);
    if (payload.slots[name] !== name) t.fail(`slot ${JSON.stringify(name)}`);
  }
  t.pass();
});

void t.test('through a real broker: odd intents arrive, odd requests do no harm', async (t) => {
  const broker = await Mosquitto.open();
  const all = await Subscriber.open(broker.url);
  t.teardown(async () => {
    await all.close();
    await broker.close();
  });
  const { publisher, lines, said } = await openPublisher(t, broker.url, {
    handlers: { mute: async () => ({ muted: true }) },
  });
  await all.until(() => said('mqtt.up') !== undefined);
  const names = odd.map((part) => `a${part}b`);
  for (const name of names) {
    const slots = { [name]: name };
    await publisher.heard({ ...heardNumber(1), intent: name, slots }, anyContext());
  }
  await all.until(
    () => all.messages.filter((m) => m.topic.startsWith('k/d/intent/')).length >= names.length,
  );
  const intents = all.messages.filter((m) => m.topic.startsWith('k/d/intent/'));
  t.same(
    intents.map(({ json }) => json['intent']),
    // Half a surrogate pair is no text in UTF-8; JSON writes it as an escape.
    names,
  );

  const asker = await mqtt.connectAsync(broker.url);
  t.teardown(() => asker.endAsync(true));
  asker.on('error', () => undefined);
  const root = 'k/d/request/';
  const longest = 'x'.repeat(65_535 - root.length);
  for (const name of [
    longest,
    'x'.repeat(65),
    '',
    ' ',
    'a b',
    'ä',
    '💥',
    '$SYS',
    "'; --",
    '__proto__',
  ])
    await asker.publishAsync(root + name, '{"transaction": 1}', { qos: 1 });
  await asker.publishAsync(`${root}mute`, '{"transaction": "last"}', { qos: 1 });
  await all.find((m) => m.topic === 'k/d/response/mute');
  const answered = all.messages.filter((m) => m.topic.startsWith('k/d/response/'));
  t.same(
    answered.map(({ topic }) => topic),
    ['k/d/response/__proto__', 'k/d/response/mute'],
  );
  t.match(answered[0]?.json, { status: 'error', error: /unknown request/ });
  t.equal(lines.filter(({ event }) => event === 'request.misnamed').length, 9);
  for (const line of lines)
    if (JSON.stringify(line).length > 1000) t.fail('a line of the log is long');
  t.equal(said('mqtt.down'), undefined, 'the connection holds');
});
