/** Against a real mosquitto: topics, payloads, retained state, requests, both protocol versions. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { RequestHandler } from '../../src/publish/index.js';
import { systemClock } from '../../src/runtime/clock.js';
import { aedesFor } from '../sim/aedes.js';
import { BrokerSim } from '../sim/broker-sim.js';
import { anyContext, heardNumber } from '../sim/heard.js';
import { until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { openPublisher, type Teardown } from '../sim/publisher.js';
import { faultOf } from '../sim/schemas.js';

const handlers: Record<string, RequestHandler> = {
  mute: async ({ mute }) => ({ muted: mute !== false }),
  grammar: async () => {
    throw new Error('line 3, column 7: an undefined list');
  },
};

/** Quick to notice that a broker says nothing. Any other test is patient: a busy machine says nothing for seconds. */
const impatient = { keepaliveMs: 5000, connectTimeoutMs: 5000 };

function publisherFor(t: Teardown, url: string, more: Parameters<typeof openPublisher>[2] = {}) {
  return openPublisher(t, url, { handlers, random: () => 0.1, ...more });
}

async function brokerFor(t: Teardown, ...args: Parameters<typeof Mosquitto.open>) {
  const broker = await Mosquitto.open(...args);
  t.teardown(() => broker.close());
  return broker;
}

async function subscriberFor(t: Teardown, ...args: Parameters<typeof Subscriber.open>) {
  const subscriber = await Subscriber.open(...args);
  t.teardown(() => subscriber.close());
  return subscriber;
}

void t.test('requests are subscribed to before it says online, on every connection', async (t) => {
  const order: string[][] = [];
  let hangUps = 2;
  const broker = await BrokerSim.open({
    onConnect: () => {
      order.push([]);
      return undefined;
    },
    onSubscribe: (topic) => {
      order.at(-1)?.push(`subscribe ${topic}`);
      return undefined;
    },
    onPublish: ({ topic, payload }) => {
      if (topic === 'k/d/state') order.at(-1)?.push(payload.toString());
      // What is under way then is suspected: on the next connection all go one at a time.
      return topic === 'k/d/transcript' && hangUps-- > 0 ? { hangUp: true } : undefined;
    },
  });
  t.teardown(() => broker.close());
  const { publisher } = await publisherFor(t, broker.url);
  await publisher.heard(heardNumber(1), anyContext());
  t.ok(await broker.until(() => broker.taken.some(({ topic }) => topic === 'k/d/transcript')));
  t.equal(order.length, 3);
  for (const said of order)
    t.strictSame(said.slice(0, 2), ['subscribe k/d/request/+', '{"state":"online"}']);
});

for (const protocolVersion of [4, 5] as const) {
  void t.test(
    `MQTT ${protocolVersion === 4 ? '3.1.1' : '5'}: topics and payloads of the contract`,
    async (t) => {
      const broker = await brokerFor(t);
      const subscriber = await subscriberFor(t, broker.url, 'k/#', { protocolVersion });
      const { publisher } = await publisherFor(t, broker.url, { link: { protocolVersion } });
      await subscriber.find((m) => m.topic === 'k/d/state');
      await publisher.heard(heardNumber(1), anyContext());
      await publisher.heard(heardNumber(2, false), anyContext());
      publisher.partial({ text: 'number', startSample: 0 });
      await publisher.event('mic-lost', { why: 'unplugged' });
      await subscriber.find((m) => m.topic === 'k/d/event');
      await subscriber.find((m) => m.topic === 'k/d/partial');
      await subscriber.find((m) => m.topic === 'k/d/rejected');
      const intent = await subscriber.find((m) => m.topic === 'k/d/intent/Count');
      t.match(intent.json, {
        id: '0123456789ab-0',
        seq: 0,
        text: 'number 1',
        intent: 'Count',
        slots: { number: 1 },
        startedAt: '2026-01-01T00:00:00.000Z',
        durationMs: 900,
        latencyMs: 120,
        replayed: false,
      });
      t.equal(intent.qos, 1);
      t.same(
        subscriber.messages.map(faultOf).filter((f) => f !== ''),
        [],
        'as in docs/mqtt',
      );
      t.ok(
        await subscriber.until(() => publisher.stats().queued === 0),
        'acknowledged ones are gone',
      );
    },
  );
}

