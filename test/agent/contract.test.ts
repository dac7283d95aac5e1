/** docs/mqtt against the daemon as it ships: all that it says is described, and all that is to be copied works. */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { requestEntries, topicContracts } from '../../src/publish/contract/index.js';
import { Daemon } from '../sim/daemon.js';
import { MicSim } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { contractFaultOf, fault } from '../sim/schemas.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const run = promisify(execFile);
const page = fileURLToPath(new URL('../../docs/mqtt/README.md', import.meta.url));
const grammar = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor [{n}]"]}]}
lists:
  n: {values: [{in: one, out: 1}, {in: two, out: 2}]}
`;
const lexicon = tinyLexicon();

type Test = Parameters<Parameters<typeof t.test>[0]>[0];
const bundle = toneBundle();
t.teardown(async () => rm((await bundle).folder, { recursive: true, force: true }));

async function stage(t: Test, options: Partial<Parameters<typeof Daemon.start>[0]>) {
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const model = (await bundle).path;
  const daemon = await Daemon.start({ url: broker.url, model, grammar, mic, ...options });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
  });
  const on = (topic: string) => `kikitori/board/${topic}`;
  const first = (topic: string) => subscriber.find((m) => m.topic === on(topic));
  const event = (name: string) =>
    subscriber.find((m) => m.topic === on('event') && m.json['event'] === name);
  const say = (text: string) => mic.say(speak(text, { beforeMs: 300, afterMs: 300 }, lexicon));
  await daemon.event('mic.up');
  return { broker, subscriber, mic, daemon, on, first, event, say };
}

/** Of the page: what a reader copies, for this board. */
async function commands() {
  const text = await readFile(page, 'utf8');
  return [...text.matchAll(/^(mosquitto_pub -t '\S+\/request\/(\w+)' -m '(.*)')$/gm)].map(
    ([, line = '', name = '', payload = '']) => ({
      line: line.replace('kikitori/press-3/', 'kikitori/board/'),
      name,
      payload: JSON.parse(payload) as Record<string, unknown>,
    }),
  );
}

void t.test('every topic is seen, and each message is as the contract says', async (t) => {
  const { broker, subscriber, mic, daemon, on, first, event, say } = await stage(t, {
    env: { KIKITORI_PUBLISH_PARTIALS: 'true', NOTIFY_SOCKET: '/nobody' },
  });
  await say('stop the conveyor two');
  await first('intent/Stop');
  await say('red machine go left please');
  await first('rejected');
  await first('partial');
  const [start] = await mic.starts();
  process.kill(start?.pid ?? 0, 'SIGKILL');
  await event('mic-lost');
  await event('mic-restored');

  const asked = await commands();
  t.same(new Set(asked.map(({ name }) => name)), new Set(requestEntries.map(([name]) => name)));
  const withoutRepository = ['update', 'language', 'rollback'];
  for (const { line, name, payload } of asked) {
    t.equal(fault(`request#/definitions/${name}`, payload), '', name);
    const answers = () => subscriber.topics(on(`response/${name}`));
    const before = answers().length;
    await run('sh', ['-c', `${line} -h 127.0.0.1 -p ${broker.port}`]);
    const answer = await subscriber.until(() => answers()[before]);
    const status = withoutRepository.includes(name) ? 'error' : 'ok';
    t.match(answer?.json, { status, transaction: payload['transaction'] }, line);
  }
  await daemon.event('agent.restarting');
  await subscriber.find((m) => m.topic === on('state') && m.json['state'] === 'offline');
  t.equal(await daemon.child.exit(), 0);

  const late = await Subscriber.open(broker.url, on('#'));
  t.teardown(() => late.close());
  // A board that hears commands alone has no language model: test/update/language.test.ts sees it.
  const here = topicContracts.filter(({ name }) => name !== 'language');
  const names = (retained: boolean) =>
    here.filter((c) => c.retained === retained).map((c) => c.name);
  for (const name of names(true))
    t.ok((await late.find((m) => m.topic === on(name))).retained, `${name} is retained`);
  for (const name of names(false))
    t.notOk(
      late.messages.some((m) => m.topic.startsWith(on(name))),
      `${name} is not`,
    );

  for (const { name } of here)
    t.ok(
      subscriber.messages.some((m) => m.topic.split('/')[2] === name),
      `${name} was seen`,
    );
  const said = subscriber.messages.filter((m) => !m.topic.startsWith(on('request/')));
  t.same(
    said.map(contractFaultOf).filter((what) => what !== ''),
    [],
  );
});

void t.test('a wake phrase is told as the contract says', async (t) => {
  const { subscriber, event, first, say } = await stage(t, {
    recognizer: { mode: 'wake', wake: { phrase: 'red machine' } },
  });
  await say('red machine');
  await event('wake');
  await say('stop conveyor one');
  await first('intent/Stop');
  t.same(
    subscriber.messages.map(contractFaultOf).filter((what) => what !== ''),
    [],
  );
});
