/** The operator's language model beside a channel's: it hears first, it is gone back to, and what is said where none fits. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { dictationFindings } from '../../src/cli/doctor/dictation.js';
import { loadConfig } from '../../src/config/index.js';
import { Engine } from '../../src/engine/engine.js';
import { Daemon } from '../sim/daemon.js';
import { FleetSim } from '../sim/fleet-sim.js';
import { languageTar } from '../sim/language-bundle.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { RepositorySim } from '../sim/repository-sim.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const on = (topic: string) => `kikitori/board/${topic}`;
const grammar = 'intents: {Stop: {data: [{sentences: ["stop [the] conveyor"]}]}}\n';
const lexicon = tinyLexicon();
const own = 'stop the conveyor two\nset the light to blue\n'.repeat(3);
const tones = await toneBundle();
const folder = await mkdtemp(join(tmpdir(), 'kikitori-language-'));
t.teardown(() => Promise.all([tones.folder, folder].map((f) => rm(f, { recursive: true }))));

/** The bundle that hears, made for a language model that nobody has. */
const manifestPath = join(tones.path, 'manifest.json');
const manifest = JSON.parse(await readFile(manifestPath, 'utf8')) as Record<string, unknown>;
const languageModel = { name: 'reports', minVersion: '2.0.0' };
await writeFile(manifestPath, JSON.stringify({ ...manifest, languageModel }));

void t.test("the operator's bundle, then the channel's, then the operator's again", async (t) => {
  const fleet = await FleetSim.make(t, { nowMs: Date.now(), channels: ['english'] });
  const server = await RepositorySim.start(t, fleet.dir);
  const made = join(fleet.folder, 'made');
  const rootPath = join(fleet.folder, 'root-of-board.json');
  await cp(join(fleet.dir, 'root.json'), rootPath);
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const daemon = await Daemon.start({
    url: broker.url,
    model: tones.path,
    ...{ grammar, mic },
    recognizer: {
      mode: 'dictation',
      languageModelPath: await languageTar(made, { version: '1.0.0', text: own }),
    },
    update: {
      ...{ url: server.url, rootPath, checkEveryMs: '1s' },
      language: { channel: 'english' },
      limits: { selftestMs: '60s' },
    },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
  });
  const last = (topic: string) => subscriber.topics(on(topic)).at(-1)?.json ?? {};
  const say = async (text: string) => {
    const count = () => subscriber.topics(on('transcript')).length;
    const before = count();
    await mic.say(speak(text, { beforeMs: 300, afterMs: 1200 }, lexicon));
    await until(`a transcript of "${text}"`, () => count() > before);
    t.match(last('transcript'), { text });
  };
  await daemon.event('mic.up');
  t.match(await daemon.event('dictation.other-model'), {
    why: 'it wants the language model reports 2.0.0 or newer, and site 1.0.0 hears',
  });
  await say('set the light to blue');
  t.match(last('info'), { languageModel: { name: 'site', version: '1.0.0' } });

  const text = `${own}${'turn on the hall light\n'.repeat(3)}`;
  const bundle = await languageTar(made, { name: 'reports', version: '2.0.0', text });
  fleet.clock.nowMs = Date.now();
  await fleet.publish('2.0.0', { bundle, channel: 'english' });
  await until('its trial', () => last('language')['state'] === 'trial');
  await say('turn on the hall light');
  t.match(last('language'), { installedVersion: '2.0.0' });
  t.match(last('info'), { languageModel: { name: 'reports', version: '2.0.0' } });

  // Sentences and terms are read again: the channel's language model stays.
  await subscriber.publish(on('request/grammar'), {});
  await until('an answer', () => last('response/grammar')['status'] === 'ok');
  await say('turn on the hall light');

  await subscriber.publish(on('request/language'), { action: 'rollback' });
  await until('back', () => last('language')['state'] === 'rolled-back');
  t.match(last('language'), { installedVersion: '1.0.0', reason: 'requested' });
  await say('stop the conveyor two');
  t.match(last('info'), { languageModel: { name: 'site', version: '1.0.0' } });
});

void t.test('the doctor says where a language model is to come from', async (t) => {
  const engine = await Engine.open({ modelPath: tones.path });
  t.teardown(() => engine.close());
  const findings = (languageModelPath: string) =>
    dictationFindings(
      loadConfig(undefined, {
        KIKITORI_RECOGNIZER_MODE: 'dictation',
        KIKITORI_RECOGNIZER_LANGUAGE_MODEL_PATH: languageModelPath,
        KIKITORI_UPDATE_LANGUAGE_CHANNEL: 'english',
      }),
      engine,
      null,
    );
  t.match(await findings(''), [
    {
      check: 'dictation',
      status: 'warning',
      what: /nothing is heard until the channel english has brought one/,
    },
  ]);
  const path = await languageTar(folder, { version: '1.0.0', text: own });
  t.match(await findings(path), [
    { check: 'dictation', status: 'ok', what: /site-1\.0\.0\.tar, 8 words/ },
  ]);
});
