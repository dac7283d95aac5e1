/** An edge node of Sparkplug B before a host that knows the rules: births, deaths, rebirths, broken lines. */
import { writeFile } from 'node:fs/promises';
import mqtt from 'mqtt';
import t from 'tap';
import { EdgeNode } from '../../../src/neighbours/sparkplug/edge-node.js';
import { encodePayload } from '../../../src/neighbours/sparkplug/payload.js';
import { Values } from '../../../src/neighbours/sparkplug/values.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { Daemon } from '../../sim/daemon.js';
import { LinesLog } from '../../sim/lines-log.js';
import { MicSim, until } from '../../sim/mic-sim.js';
import { Mosquitto } from '../../sim/mosquitto.js';
import { SparkplugHost } from '../../sim/sparkplug-host.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../../sim/tone-model.js';

type Test = Parameters<Parameters<typeof t.test>[0]>[0];

function nodeAt(url: string, lastSession: number | null = null, protocolVersion: 4 | 5 = 4) {
  const values = new Values();
  const lines = new LinesLog();
  const sessions: number[] = [];
  let count = 0;
  values.set('Count', 'Int64', 0, Date.now());
  const node = new EdgeNode({
    ...{ group: 'hall', node: 'press-1', lastSession },
    link: {
      ...{ url, protocolVersion, clientId: 'press-1-sparkplug', secrets: () => ({}) },
      ...{ rejectUnauthorized: true, keepaliveMs: 30_000, connectTimeoutMs: 15_000 },
    },
    onSession: (session) => sessions.push(session),
    birth: () => values.birth(),
    ...{ clock: systemClock, random: Math.random, log: lines.log },
  });
  node.open();
  const tell = () => {
    values.set('Count', 'Int64', ++count, Date.now());
    node.data(values.changes());
    return count;
  };
  return { node, values, lines, sessions, tell };
}

async function stage(t: Test) {
  const broker = await Mosquitto.open();
  const host = await SparkplugHost.open(broker.url, 'hall', 'press-1');
  t.teardown(async () => {
    await host.close();
    await broker.close();
  });
  return { broker, host };
}

for (const version of [4, 5] as const)
  void t.test(`MQTT ${version}: a birth, more data than there are numbers, a death`, async (t) => {
    const { broker, host } = await stage(t);
    const { node, tell, values } = nodeAt(broker.url, 255, version);
    await until('it is born', () => host.online);
    t.equal(host.of('NBIRTH')[0]?.bdSeq, 0, 'after 255 comes 0');
    for (let i = 0; i < 300; i++) tell();
    await until('all are there', () => host.of('NDATA').length === 300);
    t.equal(host.metrics.get('Count')?.value, 300);
    values.set('Speed', 'Double', 1.5, Date.now());
    t.ok(values.needsBirth);
    node.bearAgain();
    await until('it is born with it', () => host.metrics.get('Speed')?.value === 1.5);
    await node.close();
    await until('it is dead', () => !host.online);
    t.equal(host.of('NDEATH').length, 1);
    t.equal(host.of('NBIRTH').length, 2);
    t.same(host.faults, []);
  });

void t.test('the host of this test sees what is wrong', async (t) => {
  const { broker, host } = await stage(t);
  const client = await mqtt.connectAsync(broker.url);
  t.teardown(() => client.end(true));
  const timestamp = Date.now();
  const metric = (name: string, type: 'Int64' | 'String', value: number | string) => ({
    ...{ name, type, value, atMs: timestamp },
  });
  const publish = async (
    type: string,
    seq: number | undefined,
    qos: 0 | 1,
    ...metrics: ReturnType<typeof metric>[]
  ) => {
    const payload = encodePayload(metrics, { timestamp, ...(seq === undefined ? {} : { seq }) });
    await client.publishAsync(`spBv1.0/hall/${type}/press-1`, payload, { qos });
  };
  await publish('NBIRTH', 1, 1, metric('bdSeq', 'String', 'x'), metric('Count', 'Int64', 1));
  await publish('NDATA', 2, 1, metric('Count', 'String', 'x'), metric('Speed', 'Int64', 1));
  await publish('NDEATH', 3, 0, metric('bdSeq', 'Int64', 9), metric('Count', 'Int64', 1));
  await client.publishAsync('spBv1.0/hall/NDATA/press-1', 'no payload');
  await until('all are there', () => host.faults.some((f) => f.startsWith('payload-readable')));
  t.same([...new Set(host.faults.map((fault) => fault.split(' ')[0]))].sort(), [
    ...['bdseq-int64', 'nbirth-bdseq', 'nbirth-qos-0', 'nbirth-rebirth-control', 'nbirth-seq-0'],
    ...['ndata-metric-was-born', 'ndata-qos-0', 'ndata-same-datatype', 'ndeath-bdseq-of-nbirth'],
    ...['ndeath-no-seq', 'ndeath-only-bdseq', 'ndeath-qos-1', 'payload-readable', 'seq-plus-1'],
  ]);
});

void t.test('a rebirth is no death; commands that are none do no harm', async (t) => {
  const { broker, host } = await stage(t);
  await host.command(Buffer.from([0x12, 2, 0x0a, 0]), true);
  const { node, lines } = nodeAt(broker.url);
  await until('it is born', () => host.online);
  for (const junk of [Buffer.from('garbage'), Buffer.alloc(0), Buffer.alloc(100_000, 0xff)])
    await host.command(junk);
  await host.askForBirth();
  await until('it is born again', () => host.of('NBIRTH').length === 2);
  t.equal(host.of('NBIRTH')[1]?.bdSeq, host.of('NBIRTH')[0]?.bdSeq);
  t.equal(host.of('NDEATH').length, 0);
  t.equal(lines.with('sparkplug.bad-command').length, 1);
  await node.close();
  t.same(host.faults, []);
});

