/** The daemon as it ships, a real broker, and a microphone that says what the test wants. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Daemon } from '../sim/daemon.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber, type Message } from '../sim/mosquitto.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const grammar = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor [{n}]"]}]}
  Light: {data: [{sentences: ["turn (on|off) the (kitchen|hall) light"]}]}
  Speed: {data: [{sentences: ["set [the] speed to {percent} percent"]}]}
lists:
  n: {values: [{in: one, out: 1}, {in: two, out: 2}]}
  percent: {range: {from: 0, to: 100, step: 5}}
`;
const lexicon = tinyLexicon();
const say = (mic: MicSim, text: string) =>
  mic.say(speak(text, { beforeMs: 300, afterMs: 300 }, lexicon));

type Test = Parameters<Parameters<typeof t.test>[0]>[0];
const bundle = toneBundle();
t.teardown(async () => rm((await bundle).folder, { recursive: true, force: true }));

async function stage(t: Test, options: Partial<Parameters<typeof Daemon.start>[0]> = {}) {
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
  const find = (wanted: (m: Message) => boolean) => subscriber.find(wanted);
  const on = (topic: string) => `kikitori/board/${topic}`;
  /** Waits for the nth message on a topic. */
  const nth = async (topic: string, n = 1) => {
    await until(`${n} on ${topic}`, () => subscriber.topics(on(topic)).length >= n);
    return subscriber.topics(on(topic))[n - 1] as Message;
  };
  const request = async (name: string, payload: Record<string, unknown> = {}) => {
    const transaction = `${name}-${Math.floor(performance.now())}`;
    await subscriber.publish(on(`request/${name}`), { transaction, ...payload });
    return find((m) => m.topic === on(`response/${name}`) && m.json['transaction'] === transaction);
  };
  /** What was said is played, and the daemon has been at work for a while since. */
  const heardAll = async () => {
    await mic.played();
    const count = () => subscriber.topics(on('health')).length;
    const enough = count() + 3;
    await until('it is at work', () => count() >= enough);
  };
  return { broker, subscriber, mic, daemon, find, on, nth, request, heardAll };
}

