/** The daemon with hawkBit in its configuration: from an assignment to a model that hears, or does not. */
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Daemon } from '../../sim/daemon.js';
import { FleetSim } from '../../sim/fleet-sim.js';
import { HawkbitSim } from '../../sim/hawkbit-sim.js';
import { MicSim, until } from '../../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../../sim/mosquitto.js';
import { RepositorySim } from '../../sim/repository-sim.js';
import { fault } from '../../sim/schemas.js';
import {
  joined,
  silence,
  speak,
  toneBundle,
  toneGrammar,
  type ToneBundle,
} from '../../sim/tone-bundle.js';

void t.test('success, and a rollback that hawkBit hears of', async (t) => {
  const fleet = await FleetSim.make(t, { nowMs: Date.now() });
  const server = await RepositorySim.start(t, fleet.dir);
  const hawkbit = await HawkbitSim.start(t);
  const bundle = async (o: ToneBundle) =>
    (await toneBundle(join(fleet.folder, `${o.version}.tar`), o)).path;
  const signed = async (o: ToneBundle) => {
    fleet.clock.nowMs = Date.now();
    return (await fleet.publish(o.version, { bundle: await bundle(o), percent: 0 })).bundle;
  };
  const rootPath = join(fleet.folder, 'root-of-board.json');
  await cp(join(fleet.dir, 'root.json'), rootPath);
  const tokenFile = join(fleet.folder, 'token');
  await writeFile(tokenFile, 'gateway-token-of-tests\n');
  hawkbit.authorization = 'GatewayToken gateway-token-of-tests';
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const daemon = await Daemon.start({
    url: broker.url,
    model: await bundle({ version: '1.0.0' }),
    grammar: toneGrammar,
    mic,
    update: {
      url: server.url,
      rootPath,
      hawkbit: { url: hawkbit.url, token: 'gateway', tokenFile },
      trial: { utterances: 6, minSample: 5 },
      limits: { selftestMs: '60s' },
    },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
  });
  const answers = () =>
    subscriber.topics('kikitori/board/transcript').length +
    subscriber.topics('kikitori/board/rejected').length;
  const say = async (text: string) => {
    const before = answers();
    await mic.say(joined([silence(200), speak(text), silence(700)]));
    await until('an answer', () => answers() > before);
  };
  await daemon.event('mic.up');

  const good = hawkbit.assign(await signed({ version: '1.1.0' }));
  while (good.state === 'open') await say('go left');
  t.equal(good.state, 'success');
  t.match(hawkbit.attributes, { device: 'board', channel: 'stable' });

  const bad = hawkbit.assign(await signed({ version: '1.2.0', confidence: -3 }));
  while (bad.state === 'open') await say('stop');
  t.equal(bad.state, 'failure');
  t.match(
    bad.told.at(-1)?.details?.join(' '),
    /rolled-back: refuses .*refuses \d+ % of \d+ utterances/,
  );
  const info = () => subscriber.topics('kikitori/board/info').at(-1)?.json['model'];
  await until('1.1.0 hears', () => (info() as { version?: string })?.version === '1.1.0');

  for (const { json } of subscriber.topics('kikitori/board/update'))
    t.equal(fault('update', json), '');
  const everything = [...daemon.child.lines, ...subscriber.messages.map((m) => m.text)].join('\n');
  t.notMatch(everything, 'gateway-token-of-tests', 'the token is nowhere');
});
