/** Commands with any words in them by the daemon as it ships: a real broker, a language model made here, wrong files. */
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Daemon } from '../sim/daemon.js';
import { languageFile } from '../sim/language-bundle.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber, type Message } from '../sim/mosquitto.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';
import { joined } from '../sim/tone-bundle.js';

const grammar = `lists: { thing: { wildcard: true } }
intents:
  Stop: { data: [{ sentences: ["stop [the] conveyor"] }] }
  Set: { data: [{ sentences: ["set the {thing} to blue"] }] }
  Note: { data: [{ sentences: ["turn on {dictation}"] }] }
`;
const lexicon = tinyLexicon();

const [{ path: model, folder: modelFolder }, folder] = await Promise.all([
  toneBundle(),
  mkdtemp(join(tmpdir(), 'kikitori-open-slots-')),
]);
t.teardown(async () => {
  await rm(modelFolder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

const languageModel = (text: string) => languageFile(folder, 'site', text);

void t.test('any words in a command, on MQTT; wrong files change nothing', async (t) => {
  const path = await languageModel('the light is blue\nstop conveyor two to one\n'.repeat(3));
  const boostPath = join(folder, 'terms');
  await writeFile(boostPath, '');
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const daemon = await Daemon.start({
    url: broker.url,
    ...{ model, grammar, mic },
    recognizer: {
      ...{ languageModelPath: path, boostPath, openMs: 1500, maxUtteranceMs: 30_000 },
    },
    publish: { partials: true },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
  });
  const say = (...texts: string[]) =>
    mic.say(
      joined(
        texts.map((text, i) =>
          speak(
            text,
            { beforeMs: i === 0 ? 700 : 0, afterMs: i === texts.length - 1 ? 2500 : 800 },
            lexicon,
          ),
        ),
      ),
    );
  const on = (topic: string) => `kikitori/board/${topic}`;
  const nth = async (topic: string, n = 1) => {
    await until(`${n} on ${topic}`, () => subscriber.topics(on(topic)).length >= n);
    return (subscriber.topics(on(topic))[n - 1] as Message).json;
  };
  const reload = async () => {
    const transaction = `grammar-${performance.now()}`;
    await subscriber.publish(on('request/grammar'), { transaction });
    const answer = await subscriber.find(
      (m) => m.topic === on('response/grammar') && m.json['transaction'] === transaction,
    );
    return answer.json;
  };
  await daemon.event('mic.up');

  await t.test('what was said in the slot, how sure it is and when it was said', async (t) => {
    t.match(await nth('info'), { languageModel: { sha256: /^[0-9a-f]{64}$/, words: Number } });
    await say('set the light to blue');
    const json = await nth('intent/Set');
    t.match(json, {
      text: 'set the light to blue',
      slots: { thing: 'light' },
      said: { thing: 'light' },
      openSlots: { thing: { confidence: Number, startMs: Number, endMs: Number } },
    });
    const [, , word] = json['words'] as Record<string, unknown>[];
    const { thing } = json['openSlots'] as { thing: Record<string, number> };
    t.match(word, { word: 'light', startMs: thing['startMs'], endMs: thing['endMs'] });
    t.ok((thing['confidence'] ?? 0) > 0.5 && (thing['confidence'] ?? 2) <= 1);
    t.match(await nth('transcript'), { text: 'set the light to blue' });
    const partials = subscriber.topics(on('partial')).map((m) => m.json['text']);
    t.ok(partials.includes('set the ...'), partials.join(' | '));
  });

  await t.test('a command without a slot beside it', async (t) => {
    await say('stop the conveyor');
    const json = await nth('intent/Stop');
    t.match(json, { text: 'stop the conveyor', slots: {} });
    t.notOk('openSlots' in json);
  });

  await t.test('a pause within the slot does not end it', async (t) => {
    await say('turn on the light', 'is blue');
    t.match(await nth('intent/Note'), { slots: { dictation: 'the light is blue' } });
  });

  await t.test('more words than a slot may have are refused as too long', async (t) => {
    await say(`turn on ${'to '.repeat(13)}`.trim());
    t.match(await nth('rejected'), {
      reason: 'too-long',
      best: { intent: 'Note', openSlots: { dictation: {} } },
    });
  });

  await t.test(
    'what is wrong with each file is said at once, and the old ones hear on',
    async (t) => {
      const whole = await readFile(path);
      await truncate(path, whole.length - 100);
      await writeFile(daemon.grammarPath, grammar.replace('{thing}', '{things}'));
      await writeFile(boostPath, 'hall: loud\n');
      const { status, error } = await reload();
      t.equal(status, 'error');
      t.match(error, /sentences\.yaml:4:\d+: .*\{things\}/);
      t.match(error, /terms:1:7: "loud", expected/);
      t.match(error, /site\.lm: .*whole file/);
      await writeFile(daemon.grammarPath, grammar);
      await writeFile(boostPath, '');
      t.match(await reload(), { status: 'error', error: /site\.lm: .*whole file/ });
      daemon.child.child.kill('SIGHUP');
      t.match(await daemon.event('config.refused'), { why: /site\.lm/ });
      await say('set the light to blue');
      t.match(await nth('intent/Set', 2), { slots: { thing: 'light' } });
      await writeFile(path, whole);
    },
  );

  await t.test('own terms and other sentences while it runs', async (t) => {
    await writeFile(boostPath, 'kitchen: 1000\n');
    await writeFile(daemon.grammarPath, grammar.replace('to blue', 'to red'));
    t.match(await reload(), { status: 'ok' });
    await say('set the kitchen to red');
    t.match(await nth('intent/Set', 3), { slots: { thing: 'kitchen' } });
  });

  await t.test(
    'without a language model such sentences are refused, and it hears on',
    async (t) => {
      const config = JSON.parse(await readFile(daemon.configPath, 'utf8')) as {
        recognizer: Record<string, unknown>;
      };
      config.recognizer = {};
      await writeFile(daemon.configPath, JSON.stringify(config));
      daemon.child.child.kill('SIGHUP');
      t.match(await daemon.event('config.refused', 2), {
        why: /list \{dictation\} is not defined .*recognizer\.languageModelPath/,
      });
      await say('set the kitchen to red');
      t.match(await nth('intent/Set', 4), { slots: { thing: 'kitchen' } });
      const closed = grammar.split('\n').filter((line) => !line.includes('Note'));
      await writeFile(daemon.grammarPath, closed.join('\n'));
      daemon.child.child.kill('SIGHUP');
      await daemon.event('config.reloaded');
      await say('stop the conveyor');
      await nth('intent/Stop', 2);
      const last = subscriber.topics(on('info')).at(-1);
      t.notOk('languageModel' in (last?.json ?? {}), 'its memory is given back');
    },
  );
});

void t.test('a language model that is wrong at the start is told with the sentences', async (t) => {
  const broken = join(folder, 'broken.lm');
  await writeFile(broken, (await readFile(await languageModel('stop\n'))).subarray(0, 100));
  const daemon = await Daemon.start({
    url: 'mqtt://127.0.0.1:9',
    ...{ model, grammar: grammar.replace('conveyor"', '{none}"') },
    recognizer: { languageModelPath: broken },
    capture: { source: 'stdin' },
    watched: false,
  });
  t.teardown(() => daemon.remove());
  t.not(await daemon.child.exit(), 0);
  const said = `${daemon.child.lines.join('\n')}\n${daemon.child.errors}`;
  t.match(said, /broken\.lm: /);
  t.match(said, /sentences\.yaml:3:\d+: .*\{none\}/);
});
