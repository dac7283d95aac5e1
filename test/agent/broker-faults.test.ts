/** The daemon as it ships against a broker that sends what MQTT does not allow, or does not answer. */
import { rm } from 'node:fs/promises';
import t from 'tap';
import { BrokerSim, type BrokerSimOptions } from '../sim/broker-sim.js';
import { Daemon } from '../sim/daemon.js';
import { MicSim } from '../sim/mic-sim.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const grammar = 'intents:\n  Stop: {data: [{sentences: ["stop [the] conveyor"]}]}\n';
const lexicon = tinyLexicon();
const bundle = toneBundle();
t.teardown(async () => rm((await bundle).folder, { recursive: true, force: true }));
type Test = Parameters<Parameters<typeof t.test>[0]>[0];
const intent = 'kikitori/board/intent/Stop';
/** After its last line nothing may keep the process; the fault took the 20 s of an acknowledgement, and more. */
const endMs = 18_000;

async function stage(t: Test, options: BrokerSimOptions, protocolVersion: 4 | 5) {
  const broker = await BrokerSim.open(options);
  const mic = await MicSim.create({});
  const daemon = await Daemon.start({
    url: broker.url,
    watched: false,
    model: (await bundle).path,
    grammar,
    mic,
    env: { KIKITORI_PUBLISH_MQTT_PROTOCOL_VERSION: String(protocolVersion) },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await broker.close();
  });
  await daemon.event('mic.up');
  const say = () => mic.say(speak('stop the conveyor', { beforeMs: 300, afterMs: 300 }, lexicon));
  const offered = () => broker.offered.filter(({ topic }) => topic === intent);
  const stopped = async () => {
    daemon.child.child.kill('SIGTERM');
    await daemon.event('agent.stopped');
    const atMs = performance.now();
    t.equal(await daemon.child.exit(), 0);
    t.ok(performance.now() - atMs < endMs, 'nothing waits after the stop');
  };
  return { broker, daemon, say, offered, stopped };
}

/** What the parser refuses: flags that PUBACK has not, QoS 3, a reason that is none. */
const malformed = {
  'flags in PUBACK': Buffer.from([0x4f, 2, 0, 1]),
  'QoS 3': Buffer.from([0x36, 5, 0, 1, 0x61, 0, 1]),
  'a second CONNACK': Buffer.from([0x20, 3, 0, 0, 0]),
};

for (const [name, bytes] of Object.entries(malformed))
  void t.test(`${name}: the connection ends at once, and is made again`, async (t) => {
    let times = 0;
    const { broker, daemon, say, offered, stopped } = await stage(
      t,
      { onPublish: ({ topic }) => (topic === intent && times++ === 0 ? { bytes } : undefined) },
      5,
    );
    await say();
    t.ok(await broker.until(() => broker.taken.some(({ topic }) => topic === intent)));
    t.match(await daemon.event('mqtt.down'), {
      why: /the broker sent what MQTT does not allow: ./,
    });
    t.equal(offered().length, 2, 'sent once more, and no more');
    await stopped();
  });

void t.test('an acknowledgement that is never readable: not sent for ever', async (t) => {
  const { broker, daemon, say, offered, stopped } = await stage(
    t,
    {
      onPublish: ({ topic }) =>
        topic === intent ? { bytes: malformed['flags in PUBACK'] } : undefined,
    },
    5,
  );
  await say();
  await daemon.event('outbox.message-set-aside');
  const sent = offered().length;
  t.ok(sent <= 4, `sent ${sent} times`);
  t.ok(
    await broker.until(() =>
      broker.taken.some(({ topic, json }) => topic.endsWith('/health') && json['setAside'] === 1),
    ),
    'told in health',
  );
  t.equal(offered().length, sent);
  await stopped();
});

for (const protocolVersion of [4, 5] as const)
  void t.test(`stopped while nothing is answered, MQTT ${protocolVersion}`, async (t) => {
    const { broker, say, offered, stopped } = await stage(
      t,
      { onPublish: ({ topic }) => (topic === intent ? { silent: true } : undefined) },
      protocolVersion,
    );
    await say();
    t.ok(await broker.until(() => offered().length > 0));
    await stopped();
  });

void t.test('stopped while a broker does not answer CONNECT', async (t) => {
  const { broker, stopped } = await stage(t, { onConnect: () => ({ silent: true }) }, 5);
  t.ok(await broker.until(() => broker.connects.length > 0));
  await stopped();
});