void t.test('a day of a daemon', async (t) => {
  const { broker, subscriber, mic, daemon, find, on, nth, request, heardAll } = await stage(t);
  await daemon.event('mic.up');

  await t.test('says who it is, and what it heard', async (t) => {
    t.match((await find((m) => m.topic === on('state'))).json, { state: 'online' });
    const info = (await find((m) => m.topic === on('info'))).json;
    t.ok((info['grammar'] as { sentences: number }).sentences >= 52);
    await say(mic, 'stop the conveyor two');
    const { json, qos } = await nth('intent/Stop');
    t.match(json, {
      text: 'stop the conveyor two',
      intent: 'Stop',
      slots: { n: 2 },
      seq: 0,
      replayed: false,
    });
    t.equal(qos, 1);
    t.ok(
      Number(json['latencyMs']) >= 250,
      `the end of the utterance takes its time: ${String(json['latencyMs'])}`,
    );
    const durationMs = Number(json['durationMs']);
    t.ok(durationMs > 1500 && durationMs < 4000, `${durationMs} ms of speech`);
    t.ok(Date.parse(String(json['startedAt'])) < Date.parse(String(json['endedAt'])));
    t.equal((await nth('transcript')).json['id'], json['id']);
  });

  await t.test('refuses what is no command', async (t) => {
    await say(mic, 'red machine go left please');
    t.match((await nth('rejected')).json, { reason: /./ });
    t.equal(subscriber.topics(on('transcript')).length, 1);
  });

  await t.test('a broker that is killed: safe on disk first, sent when it is back', async (t) => {
    await broker.kill();
    await daemon.event('mqtt.down');
    await say(mic, 'turn on the hall light');
    await daemon.event('heard.accepted', 2);
    const outbox = join(daemon.folder, 'state', 'outbox');
    const stored = await Promise.all(
      (await readdir(outbox)).map((name) => readFile(join(outbox, name), 'latin1').catch(() => '')),
    );
    t.match(stored.join(''), /turn on the hall light/, 'on disk when it counts as heard');
    // The daemon stands still until the subscriber is back, which would miss the message else.
    daemon.child.child.kill('SIGSTOP');
    await broker.start();
    await until('the subscriber', () => subscriber.client.connected);
    await subscriber.client.subscribeAsync('#', { qos: 1 });
    daemon.child.child.kill('SIGCONT');
    t.match((await nth('intent/Light')).json, { text: 'turn on the hall light', seq: 1 });
    t.equal(daemon.events('mic.lost').length, 0, 'standing still is not losing the microphone');
  });

  await t.test('a microphone that goes: said, opened again, and said', async (t) => {
    const [start] = await mic.starts();
    process.kill(start?.pid ?? 0, 'SIGKILL');
    await find((m) => m.topic === on('event') && m.json['event'] === 'mic-lost');
    await find((m) => m.topic === on('event') && m.json['event'] === 'mic-restored');
    await find((m) => m.topic === on('health') && m.json['mic'] === 'up');
    await say(mic, 'stop conveyor one');
    t.match((await nth('intent/Stop', 2)).json, { slots: { n: 1 } });
  });

  await t.test('muted it hears nothing', async (t) => {
    t.match((await request('mute', { mute: true })).json, { status: 'ok', data: { muted: true } });
    await say(mic, 'stop conveyor two');
    await heardAll();
    await request('mute', { mute: false });
    await say(mic, 'turn off the kitchen light');
    t.match((await nth('intent/Light', 2)).json, { text: 'turn off the kitchen light' });
    t.equal(subscriber.topics(on('intent/Stop')).length, 2);
  });

  await t.test('new sentences while somebody speaks; wrong ones change nothing', async (t) => {
    await say(mic, 'set the speed to thirty five percent');
    await writeFile(
      daemon.grammarPath,
      `${grammar.replace('lists:', '  Call: {data: [{sentences: ["call [the] supervisor"]}]}\nlists:')}`,
    );
    t.match((await request('grammar')).json, { status: 'ok', data: { sentences: Number } });
    t.match((await nth('intent/Speed')).json, { slots: { percent: 35 } });
    await say(mic, 'call the supervisor');
    await nth('intent/Call');
    await writeFile(daemon.grammarPath, 'intents: {A: {data: [{sentences: ["go {where}"]}]}}');
    const answer = (await request('grammar')).json;
    t.match(answer, {
      status: 'error',
      error: /sentences\.yaml:1:\d+: list \{where\} is not defined/,
    });
    await say(mic, 'call supervisor');
    await nth('intent/Call', 2);
  });

  await t.test('SIGTERM: says what was being said, says goodbye, ends with 0', async (t) => {
    const before = daemon.events('heard.accepted').length + daemon.events('heard.rejected').length;
    const count = () =>
      daemon.events('heard.accepted').length + daemon.events('heard.rejected').length;
    const starts = await mic.starts();
    await say(mic, 'set the speed to twenty percent');
    await mic.played();
    daemon.child.child.kill('SIGTERM');
    t.equal(await daemon.child.exit(), 0);
    await find((m) => m.topic === on('state') && m.json['state'] === 'offline');
    t.ok(count() > before, 'what was being said is decided');
    t.equal(daemon.events('agent.stopped').length, 1);
    await until('the recorder is gone', async () => (await mic.alive()).length === 0);
    t.ok(starts.length >= 2);
    t.notMatch(daemon.child.lines.join(''), /conveyor two/, 'no words in the log');
  });
});

void t.test('push-to-talk: only between listen and stop', async (t) => {
  const { subscriber, mic, daemon, on, nth, request, heardAll } = await stage(t, {
    recognizer: { mode: 'push-to-talk' },
    log: { transcripts: true },
  });
  await daemon.event('mic.up');
  await say(mic, 'stop conveyor one');
  await heardAll();
  t.equal(subscriber.topics(on('transcript')).length, 0);
  t.match((await request('listen')).json, { status: 'ok' });
  await say(mic, 'turn on the kitchen light');
  // It ends by itself after the sentence.
  t.match((await nth('intent/Light')).json, { text: 'turn on the kitchen light' });
  t.equal(subscriber.topics(on('transcript')).length, 1);
  t.match(daemon.events('heard.accepted')[0], { text: 'turn on the kitchen light' });
  t.match((await request('stop')).json, { status: 'ok' });
  t.match((await request('nonsense')).json, { status: 'error', error: /unknown request/ });
});
