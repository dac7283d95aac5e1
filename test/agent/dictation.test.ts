/** Free words by the daemon as it ships: a real broker, a language model made here, files that change and are wrong. */
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Daemon } from '../sim/daemon.js';
import { languageFile } from '../sim/language-bundle.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber, type Message } from '../sim/mosquitto.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const grammar = 'intents: {Stop: {data: [{sentences: ["stop [the] conveyor"]}]}}\n';
const lexicon = tinyLexicon();
/** Dictation ends at 600 ms of quiet; noise of the microphone follows. */
const say = (mic: MicSim, text: string) =>
  mic.say(speak(text, { beforeMs: 300, afterMs: 1200 }, lexicon));

const [{ path: model, folder: modelFolder }, folder] = await Promise.all([
  toneBundle(),
  mkdtemp(join(tmpdir(), 'kikitori-dictation-daemon-')),
]);
t.teardown(async () => {
  await rm(modelFolder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

const languageModel = (name: string, text: string) => languageFile(folder, name, text);

void t.test('free words on MQTT; wrong files change nothing', async (t) => {
  const path = await languageModel(
    'first',
    'stop the conveyor two\nset the light to blue\nstop conveyor one\n'.repeat(3),
  );
  const boostPath = join(folder, 'terms');
  await writeFile(boostPath, 'kitchen: 100\n');
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const daemon = await Daemon.start({
    url: broker.url,
    ...{ model, grammar, mic },
    recognizer: { mode: 'dictation', languageModelPath: path, boostPath },
    publish: { partials: true },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
  });
  const on = (topic: string) => `kikitori/board/${topic}`;
  const nth = async (topic: string, n = 1) => {
    await until(`${n} on ${topic}`, () => subscriber.topics(on(topic)).length >= n);
    return subscriber.topics(on(topic))[n - 1] as Message;
  };
  const reload = async () => {
    const transaction = `grammar-${performance.now()}`;
    await subscriber.publish(on('request/grammar'), { transaction });
    return subscriber.find(
      (m) => m.topic === on('response/grammar') && m.json['transaction'] === transaction,
    );
  };
  await daemon.event('mic.up');

  await t.test('what is said between two pauses is a transcript, and no command', async (t) => {
    await say(mic, 'set the light to blue');
    const { json, qos } = await nth('transcript');
    t.equal(qos, 1);
    t.match(json, { text: 'set the light to blue', seq: 0, replayed: false });
    const words = json['words'] as { word: string; startMs: number; endMs: number }[];
    t.same(
      words.map((w) => w.word),
      ['set', 'the', 'light', 'to', 'blue'],
    );
    t.equal(words[0]?.startMs, 0, 'startedAt is the beginning of the first word');
    t.equal(json['durationMs'], words.at(-1)?.endMs);
    await say(mic, 'stop the conveyor two');
    t.match((await nth('transcript', 2)).json, { text: 'stop the conveyor two', seq: 1 });
    t.ok(subscriber.topics(on('partial')).length > 0, 'while it is said');
    t.equal(daemon.events('heard.accepted').length, 2);
    t.notOk(subscriber.messages.some((m) => m.topic.startsWith(on('intent/'))));
  });

  await t.test('a term of the site that the language model lacks is heard', async (t) => {
    await say(mic, 'stop the kitchen');
    t.match((await nth('transcript', 3)).json, { text: 'stop the kitchen' });
  });

  await t.test(
    'a truncated model and a wrong list are refused, and the old ones hear',
    async (t) => {
      const whole = await readFile(path);
      await truncate(path, whole.length - 100);
      t.match((await reload()).json, { status: 'error', error: /first\.lm: .*whole file/ });
      await writeFile(path, whole);
      await writeFile(boostPath, 'kitchen: 100\nhall: loud\n');
      t.match((await reload()).json, { status: 'error', error: /terms:2:7: "loud", expected/ });
      await say(mic, 'stop the kitchen');
      t.match((await nth('transcript', 4)).json, { text: 'stop the kitchen' });
      await truncate(path, 0);
      daemon.child.child.kill('SIGHUP');
      t.match(await daemon.event('config.refused'), { why: /first\.lm/ });
      await say(mic, 'stop conveyor one');
      t.match((await nth('transcript', 5)).json, { text: 'stop conveyor one' });
    },
  );

  await t.test('another model by SIGHUP, without a restart', async (t) => {
    await languageModel('first', 'turn on the hall light\n'.repeat(3));
    await writeFile(boostPath, '');
    daemon.child.child.kill('SIGHUP');
    await daemon.event('config.reloaded');
    await say(mic, 'turn on the hall light');
    const { json } = await nth('transcript', 6);
    t.match(json, { text: 'turn on the hall light' });
    t.not(json['grammar'], (await nth('transcript', 1)).json['grammar']);
  });

  await t.test(
    'by request: one transcript after listen, and an answer if nothing is said',
    async (t) => {
      const config = JSON.parse(await readFile(daemon.configPath, 'utf8')) as {
        recognizer: Record<string, unknown>;
      };
      config.recognizer = { ...config.recognizer, dictation: 'push-to-talk' };
      await writeFile(daemon.configPath, JSON.stringify(config));
      daemon.child.child.kill('SIGHUP');
      await daemon.event('config.reloaded', 2);
      const request = async (name: string) => {
        const transaction = `${name}-${performance.now()}`;
        await subscriber.publish(on(`request/${name}`), { transaction });
        await subscriber.find((m) => m.json['transaction'] === transaction && 'status' in m.json);
      };
      const rejected = subscriber.topics(on('rejected')).length;
      await request('listen');
      await request('stop');
      t.match((await nth('rejected', rejected + 1)).json, { reason: 'noise', best: { text: '' } });
      await request('listen');
      await say(mic, 'turn on the hall light');
      t.match((await nth('transcript', 7)).json, { text: 'turn on the hall light' });
      config.recognizer['dictation'] = 'always';
      await writeFile(daemon.configPath, JSON.stringify(config));
      daemon.child.child.kill('SIGHUP');
      await daemon.event('config.reloaded', 3);
    },
  );

  await t.test('SIGTERM: what was being said is not lost', async (t) => {
    await say(mic, 'turn on the light');
    await mic.played();
    daemon.child.child.kill('SIGTERM');
    t.equal(await daemon.child.exit(), 0);
    await nth('transcript', 8);
  });
});

void t.test('without a whole language model it does not start, and says why', async (t) => {
  const broken = join(folder, 'broken.lm');
  const whole = await readFile(await languageModel('whole', 'stop the conveyor\n'));
  await writeFile(broken, whole.subarray(0, whole.length / 2));
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ mode: 'dictation' }, /got "dictation", expected recognizer\.languageModelPath/],
    [{ mode: 'dictation', languageModelPath: join(folder, 'none.lm') }, /none\.lm: .*no such file/],
    [{ mode: 'dictation', languageModelPath: broken }, /broken\.lm: .*whole file/],
    [
      { mode: 'dictation', languageModelPath: join(folder, 'whole.txt') },
      /whole\.txt: it is no language model.*lm import/,
    ],
  ];
  for (const [recognizer, message] of cases) {
    const daemon = await Daemon.start({
      url: 'mqtt://127.0.0.1:9',
      ...{ model, grammar, recognizer },
      capture: { source: 'stdin' },
      watched: false,
    });
    try {
      t.not(await daemon.child.exit(), 0);
      t.match(`${daemon.child.lines.join('\n')}\n${daemon.child.errors}`, message);
    } finally {
      await daemon.remove();
    }
  }
});
