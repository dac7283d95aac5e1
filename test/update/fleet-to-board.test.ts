/** From the publisher's folder over HTTP to a daemon that hears all the while. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Daemon, type DaemonOptions } from '../sim/daemon.js';
import { FleetSim } from '../sim/fleet-sim.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { RepositorySim } from '../sim/repository-sim.js';
import { fault } from '../sim/schemas.js';
import {
  joined,
  silence,
  speak,
  toneBundle,
  toneGrammar,
  type ToneBundle,
} from '../sim/tone-bundle.js';

const on = (topic: string) => `kikitori/board/${topic}`;

void t.test('publish, trial, commit; bad ones go back by themselves and say why', async (t) => {
  const fleet = await FleetSim.make(t, { nowMs: Date.now() });
  const server = await RepositorySim.start(t, fleet.dir);
  const bundle = async (o: ToneBundle) =>
    (await toneBundle(join(fleet.folder, `${o.version}.tar`), o)).path;
  const publish = async (o: ToneBundle) => {
    fleet.clock.nowMs = Date.now();
    return fleet.publish(o.version, { bundle: await bundle(o) });
  };
  const rootPath = join(fleet.folder, 'root-of-board.json');
  await cp(join(fleet.dir, 'root.json'), rootPath);
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const options: DaemonOptions = {
    url: broker.url,
    model: await bundle({ version: '1.0.0' }),
    grammar: toneGrammar,
    mic,
    update: {
      url: server.url,
      rootPath,
      checkEveryMs: '1s',
      trial: { utterances: 6, minSample: 5 },
      limits: { selftestMs: '60s' },
    },
  };
  let daemon = await Daemon.start(options);
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
  });
  const updates = () => subscriber.topics(on('update')).map((m) => m.json);
  const state = async (version: string, wanted: string) => {
    await until(`${version} ${wanted}`, () =>
      updates().some(
        (u) => u['state'] === wanted && String(u['deployment']).length > 0 && latest(version, u),
      ),
    ).catch((error: unknown) => {
      const lines = daemon.child.lines.slice(-30).join('\n');
      const seen = JSON.stringify(updates().at(-1));
      throw new Error(`${String(error)}\nlast seen: ${seen}\n${lines}\n${daemon.child.errors}`);
    });
    return updates().findLast((u) => u['state'] === wanted) ?? {};
  };
  const latest = (version: string, u: Record<string, unknown>) => u['latestVersion'] === version;
  const answers = () =>
    subscriber.topics(on('transcript')).length + subscriber.topics(on('rejected')).length;
  let said = 0;
  const say = async (text: string) => {
    const before = answers();
    said++;
    await mic.say(joined([silence(200), speak(text), silence(700)]));
    await until(`an answer to the sentence number ${said}`, () => answers() > before);
  };
  await daemon.event('mic.up');
  await say('stop');

  // A good one: said all the while, so one of the sentences meets the change.
  await publish({ version: '1.1.0' });
  while (!updates().some((u) => u['state'] === 'committed')) await say('go left');
  t.match(await state('1.1.0', 'committed'), { installedVersion: '1.1.0', progress: null });
  t.equal(subscriber.topics(on('transcript')).length, said, 'every sentence was heard, once');
  const models = new Set(subscriber.topics(on('transcript')).map((m) => m.json['model']));
  t.same([...models], ['tones@1.0.0', 'tones@1.1.0']);
  await until('the event', () =>
    subscriber.topics(on('event')).some((m) => m.json['event'] === 'model-committed'),
  );

  // One that refuses everything in the field.
  await publish({ version: '1.2.0', confidence: -3 });
  await state('1.2.0', 'trial');
  while (!updates().some((u) => u['state'] === 'rolled-back')) await say('stop');
  t.match(await state('1.2.0', 'rolled-back'), {
    installedVersion: '1.1.0',
    reason: 'refuses',
    error: /refuses 100 %/,
  });
  const accepted = subscriber.topics(on('transcript')).length;
  await say('start');
  t.equal(subscriber.topics(on('transcript')).length, accepted + 1, 'the one before hears again');

  // One whose clip says something else than it claims.
  await publish({ version: '1.3.0', claims: 'go left' });
  t.match(await state('1.3.0', 'rejected'), {
    installedVersion: '1.1.0',
    reason: 'selftest',
    error: /the clip says "go left", it heard "stop"/,
  });

  // The process dies during the trial.
  await publish({ version: '1.4.0' });
  await state('1.4.0', 'trial');
  await daemon.child.kill('SIGKILL');
  const { folder } = daemon;
  daemon = await Daemon.start(options, folder);
  t.match(await state('1.4.0', 'rolled-back'), { installedVersion: '1.1.0', reason: 'crashed' });
  await daemon.event('mic.up');
  await say('stop');

  // A person decides.
  const transaction = 'back';
  await subscriber.publish(on('request/update'), { action: 'rollback', transaction });
  const answer = await subscriber.find(
    (m) => m.topic === on('response/update') && m.json['transaction'] === transaction,
  );
  t.match(answer.json, { status: 'ok', data: { state: 'rolled-back', reason: 'requested' } });
  await say('stop');
  t.equal(subscriber.topics(on('transcript')).at(-1)?.json['model'], 'tones@1.0.0');
  t.equal(answers(), said, 'nothing that was said went without an answer');

  for (const payload of updates()) t.equal(fault('update', payload), '');
  for (const { json } of subscriber.topics(on('event'))) t.equal(fault('event', json), '');
  t.equal(fault('response#/definitions/update', answer.json['data']), '');
});
