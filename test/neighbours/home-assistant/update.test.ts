/** The model as an update of Home Assistant's: from a signed repository, by a press there, to a trial and its end. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Daemon } from '../../sim/daemon.js';
import { FleetSim } from '../../sim/fleet-sim.js';
import { HomeAssistantSim } from '../../sim/home-assistant-sim.js';
import { noJinja } from '../../sim/jinja.js';
import { MicSim, until } from '../../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../../sim/mosquitto.js';
import { RepositorySim } from '../../sim/repository-sim.js';
import {
  joined,
  silence,
  speak,
  toneBundle,
  toneGrammar,
  type ToneBundle,
} from '../../sim/tone-bundle.js';

const entity = 'update.board_model';

void t.test('a model offered, installed by a press, and tried', { skip: noJinja() }, async (t) => {
  const fleet = await FleetSim.make(t, { nowMs: Date.now() });
  const server = await RepositorySim.start(t, fleet.dir);
  const bundle = async (o: ToneBundle) =>
    (await toneBundle(join(fleet.folder, `${o.version}.tar`), o)).path;
  /** Offered to no board by itself: a person decides. */
  const offer = async (o: ToneBundle) => {
    fleet.clock.nowMs = Date.now();
    await fleet.publish(o.version, { bundle: await bundle(o), percent: 0 });
  };
  const rootPath = join(fleet.folder, 'root-of-board.json');
  await cp(join(fleet.dir, 'root.json'), rootPath);
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const home = await HomeAssistantSim.open(broker.url);
  const mic = await MicSim.create({});
  const daemon = await Daemon.start({
    ...{ url: broker.url, model: await bundle({ version: '1.0.0' }), grammar: toneGrammar, mic },
    publish: { homeAssistant: { enabled: true } },
    update: {
      ...{ url: server.url, rootPath, checkEveryMs: '1s' },
      ...{ trial: { utterances: 6, minSample: 5 }, limits: { selftestMs: '60s' } },
    },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await home.close();
    await subscriber.close();
    await broker.close();
  });
  const answers = () =>
    ['transcript', 'rejected'].flatMap((name) => subscriber.topics(`kikitori/board/${name}`))
      .length;
  const say = async (text: string) => {
    const before = answers();
    await mic.say(joined([silence(200), speak(text), silence(700)]));
    await until('an answer', () => answers() > before);
  };
  const shows = (what: string, state: 'on' | 'off', wanted: Record<string, unknown>) =>
    until(`${what}: ${JSON.stringify(wanted)}`, () => {
      const now = home.attributes(entity) ?? {};
      return home.state(entity) === state && Object.entries(wanted).every(([k, v]) => now[k] === v);
    });
  const answered = async (count: number) => {
    const topic = 'kikitori/board/response/update';
    await until('an answer to the press', () => subscriber.topics(topic).length === count);
    return subscriber.topics(topic).at(-1)?.json;
  };
  const idle = { in_progress: false, update_percentage: null };
  await daemon.event('mic.up');

  await t.test('nothing newer is known', async (t) => {
    await shows('at first', 'off', { installed_version: '1.0.0', latest_version: '1.0.0' });
    t.match(home.attributes(entity), idle);
    // Asked at least once before there is something, however slow the machine is.
    await until('it has asked', () =>
      /nothing for this channel/.test(String(home.attributes(entity)?.['release_summary'])),
    );
  });

  await t.test('a newer one is offered and not taken', async (t) => {
    await offer({ version: '1.1.0' });
    await shows('offered', 'on', { installed_version: '1.0.0', latest_version: '1.1.0' });
    t.match(home.attributes(entity), { ...idle, release_summary: '' });
  });

  await t.test('pressed: downloaded with its progress, tried, taken for good', async (t) => {
    let goOn: () => void = () => undefined;
    const halfway = new Promise<void>((resolve) => (goOn = resolve));
    server.fault = async ({ path, response, bytes }) => {
      if (!/bundles\//.test(path) || bytes === undefined) return false;
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, Math.ceil(bytes.length / 2)));
      await halfway;
      response.end(bytes.subarray(Math.ceil(bytes.length / 2)));
      return true;
    };
    await home.install(entity);
    await shows('it is downloaded', 'on', {
      ...{ installed_version: '1.0.0', latest_version: '1.1.0', in_progress: true },
    });
    // Told in steps of 5 %, by the pieces that arrive.
    await until('nearly half of it is there', () => {
      const percent = Number(home.attributes(entity)?.['update_percentage']);
      return percent > 40 && percent <= 50;
    });
    goOn();
    server.fault = () => false;
    t.match(await answered(1), { status: 'ok', data: { available: true } });
    await shows('on trial', 'off', {
      ...{ installed_version: '1.1.0', latest_version: '1.1.0', ...idle },
      release_summary: 'On trial: the one before is kept.',
    });
    while (home.attributes(entity)?.['release_summary'] !== 'The trial was passed.')
      await say('go left');
    await shows('committed', 'off', { installed_version: '1.1.0', latest_version: '1.1.0' });
    const summaries = home.updates.map((u) => String(u['release_summary']));
    t.match(
      summaries.filter((summary, i) => summary !== '' && summary !== summaries[i - 1]),
      [/nothing for this channel/, /^Downloaded and checked/, /^On trial/, /^The trial was passed/],
      'each state in its turn',
    );
  });

  await t.test('one that refuses what is said goes back by itself', async (t) => {
    const before = home.updates.length;
    await offer({ version: '1.2.0', confidence: -3 });
    await shows('offered', 'on', { installed_version: '1.1.0', latest_version: '1.2.0' });
    await home.install(entity);
    await shows('on trial', 'off', { installed_version: '1.2.0', latest_version: '1.2.0' });
    const refused = () =>
      /refuses 100 %/.test(String(home.attributes(entity)?.['release_summary']));
    while (!refused()) await say('stop');
    // What was refused here is not offered again.
    await shows('back', 'off', {
      ...{ installed_version: '1.1.0', latest_version: '1.1.0', ...idle },
    });
    const told = home.updates.slice(before);
    t.same(
      told
        .filter((u) => /refuses/.test(String(u['release_summary'])))
        .filter((u) => u['installed_version'] !== '1.1.0'),
      [],
      'from the first message on',
    );
    const presses = subscriber.topics('kikitori/board/response/update').length;
    await subscriber.publish('kikitori/board/request/update', { action: 'install' });
    t.match(await answered(presses + 1), { status: 'error', error: /was refused here before/ });
    await shows('as it was', 'off', { installed_version: '1.1.0', latest_version: '1.1.0' });
    t.match(subscriber.topics('kikitori/board/update').at(-1)?.json, {
      ...{ latestVersion: '1.2.0', latestRefused: true },
    });
  });

  await t.test('one after it is offered', async (t) => {
    await offer({ version: '1.3.0' });
    await shows('offered', 'on', { installed_version: '1.1.0', latest_version: '1.3.0' });
    t.notOk('latestRefused' in (subscriber.topics('kikitori/board/update').at(-1)?.json ?? {}));
  });

  await t.test('a person goes back', async (t) => {
    await home.press('button.board_roll_back');
    await shows('back', 'on', { installed_version: '1.0.0', latest_version: '1.3.0' });
    t.match(home.attributes(entity), { ...idle, release_summary: /asked for it/ });
    await say('stop');
    t.equal(
      subscriber.topics('kikitori/board/transcript').at(-1)?.json['model'],
      'tones@1.0.0',
      'and it hears',
    );
  });
  t.same(home.complaints, []);
});