void t.test(
  'retained state, info and health come back after a broker that forgot them',
  async (t) => {
    const broker = await brokerFor(t);
    let connected = 0;
    const { publisher, lines } = await publisherFor(t, broker.url, {
      onConnected: () => {
        connected++;
        publisherOf()?.retain('health', { connected });
      },
    });
    function publisherOf() {
      return connected > 1 ? publisher : undefined;
    }
    publisher.retain('info', { version: '1' });
    publisher.retain('health', { connected: 0 });
    const first = await subscriberFor(t, broker.url, 'k/#');
    await first.find((m) => m.topic === 'k/d/info');
    await broker.kill();
    await first.until(() => lines.some((l) => l.event === 'mqtt.down'));
    await publisher.heard(heardNumber(1), anyContext());
    await broker.start();
    const second = await subscriberFor(t, broker.url, 'k/#');
    for (const topic of ['k/d/state', 'k/d/info', 'k/d/health'])
      t.ok((await second.find((m) => m.topic === topic)).text, topic);
    await second.find((m) => m.topic === 'k/d/health' && Number(m.json['connected']) >= 2);
    t.ok(connected >= 2, 'the agent is asked for fresh values');
    // It may go before anybody has subscribed again; the broker has acknowledged it.
    await until('what was heard meanwhile is sent', () => publisher.stats().queued === 0);
  },
);

void t.test('absent at start, refusing, then there: it goes on trying', async (t) => {
  const broker = await brokerFor(t, {
    started: false,
    config: ['allow_anonymous false', 'password_file {folder}/passwords'],
    files: { passwords: '' },
  });
  const { lines, publisher } = await publisherFor(t, broker.url, { link: { username: 'd' } });
  await publisher.heard(heardNumber(1), anyContext());
  const has = (event: string, why: RegExp) =>
    lines.some((l) => l.event === event && why.test(String(l['why'])));
  await until('nobody is there', () => has('mqtt.down', /ECONNREFUSED/));
  await broker.start();
  await until('the broker says no', () => has('mqtt.down', /Not authorized/));
  t.equal(publisher.stats().queued, 2, 'the transcript waits');
});

void t.test('a wrong then a right password, read anew for every attempt', async (t) => {
  const broker = await brokerFor(t, {
    config: ['allow_anonymous false', 'password_file {folder}/passwords'],
    // mosquitto_passwd -b passwords d s3cret-äö
    files: { passwords: await passwordLine('d', 's3cret-äö') },
  });
  let password = 'wrong';
  const { lines, publisher } = await publisherFor(t, broker.url, {
    link: { username: 'd', secrets: () => ({ password }) },
  });
  await publisher.heard(heardNumber(1), anyContext());
  const login = { username: 'd', password: 's3cret-äö' };
  const subscriber = await subscriberFor(t, broker.url, 'k/#', login);
  await subscriber.until(() => lines.some((l) => l.event === 'mqtt.down'));
  password = 's3cret-äö';
  t.equal((await subscriber.find((m) => m.topic === 'k/d/transcript')).json['seq'], 0);
  t.notMatch(JSON.stringify(lines), /s3cret|wrong/, 'no password in a log');
});

void t.test('requests are answered, with the transaction as it came', async (t) => {
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, broker.url, 'k/d/response/#');
  const { lines } = await publisherFor(t, broker.url);
  const up = () => lines.some((l) => l.event === 'mqtt.up');
  await subscriber.until(up);
  // The subscription of the device may come a moment after its connection.
  for (let i = 0; subscriber.messages.length === 0; i++) {
    await subscriber.publish('k/d/request/mute', { transaction: `early ${i}` });
    await subscriber.until(() => subscriber.messages.length > 0, 500);
  }
  // Answers come in order: nothing asked before is answered after this one.
  await subscriber.publish('k/d/request/mute', { transaction: 'now' });
  await subscriber.find((m) => m.json['transaction'] === 'now');
  const answers = async (name: string, payload: unknown) => {
    const before = subscriber.messages.length;
    await subscriber.publish(`k/d/request/${name}`, payload);
    await subscriber.until(() => subscriber.messages.length > before);
    return subscriber.messages[before]?.json ?? {};
  };
  t.same(await answers('mute', { mute: true, transaction: { id: [1, 'a'] } }), {
    status: 'ok',
    data: { muted: true },
    transaction: { id: [1, 'a'] },
  });
  t.same(await answers('mute', ''), { status: 'ok', data: { muted: true } });
  t.match(await answers('grammar', { transaction: 0 }), {
    status: 'error',
    data: {},
    error: 'line 3, column 7: an undefined list',
    transaction: 0,
  });
  t.match(await answers('nonsense', { transaction: null }), {
    status: 'error',
    error: /unknown request "nonsense".*mute/,
    transaction: null,
  });
  t.match(await answers('toString', {}), { error: /unknown request/ });
  t.match(await answers('mute', '{"mute": tr'), { status: 'error', error: /not JSON/ });
  t.match(await answers('mute', '[1]'), { status: 'error', error: /a JSON object/ });
  t.match(await answers('mute', `"${'x'.repeat(70_000)}"`), { error: /at most 65536/ });
  t.same(
    subscriber.messages.map(faultOf).filter((f) => f !== ''),
    [],
    'as in docs/mqtt',
  );
  const many = Array.from({ length: 12 }, (_, i) => i);
  await Promise.all(many.map((i) => subscriber.publish('k/d/request/mute', { transaction: i })));
  for (const i of many) await subscriber.find((m) => m.json['transaction'] === i);
});

