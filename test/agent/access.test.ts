/**
 * A board at a real mosquitto with the configuration and the access list of config/examples: certificates, one that is
 * revoked, and boards that may not do what they want. What was heard meanwhile comes when it may.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import t from 'tap';
import { main } from '../../src/cli/main.js';
import { Authority, type Issued } from '../sim/authority.js';
import { Daemon } from '../sim/daemon.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { contractFaultOf } from '../sim/schemas.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

type Test = Parameters<Parameters<typeof t.test>[0]>[0];
const examples = fileURLToPath(new URL('../../config/examples/', import.meta.url));
const grammar = 'intents: {Stop: {data: [{sentences: ["stop [the] conveyor [(one|two)]"]}]}}\n';
const lexicon = tinyLexicon();

const authority = Authority.make();
const [server, board, other, plant, operator] = [
  authority.issue('server', '127.0.0.1'),
  ...['board', 'other', 'plant', 'operator'].map((name) => authority.issue(name)),
] as [Issued, Issued, Issued, Issued, Issued];
const { path: model } = await toneBundle();
t.teardown(() => authority.remove());

/** As in the example, at a port and in a folder of the test's own. */
async function brokerOf(acl: string): Promise<Mosquitto> {
  const example = await readFile(join(examples, 'mosquitto.conf'), 'utf8');
  const config = example
    .split('\n')
    .filter((line) => !/^(#|listener|per_listener|$)/.test(line))
    .map((line) => line.replace('/etc/mosquitto/kikitori/', '{folder}/'))
    .map((line) => line.replace('/etc/mosquitto/', '{folder}/'));
  return Mosquitto.open({
    scheme: 'mqtts',
    config,
    files: {
      'kikitori.acl': acl,
      'ca.crt': authority.ca,
      'server.crt': server.cert,
      'server.key': server.key,
      'revoked.pem': authority.revoked,
    },
  });
}
const exampleAcl = await readFile(join(examples, 'mosquitto.acl'), 'utf8');
const as = ({ cert, key }: Issued) => ({ ca: authority.ca, cert, key });

const folder = await mkdtemp(join(tmpdir(), 'kikitori-access-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
async function give(issued: Issued): Promise<void> {
  await writeFile(at('board.crt'), issued.cert);
  await writeFile(at('board.key'), issued.key, { mode: 0o600 });
}
await give(board);
await writeFile(at('ca.crt'), authority.ca);

async function stage(t: Test, acl: string, protocolVersion: 4 | 5, broker?: Mosquitto) {
  const at_ = broker ?? (await brokerOf(acl));
  const mic = await MicSim.create({});
  const login = { caFile: at('ca.crt'), certFile: at('board.crt'), keyFile: at('board.key') };
  const secrets = { url: at_.url, protocolVersion, ...login };
  const daemon = await Daemon.start({
    ...{ url: at_.url, model, grammar, mic, watched: false },
    publish: { healthMs: '1s', mqtt: secrets },
    metrics: { textfile: at('kikitori.prom') },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await at_.close();
  });
  await daemon.event('mic.up');
  const say = async (text: string, count: number) => {
    await mic.say(speak(text, { beforeMs: 300, afterMs: 400 }, lexicon));
    await daemon.event('heard.accepted', count);
  };
  return { broker: at_, daemon, mic, say, secrets };
}
const reader = async (t: Test, broker: Mosquitto, who: Issued, topic: string) => {
  const subscriber = await Subscriber.open(broker.url, topic, as(who));
  t.teardown(() => subscriber.close());
  return subscriber;
};

void t.test('the example: who may do what', async (t) => {
  const { broker, daemon, say } = await stage(t, exampleAcl, 5);
  const commands = await reader(t, broker, plant, 'kikitori/#');
  const asks = await reader(t, broker, operator, 'kikitori/+/response/#');
  await daemon.event('mqtt.up');
  await say('stop the conveyor one', 1);
  await commands.find((m) => m.topic === 'kikitori/board/intent/Stop');
  await asks.publish('kikitori/board/request/mute', { mute: false, transaction: 1 });
  t.match((await asks.find((m) => m.json['transaction'] === 1)).json, { status: 'ok' });

  // Another board, and whoever acts on commands: neither speaks for this board nor asks it anything.
  const answers = asks.messages.length;
  for (const who of [other, plant]) {
    const client = await mqtt.connectAsync(broker.url, { ...as(who), protocolVersion: 5 });
    for (const topic of ['request/restart', 'request/mute', 'intent/Stop', 'state', 'health'])
      await t.rejects(client.publishAsync(`kikitori/board/${topic}`, '{}', { qos: 1 }), {
        message: /Not authorized/,
      });
    const heard: string[] = [];
    client.on('message', (topic) => heard.push(topic));
    await client.subscribeAsync('#', { qos: 1 });
    await say('stop the conveyor two', daemon.events('heard.accepted').length + 1);
    await commands.until(() => commands.topics('kikitori/board/intent/Stop').length >= 2);
    t.same(
      heard.filter((topic) => topic.includes('/board/') && !/intent|state/.test(topic)),
      [],
    );
    if (who === other)
      t.same(
        heard.filter((topic) => topic.includes('/board/')),
        [],
      );
    await client.endAsync(true);
  }
  t.equal(asks.messages.length, answers, 'nothing of it was answered');
  t.equal(daemon.events('agent.restarting').length, 0);
  t.same(
    commands.messages.filter(({ topic }) => !/^kikitori\/board\/(intent\/Stop|state)$/.test(topic)),
    [],
    'the plant reads commands and who is there, nothing else',
  );
  t.equal(daemon.events('mqtt.publish-refused').length, 0, 'the board may all that it does');
});

void t.test('a board that may not publish what it hears: told, and nothing is lost', async (t) => {
  const closed = `${exampleAcl.replace('pattern write kikitori/%u/#', '')}
pattern write kikitori/%u/state
pattern write kikitori/%u/health
pattern write kikitori/%u/info
`;
  const watching = `${closed}\nuser other\ntopic read kikitori/#\n`;
  const { broker, daemon, say } = await stage(t, watching, 5);
  const all = await reader(t, broker, other, 'kikitori/#');
  await daemon.event('mqtt.up');
  for (let i = 1; i <= 3; i++) await say('stop the conveyor', i);
  t.match(await daemon.event('mqtt.publish-refused'), { level: 40, why: /Not authorized/ });
  const health = await all.find(
    ({ topic, json }) =>
      topic.endsWith('/health') &&
      ['intent', 'transcript'].every((kind) => (json['brokerRefuses'] as string[])?.includes(kind)),
  );
  t.equal(contractFaultOf(health), '');
  t.ok(Number(health.json['queued']) >= 2);
  t.equal(all.topics('kikitori/board/transcript').length, 0);
  // Mended, as an operator would: the list, and a signal.
  await writeFile(join(broker.folder, 'kikitori.acl'), `${exampleAcl}user other\ntopic read #\n`);
  broker.hangUp();
  await until('all have come', () => all.topics('kikitori/board/transcript').length >= 3);
  const heard = all.topics('kikitori/board/transcript').map(({ json }) => json['seq']);
  t.same([...new Set(heard)].sort(), [0, 1, 2], 'all that was heard meanwhile');
  // What is kept there is offered again each minute.
  await all.find(
    ({ topic, json }) =>
      topic.endsWith('/health') && json['queued'] === 0 && !('brokerRefuses' in json),
    240_000,
  );
  t.equal(all.topics('kikitori/board/update').length, 1);
});

void t.test('a certificate that is revoked: told, and nothing is lost', async (t) => {
  const { broker, daemon, say } = await stage(t, exampleAcl, 5);
  await daemon.event('mqtt.up');
  authority.revoke('board');
  await broker.stop();
  await writeFile(join(broker.folder, 'revoked.pem'), authority.revoked);
  await broker.start();
  await until('it says why', () =>
    daemon.events('mqtt.down').some(({ why }) => /revoked/.test(String(why))),
  );
  await say('stop the conveyor one', 1);
  await say('stop the conveyor two', 2);
  const commands = await reader(t, broker, plant, 'kikitori/#');
  t.equal(commands.topics('kikitori/board/intent/Stop').length, 0);
  t.match(commands.topics('kikitori/board/state').at(-1)?.json ?? { state: 'offline' }, {
    state: 'offline',
  });
  // On the board itself: it is not connected, and so much waits.
  await until('the metrics say it', async () =>
    /^kikitori_mqtt_connected 0$/m.test(
      await readFile(at('kikitori.prom'), 'utf8').catch(() => ''),
    ),
  );
  // A new certificate in place of the old one needs no restart.
  await give(authority.issue('board'));
  await until('both have come', () => commands.topics('kikitori/board/intent/Stop').length >= 2);
  t.same(
    commands.topics('kikitori/board/intent/Stop').map(({ json }) => json['seq']),
    [0, 1],
  );
  t.equal(daemon.events('agent.ready').length, 1);
});

void t.test('MQTT 3.1.1 has no word for it: the doctor says so', async (t) => {
  const closed = exampleAcl.replace(
    'pattern write kikitori/%u/#',
    'pattern write kikitori/%u/state',
  );
  const { daemon, say, secrets } = await stage(t, closed, 4);
  await daemon.event('mqtt.up');
  await say('stop the conveyor one', 1);
  // The broker acknowledges what it throws away (MQTT 3.1.1, 3.3.5): nobody can see it from here.
  t.equal(daemon.events('mqtt.publish-refused').length, 0);
  const doctor = async (protocolVersion: 4 | 'auto') => {
    const path = at(`doctor-${protocolVersion}.json`);
    await writeFile(
      path,
      JSON.stringify({
        device: { id: 'board' },
        model: { path: 'none' },
        capture: { source: 'stdin' },
        publish: { mqtt: { ...secrets, protocolVersion } },
        state: { dir: at('state') },
      }),
    );
    let out = '';
    await main(['doctor', '--json', '--config', path], {
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: () => undefined },
      env: process.env,
    });
    return out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>)
      .filter(({ check }) => check === 'broker');
  };
  const found = await doctor(4);
  t.match(found.at(-1), {
    status: 'failed',
    what: /does not let this device write/,
    todo: /access list/,
  });
  t.match((await doctor('auto'))[0], { status: 'failed', what: /does not let this device write/ });
});
