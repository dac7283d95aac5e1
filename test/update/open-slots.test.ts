/** A new model is tried with the language model too, in its confined process, and any words are heard by it afterwards. */
import { cp, mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Daemon } from '../sim/daemon.js';
import { FleetSim } from '../sim/fleet-sim.js';
import { languageFile } from '../sim/language-bundle.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { RepositorySim } from '../sim/repository-sim.js';
import { joined, silence, speak, toneBundle } from '../sim/tone-bundle.js';

const on = (topic: string) => `kikitori/board/${topic}`;
const grammar = 'intents: {Go: {data: [{sentences: ["go {dictation}"]}]}}\n';

void t.test('a model is changed, and any words are heard by the new one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-open-update-'));
  const words = await languageFile(folder, 'words', 'left\nstart left\n'.repeat(3));
  const fleet = await FleetSim.make(t, { nowMs: Date.now() });
  const server = await RepositorySim.start(t, fleet.dir);
  const bundle = async (version: string) =>
    (await toneBundle(join(fleet.folder, `${version}.tar`), { version })).path;
  const publish = async (version: string) => {
    fleet.clock.nowMs = Date.now();
    await fleet.publish(version, { bundle: await bundle(version) });
  };
  const rootPath = join(fleet.folder, 'root-of-board.json');
  await cp(join(fleet.dir, 'root.json'), rootPath);
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const daemon = await Daemon.start({
    ...{ url: broker.url, model: await bundle('1.0.0'), grammar, mic },
    recognizer: { languageModelPath: words },
    update: {
      ...{ url: server.url, rootPath, checkEveryMs: '1s' },
      trial: { utterances: 6, minSample: 5 },
      limits: { selftestMs: '60s' },
    },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
    await rm(folder, { recursive: true, force: true });
  });
  const updates = () => subscriber.topics(on('update')).map((m) => m.json);
  const intents = () => subscriber.topics(on('intent/Go')).map((m) => m.json);
  const say = async () => {
    const before = intents().length;
    await mic.say(joined([silence(300), speak('go left'), silence(1200)]));
    await until('its intent', () => intents().length > before);
    t.match(intents().at(-1), { slots: { dictation: 'left' } });
  };
  await daemon.event('mic.up');
  await say();

  await publish('1.1.0');
  while (!updates().some((u) => u['state'] === 'committed')) await say();
  await say();
  t.equal(intents().at(-1)?.['model'], 'tones@1.1.0');

  await t.test(
    'a language model that is damaged meanwhile is no fault of the bundle',
    async (t) => {
      await truncate(words, (await readFile(words)).length - 10);
      await publish('1.2.0');
      await until('it is told', () => updates().some((u) => u['reason'] === 'site-fault'));
      const told = updates().findLast((u) => u['reason'] === 'site-fault');
      t.match(told, { installedVersion: '1.1.0', error: /words\.lm: .*whole file/ });
      await say();
    },
  );
});