void t.test('a retained request is not obeyed', async (t) => {
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, broker.url, 'k/d/response/#');
  await subscriber.publish('k/d/request/mute', { transaction: 'old' }, true);
  const { lines } = await publisherFor(t, broker.url);
  await subscriber.until(() => lines.some((l) => l.event === 'request.retained'));
  t.ok(lines.some((l) => l.event === 'request.retained'));
  await subscriber.publish('k/d/request/mute', { transaction: 'new' });
  await subscriber.find((m) => m.json['transaction'] === 'new');
  t.notOk(subscriber.messages.some((m) => m.json['transaction'] === 'old'));
});

void t.test('MQTT 5: what the broker refuses is tried again and holds up nothing', async (t) => {
  const broker = await brokerFor(t, {
    config: ['allow_anonymous true', 'acl_file {folder}/acl', 'max_inflight_messages 3'],
    files: {
      acl: 'topic read k/#\ntopic write k/d/state\ntopic write k/d/intent/#\ntopic write k/d/request/#\n',
    },
  });
  const subscriber = await subscriberFor(t, broker.url, 'k/#');
  const { publisher, lines } = await publisherFor(t, broker.url, { link: { protocolVersion: 5 } });
  for (let i = 0; i < 50; i++) await publisher.heard(heardNumber(i), anyContext());
  await subscriber.find((m) => m.json['text'] === 'number 49');
  const got = subscriber.topics('k/d/intent/Count').map((m) => m.json['seq']);
  t.same(
    got,
    Array.from({ length: 50 }, (_, i) => i),
    'all intents, in order',
  );
  await subscriber.until(() => publisher.stats().queued === 50);
  t.equal(publisher.stats().queued, 50, 'the transcripts, which are not authorised, are kept');
  const refused = lines.filter((l) => l.event === 'mqtt.publish-refused');
  t.ok(refused.length >= 1 && refused.length < 8, `said ${refused.length} times, not 50`);
  t.match(refused[0], { topic: 'k/d/transcript', why: /Not authorized/ });
  t.notOk(
    lines.some((l) => l.event === 'mqtt.down'),
    'three at a time, as the broker wants',
  );
});

void t.test('a topic that is closed for long is tried with one message a round', async (t) => {
  const count = 200;
  const mayNot = { now: true };
  const broker = await BrokerSim.open({
    onPublish: ({ topic }) =>
      mayNot.now && topic === 'k/d/transcript' ? { reason: 0x87 } : undefined,
  });
  t.teardown(() => broker.close());
  const { publisher, lines } = await publisherFor(t, broker.url, { link: { protocolVersion: 5 } });
  for (let i = 0; i < count; i++) await publisher.heard(heardNumber(i), anyContext());
  const offered = () => broker.offered.filter((m) => m.topic === 'k/d/transcript');
  t.ok(await broker.until(() => offered().length >= count + 2), 'it is tried again');
  const rounds = lines.filter((l) => l.event === 'mqtt.publish-refused').length;
  t.ok(offered().length <= count + rounds, `${offered().length} for ${count} in ${rounds} rounds`);
  const seqs = offered().map((m) => m.json['seq']);
  t.same([...new Set(seqs.filter((seq, i) => seqs.indexOf(seq) < i))], [0], 'the oldest');
  t.ok(await broker.until(() => publisher.stats().queued === count), 'all are kept');
  mayNot.now = false;
  t.ok(await broker.until(() => publisher.stats().queued === 0), 'then all follow');
  t.same(
    broker.taken.filter((m) => m.topic === 'k/d/transcript').map((m) => m.json['seq']),
    Array.from({ length: count }, (_, i) => i),
    'each once, in order',
  );
});

void t.test('a device that may not subscribe still publishes, and says so', async (t) => {
  const url = await aedesFor(t, {
    authorizeSubscribe: (client, subscription, callback) =>
      callback(null, client?.id === 'kikitori-d' ? null : subscription),
  });
  const { publisher, lines } = await publisherFor(t, url);
  const reader = await subscriberFor(t, url, 'k/#');
  await publisher.heard(heardNumber(1), anyContext());
  await reader.find((m) => m.topic === 'k/d/transcript');
  t.ok(await reader.until(() => lines.some((l) => l.event === 'mqtt.subscribe-refused')));
});

