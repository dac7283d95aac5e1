/** Whoever may publish at the broker: too long, too many, and what is none, for all that a board listens to. */
import mqtt from 'mqtt';
import t from 'tap';
import { sizeOf } from '../../bench/lib/process-size.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { encodePayload } from '../../src/neighbours/sparkplug/payload.js';
import { Daemon } from '../sim/daemon.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { letters, spoiled } from '../sim/rude.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const moreMbMax = 100;
const longBytes = 24e6;
const grammar = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor"]}]}
  Light: {data: [{sentences: ["turn (on|off) the (kitchen|hall) light"]}]}
`;
const lexicon = tinyLexicon();
const topics = [
  'kikitori/board/request/listen',
  'kikitori/board/request/grammar',
  'homeassistant/status',
  'hermes/asr/startListening',
  'hermes/dialogueManager/endSession',
  'spBv1.0/hall/NCMD/board',
];

void t.test('a daemon with everything that listens at a broker', async (t) => {
  const broker = await Mosquitto.open();
  const other = await mqtt.connectAsync(broker.url);
  // Kept by the broker: there at every start.
  for (const topic of topics)
    await other.publishAsync(topic, Buffer.alloc(longBytes, 0x5b), { retain: true, qos: 1 });
  const mic = await MicSim.create({});
  const { path: model } = await toneBundle();
  const subscriber = await Subscriber.open(broker.url, 'kikitori/board/intent/#');
  const daemon = await Daemon.start({
    ...{ url: broker.url, model, grammar, mic, watched: false },
    publish: {
      // In MQTT 5 a board says how long packets may be, and such messages never come.
      mqtt: { url: broker.url, protocolVersion: 4 },
      homeAssistant: { enabled: true },
      hermes: { enabled: true },
      sparkplug: { enabled: true, group: 'hall' },
    },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await other.endAsync(true);
    await broker.close();
  });
  const hears = async (text: string, intent: string) => {
    const before = subscriber.messages.length;
    await mic.say(speak(text, { beforeMs: 300, afterMs: 400 }, lexicon));
    await subscriber.find(
      ({ topic }) => topic.endsWith(`/${intent}`) && subscriber.messages.length > before,
    );
  };
  await daemon.event('mic.up');
  await daemon.event('sparkplug.connected');
  await daemon.event('request.retained', 2);
  await hears('stop the conveyor', 'Stop');
  const pid = daemon.child.child.pid ?? 0;
  const begun = await sizeOf(pid);
  t.ok(begun.peakMb < 200, `${begun.peakMb.toFixed(0)} MB at the most, with 144 MB kept for it`);
  for (const topic of topics) await other.publishAsync(topic, '', { retain: true, qos: 1 });

  // Longer than they may be.
  const answers: string[] = [];
  other.on('message', (_, payload) => answers.push(payload.toString()));
  await other.subscribeAsync('kikitori/board/response/#', { qos: 1 });
  for (const topic of topics) await other.publishAsync(topic, Buffer.alloc(longBytes), { qos: 1 });
  await until(
    'requests are answered',
    () => answers.filter((answer) => answer.includes('expected at most 65536')).length === 2,
  );

  // What is none: JSON and protobuf with something wrong in it.
  const random = randomFrom(27);
  const rebirth = encodePayload(
    [{ name: 'Node Control/Rebirth', type: 'Boolean', value: true, atMs: 1 }],
    { timestamp: 1, seq: 1 },
  );
  const json = Buffer.from('{"siteId": "board", "sessionId": "x", "init": {"type": "action"}}');
  const nothing = (topic: string) =>
    random() < 0.1
      ? letters(random, 300)
      : spoiled(random, topic.startsWith('spBv1.0') ? rebirth : json);
  for (let i = 0; i < 1500; i++) {
    const topic = topics[i % topics.length] ?? '';
    await other.publishAsync(topic, nothing(topic), { qos: i % 50 === 0 ? 1 : 0 });
  }
  const groups = Buffer.alloc(60_000, 0x0b);
  const nested = Buffer.from(`{"siteId": ${'['.repeat(30_000)}${']'.repeat(30_000)}}`);
  for (const topic of topics)
    for (const bytes of [groups, nested, Buffer.from('{"siteId":{}}'), Buffer.from('null')])
      await other.publishAsync(topic, bytes, { qos: 1 });
  await hears('turn on the hall light', 'Light');

  // Too many, each of them right.
  const linesBefore = daemon.child.lines.length;
  const before = await sizeOf(pid);
  for (let i = 0; i < 8000; i++) {
    const topic = topics[i % topics.length] ?? '';
    const payload =
      topic === 'homeassistant/status'
        ? 'online'
        : topic.startsWith('spBv1.0')
          ? rebirth
          : topic.startsWith('hermes')
            ? '{"siteId": "board"}'
            : '{"transaction": 1}';
    await other.publishAsync(topic, payload);
  }
  await hears('stop conveyor', 'Stop');
  const after = await sizeOf(pid);
  t.ok(
    after.peakMb - before.rssMb < moreMbMax,
    `${(after.peakMb - before.rssMb).toFixed(0)} MB more`,
  );
  const lines = daemon.child.lines.length - linesBefore;
  t.ok(lines < 1500, `${lines} lines for 8000 messages`);
  t.same(daemon.events('neighbour.failed'), []);
  t.same(daemon.events('mqtt.down'), [], 'the connection stays');
});