void t.test('a storm of questions gets few answers, and the last one comes after it', async (t) => {
  const { broker, host } = await stage(t);
  const { node, lines, tell } = nodeAt(broker.url);
  await until('it is born', () => host.online);
  const begin = performance.now();
  for (let i = 0; i < 500; i++) await host.askForBirth();
  const lastAsked = host.of('NBIRTH').length;
  await until('it answers', () => host.of('NBIRTH').length > lastAsked);
  for (let i = 0; host.of('NBIRTH').length < 5; i++) {
    await host.askForBirth();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const seconds = (performance.now() - begin) / 1000;
  // 1, 2 and 4 s apart at least.
  t.ok(seconds >= 6.9, `5 births in ${seconds.toFixed(1)} s`);
  await host.askForBirth();
  await until('it is said', () => lines.with('sparkplug.rebirth-storm').length === 1);
  tell();
  await until('data goes on', () => host.metrics.get('Count')?.value === 1);
  await node.close();
  t.same(host.faults, []);
});

void t.test('thrown out, killed, restarted: each connection is a session of its own', async (t) => {
  const { broker, host } = await stage(t);
  const { node, sessions, tell } = nodeAt(broker.url);
  await until('it is born', () => host.online);
  // Another client with its id: the broker gives its will.
  const other = await mqtt.connectAsync(broker.url, {
    ...{ clientId: 'press-1-sparkplug', reconnectPeriod: 0 },
  });
  await until('its will is there', () => host.of('NDEATH').length === 1);
  await until('it is born again', () => host.of('NBIRTH').length >= 2 && host.online);
  t.equal(host.of('NDEATH')[0]?.bdSeq, host.of('NBIRTH')[0]?.bdSeq);
  t.equal(host.of('NBIRTH')[1]?.bdSeq, 1, 'the next number');
  other.end(true);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const before = sessions.length;
    await broker.stop(signal);
    tell();
    await broker.start();
    await until('it is connected again', () => sessions.length > before);
    // The host may have come after the birth: then it asks when data comes.
    const count = tell();
    await until('host and node agree', async () => {
      if (!host.online) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        if (!host.online) await host.askForBirth();
      }
      return host.online && host.metrics.get('Count')?.value === count;
    });
  }
  const steps = sessions.slice(1).map((session, i) => session - (sessions[i] ?? 0));
  t.ok(
    steps.every((step) => step >= 1 && step <= 3),
    `sessions ${sessions.join(', ')}`,
  );
  await node.close();
  t.same(host.faults, []);
});

void t.test(
  'the daemon: commands with their slots, refusals, health; a session number for life',
  async (t) => {
    const broker = await Mosquitto.open();
    const host = await SparkplugHost.open(broker.url, 'hall', 'board');
    const mic = await MicSim.create({});
    const { path: model } = await toneBundle();
    const lexicon = tinyLexicon();
    const say = async (text: string) =>
      mic.say(speak(text, { beforeMs: 300, afterMs: 300 }, lexicon));
    const grammar = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor"], slots: {level: 3}}]}
  Light: {data: [{sentences: ["turn on the {room} light"]}]}
lists: {room: {values: [kitchen, hall]}}
`;
    const options = {
      ...{ url: broker.url, model, grammar, mic },
      publish: { sparkplug: { enabled: true, group: 'hall' } },
    };
    const daemon = await Daemon.start(options);
    t.teardown(async () => {
      await daemon.remove();
      await mic.remove();
      await host.close();
      await broker.close();
    });
    const value = (name: string) => host.metrics.get(name)?.value;
    await until('it is born', () => host.online);
    t.equal(value('Properties/Software'), 'kikitori');
    t.equal(value('Command/Count'), 0);
    t.equal(value('Command/Slots/room'), null);
    await until('its microphone is up', () => value('Health/mic') === 'up');
    await say('turn on the hall light');
    await until('it is told', () => value('Command/Count') === 1);
    t.same(
      ['Command/Intent', 'Command/Text', 'Command/Slots/room', 'Command/Slots/level'].map(value),
      ['Light', 'turn on the hall light', 'hall', null],
    );
    t.ok(Number(value('Command/Confidence')) > 0.5);
    await say('stop the conveyor');
    await until(
      'it is told',
      () => value('Command/Count') === 2 && value('Command/Slots/level') === 3,
    );
    t.same(['Command/Intent', 'Command/Slots/room'].map(value), ['Stop', null]);
    await until('health tells of confidence', () => Number(value('Health/confidence')) > 0.5);
    t.equal(host.of('NBIRTH').length, 1, 'no other birth: every metric was known from the start');
    await writeFile(daemon.grammarPath, grammar.replace('level: 3', 'level: high'));
    daemon.child.child.kill('SIGHUP');
    await until('a slot of another type', () => host.of('NBIRTH').length === 2);
    await say('stop the conveyor');
    await until('it is told', () => value('Command/Slots/level') === 'high');
    t.equal(host.of('NBIRTH').length, 2);
    const session = host.seen.findLast(({ type }) => type === 'NBIRTH')?.bdSeq ?? -1;
    await daemon.child.kill('SIGTERM');
    await until('it is dead', () => !host.online);
    const again = await Daemon.start(options, daemon.folder);
    t.teardown(async () => again.child.kill());
    await until('it is born again', () => host.online);
    t.equal(host.seen.findLast(({ type }) => type === 'NBIRTH')?.bdSeq, session + 1);
    await again.child.kill('SIGKILL');
    await until('its will is there', () => !host.online);
    t.same(host.faults, []);
  },
);