void t.test('a broker that freezes is noticed, and what was under way is sent again', async (t) => {
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, broker.url, 'k/#');
  const { publisher, lines } = await publisherFor(t, broker.url, { link: impatient });
  await subscriber.find((m) => m.topic === 'k/d/state');
  broker.freeze();
  for (let i = 0; i < 40; i++) await publisher.heard(heardNumber(i), anyContext());
  t.ok(await subscriber.until(() => lines.some((l) => l.event === 'mqtt.down')), 'keepalive');
  broker.thaw();
  await subscriber.find((m) => m.json['intent'] === 'Count' && m.json['seq'] === 39);
  const seen = subscriber.topics('k/d/intent/Count');
  t.same(
    [...new Set(seen.map((m) => m.json['seq']))],
    Array.from({ length: 40 }, (_, i) => i),
  );
  t.ok(seen.filter((m) => m.json['replayed'] === true).length > 0, 'sent again: replayed');
});

void t.test('two devices with one id do not storm the broker, and it is said', async (t) => {
  const broker = await brokerFor(t);
  const one = await publisherFor(t, broker.url);
  const two = await publisherFor(t, broker.url);
  const said = () => [...one.lines, ...two.lines].filter((l) => l.event === 'mqtt.kicked-out');
  const watcher = await subscriberFor(t, broker.url, 'k/#');
  t.ok(await watcher.until(() => said().length > 0));
  t.match(said()[0], { clientId: 'kikitori-d', certain: false });
});

void t.test('MQTT 5: a broker that says "session taken over" is believed', async (t) => {
  const server = createServer((socket) => {
    socket.once('data', () => socket.write(Buffer.from([0x20, 3, 0, 0, 0, 0xe0, 2, 0x8e, 0])));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { lines } = await publisherFor(t, url, { link: { protocolVersion: 5 } });
  await until('it is said', () => lines.some((l) => l.event === 'mqtt.kicked-out'));
  t.match(
    lines.find((l) => l.event === 'mqtt.kicked-out'),
    { certain: true },
  );
});

void t.test(
  'the limit: the oldest are dropped, counted, and told when there is a broker',
  async (t) => {
    const broker = await brokerFor(t, { started: false });
    const { publisher, lines, dir } = await publisherFor(t, broker.url, {
      outbox: {
        dir: await mkdtemp(join(tmpdir(), 'kikitori-full-')),
        maxBytes: 10_000,
        maxAgeMs: 86_400_000,
      },
    });
    for (let i = 0; i < 40; i++) await publisher.heard(heardNumber(i), anyContext());
    const { dropped, queued } = publisher.stats();
    t.equal(dropped + queued, 80);
    t.ok(lines.some((l) => l.event === 'outbox.dropped' && l['why'] === 'full'));
    await broker.start();
    const subscriber = await subscriberFor(t, broker.url, 'k/#');
    t.match((await subscriber.find((m) => m.topic === 'k/d/event')).json, {
      event: 'outbox-full',
      count: dropped,
      why: 'full',
    });
    await subscriber.find((m) => m.json['seq'] === 39);
    t.ok(dir);
  },
);

void t.test('closing says offline and leaves what is unsent for the next start', async (t) => {
  const broker = await brokerFor(t);
  const subscriber = await subscriberFor(t, broker.url, 'k/#');
  // The time that it may take does not pass.
  const clock = { ...systemClock, monotonic: () => 0 };
  const { publisher } = await publisherFor(t, broker.url, { clock });
  await subscriber.find((m) => m.topic === 'k/d/state' && m.json['state'] === 'online');
  await Promise.all([1, 2, 3].map((i) => publisher.heard(heardNumber(i), anyContext())));
  await publisher.close();
  await subscriber.find((m) => m.topic === 'k/d/state' && m.json['state'] === 'offline');
  t.equal(subscriber.topics('k/d/transcript').length, 3, 'delivered before the end');
});

/** A line of a password file as mosquitto_passwd writes it: PBKDF2 with SHA-512. */
async function passwordLine(user: string, password: string): Promise<string> {
  const { pbkdf2Sync, randomBytes } = await import('node:crypto');
  const salt = randomBytes(12);
  const hash = pbkdf2Sync(password, salt, 101, 64, 'sha512');
  return `${user}:$7$101$${salt.toString('base64')}$${hash.toString('base64')}\n`;
}
