/** The daemon that writes down free words, with language models that hawkBit assigns. */
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Daemon } from '../../sim/daemon.js';
import { FleetSim } from '../../sim/fleet-sim.js';
import { HawkbitSim } from '../../sim/hawkbit-sim.js';
import { languageTar } from '../../sim/language-bundle.js';
import { MicSim, until } from '../../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../../sim/mosquitto.js';
import { RepositorySim } from '../../sim/repository-sim.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../../sim/tone-model.js';

const on = (topic: string) => `kikitori/board/${topic}`;

void t.test('assigned, tried, heard with, and told', async (t) => {
  const fleet = await FleetSim.make(t, { nowMs: Date.now(), channels: ['stable', 'english'] });
  const server = await RepositorySim.start(t, fleet.dir);
  const hawkbit = await HawkbitSim.start(t);
  const rootPath = join(fleet.folder, 'root-of-board.json');
  await cp(join(fleet.dir, 'root.json'), rootPath);
  const tokenFile = join(fleet.folder, 'token');
  await writeFile(tokenFile, 'a-token-of-tests\n');
  const tones = await toneBundle();
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const daemon = await Daemon.start({
    ...{ url: broker.url, model: tones.path, mic },
    grammar: 'intents: {Stop: {data: [{sentences: ["stop [the] conveyor"]}]}}\n',
    recognizer: { mode: 'dictation' },
    update: {
      ...{ url: server.url, rootPath, checkEveryMs: '1s' },
      language: { channel: 'english', trigger: 'hawkbit' },
      hawkbit: { url: hawkbit.url, tokenFile },
      trial: { utterances: 6, minSample: 5 },
      limits: { selftestMs: '60s' },
    },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
    await rm(tones.folder, { recursive: true, force: true });
  });
  await daemon.event('mic.up');
  // The channel offers it to all, and is not what decides here.
  const bundle = await languageTar(join(fleet.folder, 'made'), {
    version: '1.0.0',
    text: 'stop the conveyor two\nset the light to blue\n'.repeat(3),
  });
  const offer = await fleet.publish('1.0.0', { bundle, channel: 'english', percent: 100 });
  await until('hawkBit was asked', () => hawkbit.requests.length > 3);
  t.notOk(subscriber.topics(on('language')).some((m) => m.json['state'] !== 'idle'));

  const action = hawkbit.assign(offer.bundle);
  const told = () => subscriber.topics(on('language')).map((m) => m.json);
  await until('on trial', () => told().some((u) => u['state'] === 'trial'));
  const transcripts = () => subscriber.topics(on('transcript'));
  const say = async () => {
    const before = transcripts().length;
    await mic.say(speak('set the light to blue', { beforeMs: 300, afterMs: 1200 }, tinyLexicon()));
    await until('it is written down', () => transcripts().length > before);
  };
  while (action.state === 'open') await say();
  t.equal(action.state, 'success');
  t.match(transcripts()[0]?.json, { text: 'set the light to blue' });
  t.match(told().at(-1), { state: 'committed', installedVersion: '1.0.0' });
  t.match(hawkbit.attributes, { device: 'board', channel: 'stable', language: 'english' });
});
