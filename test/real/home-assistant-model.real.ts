/**
 * A real Home Assistant, further: the names of its house imported from its own files, and a model out of a signed
 * repository, installed by a press there. scripts/home-assistant-test runs it.
 */
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { main } from '../../src/cli/main.js';
import { Daemon } from '../sim/daemon.js';
import { FleetSim } from '../sim/fleet-sim.js';
import { MicSim } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { RepositorySim } from '../sim/repository-sim.js';
import { joined, silence, speak, toneBundle, toneGrammar } from '../sim/tone-bundle.js';
import { HomeAssistant } from './home-assistant.js';

const { KIKITORI_HOME_ASSISTANT_START: script = '', KIKITORI_HOME_ASSISTANT: folder = '' } =
  process.env;
const limitMs = 300_000;

async function eventually(what: string, look: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** name -> what it becomes, of each list that import-ha writes; {} where it has nothing. */
async function imported(...source: string[]): Promise<Record<string, Record<string, string>>> {
  let stdout = '';
  await main(['grammar', 'import-ha', ...source], {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: () => true },
    env: process.env,
  });
  const { lists } = (parse(stdout) ?? { lists: {} }) as {
    lists: Record<string, { values: { in: string; out: string; context?: { area?: string } }[] }>;
  };
  return Object.fromEntries(
    Object.entries(lists).map(([list, { values }]) => [
      list,
      Object.fromEntries(
        values.map((v) => [
          v.in,
          v.context?.area === undefined ? v.out : `${v.out}, ${v.context.area}`,
        ]),
      ),
    ]),
  );
}

void t.test(
  'a house and a model',
  { skip: script === '' && 'scripts/home-assistant-test' },
  async (t) => {
    const broker = await Mosquitto.open();
    const subscriber = await Subscriber.open(broker.url);
    const home = await HomeAssistant.open(script, folder, broker.port);
    t.teardown(async () => {
      await home.stop();
      await subscriber.close();
      await broker.close();
    });

    await t.test('names, aliases, areas and floors, from each of its sources', async (t) => {
      const tell = (topic: string, config: unknown) =>
        subscriber.publish(`homeassistant/${topic}/config`, config, true);
      const one = (kind: string, id: string, name: string) =>
        tell(`${kind}/${id}`, {
          ...{ name, unique_id: id, default_entity_id: `${kind}.${id}` },
          command_topic: `${id}/set`,
        });
      await one('light', 'lamp', 'Lamp');
      await one('light', 'secret', 'Secret light');
      await one('switch', 'pump', 'Pump');
      await one('cover', 'gate', 'Gate');
      await tell('device/fan1', {
        device: { identifiers: ['fan1'], name: 'Ceiling fan', suggested_area: 'Bedroom' },
        origin: { name: 'test' },
        components: {
          fan: { platform: 'fan', unique_id: 'fan1', name: null, command_topic: 'fan/set' },
        },
      });
      await eventually('all are there', async () => {
        const states = await home.states();
        return ['light.lamp', 'light.secret', 'switch.pump', 'cover.gate', 'fan.ceiling_fan'].every(
          (id) => states.has(id),
        );
      });
      const ask = async (type: string, more: Record<string, unknown>) =>
        home.webSocket({ type, ...more });
      await ask('config/floor_registry/create', { name: 'Ground floor', aliases: ['downstairs'] });
      await ask('config/area_registry/update', {
        ...{ area_id: 'kitchen', aliases: ['cookery'], floor_id: 'ground_floor' },
      });
      await ask('config/area_registry/create', { name: 'Big hall' });
      const entity = (id: string, more: Record<string, unknown>) =>
        ask('config/entity_registry/update', { entity_id: id, ...more });
      await entity('light.lamp', { area_id: 'kitchen', aliases: ['reading lamp'] });
      await entity('switch.pump', { name: 'Water pump', area_id: 'big_hall' });
      await entity('light.secret', { hidden_by: 'user' });
      await ask('homeassistant/expose_entity', {
        ...{ assistants: ['conversation'], entity_ids: ['cover.gate'], should_expose: false },
      });

      const areas = {
        Bedroom: 'Bedroom',
        'Big hall': 'Big hall',
        Kitchen: 'Kitchen',
        cookery: 'Kitchen',
        'Living Room': 'Living Room',
      };
      const named = {
        'Ceiling fan': 'Ceiling fan, Bedroom',
        Lamp: 'Lamp, Kitchen',
        'reading lamp': 'Lamp, Kitchen',
        'Water pump': 'Water pump, Big hall',
      };
      const storage = join(folder, 'cfg', '.storage');
      // It writes its files some seconds after a change.
      await eventually('its files have all of it', async () => {
        const { name = {}, area = {}, floor = {} } = await imported(storage);
        return 'cookery' in area && 'downstairs' in floor && !('Gate' in name);
      });
      const { name, ...places } = await imported(storage);
      t.match(name, named);
      for (const left of ['Gate', 'Secret light', 'Pump']) t.notOk(left in (name ?? {}), left);
      t.same(places, {
        area: areas,
        floor: { 'Ground floor': 'Ground floor', downstairs: 'Ground floor' },
      });
      t.same(await imported(join(folder, 'cfg')), { name, ...places }, 'also by its folder');

      const file = join(folder, 'cfg', 'states.json');
      await writeFile(file, JSON.stringify(await home.request('states')));
      t.match((await imported(file))['name'], { Lamp: 'Lamp', 'Water pump': 'Water pump' });
      const template = `{% set ns = namespace(all=[]) %}
{% for s in states %}
{% set ns.all = ns.all + [{'entity_id': s.entity_id, 'name': s.name, 'area': area_name(s.entity_id), 'floor': floor_name(s.entity_id)}] %}
{% endfor %}
{{ ns.all | to_json }}`;
      const answer = await home.request('template', { template });
      await writeFile(file, typeof answer === 'string' ? answer : JSON.stringify(answer));
      const printed = await imported(file);
      t.match(printed['name'], { Lamp: 'Lamp, Kitchen', 'Water pump': 'Water pump, Big hall' });
      t.match(printed['floor'], { 'Ground floor': 'Ground floor' });
      t.match((await imported('--broker', broker.url, '--timeout', '20'))['name'], {
        'Ceiling fan': 'Ceiling fan, Bedroom',
        Gate: 'Gate',
      });
    });

    await t.test('a model is offered, installed by a press, tried, and goes back', async (t) => {
      const fleet = await FleetSim.make(t, { nowMs: Date.now() });
      const server = await RepositorySim.start(t, fleet.dir);
      const bundle = async (version: string, confidence?: number) =>
        (
          await toneBundle(join(fleet.folder, `${version}.tar`), {
            version,
            ...(confidence === undefined ? {} : { confidence }),
          })
        ).path;
      const offer = async (version: string, confidence?: number) => {
        fleet.clock.nowMs = Date.now();
        await fleet.publish(version, { bundle: await bundle(version, confidence), percent: 0 });
      };
      const rootPath = join(fleet.folder, 'root-of-board.json');
      await cp(join(fleet.dir, 'root.json'), rootPath);
      const mic = await MicSim.create({});
      const daemon = await Daemon.start({
        ...{ url: broker.url, model: await bundle('1.0.0'), grammar: toneGrammar, mic },
        publish: { homeAssistant: { enabled: true } },
        update: {
          ...{ url: server.url, rootPath, checkEveryMs: '1s' },
          ...{ trial: { utterances: 6, minSample: 5 }, limits: { selftestMs: '60s' } },
        },
      });
      t.teardown(async () => {
        await daemon.remove();
        await mic.remove();
      });
      const say = async (text: string) => {
        const count = () =>
          ['transcript', 'rejected'].flatMap((name) => subscriber.topics(`kikitori/board/${name}`))
            .length;
        const before = count();
        await mic.say(joined([silence(200), speak(text), silence(700)]));
        await eventually('an answer', async () => count() > before);
      };
      const model = async () => (await home.states()).get('update.board_model');
      const shows = (state: 'on' | 'off', wanted: Record<string, unknown>) =>
        eventually(`${state} ${JSON.stringify(wanted)}`, async () => {
          const now = await model();
          return (
            now?.state === state &&
            Object.entries(wanted).every(([key, value]) => now.attributes[key] === value)
          );
        });
      const install = () => home.call('update.install', { entity_id: 'update.board_model' });
      const says = async (pattern: RegExp) =>
        pattern.test(String((await model())?.attributes['release_summary']));
      await daemon.event('mic.up');
      await shows('off', { installed_version: '1.0.0', latest_version: '1.0.0' });
      await offer('1.1.0');
      await shows('on', { installed_version: '1.0.0', latest_version: '1.1.0' });
      await install();
      await shows('off', { installed_version: '1.1.0', latest_version: '1.1.0' });
      t.ok(await says(/^On trial/));
      while (!(await says(/^The trial was passed/))) await say('go left');
      await offer('1.2.0', -3);
      await shows('on', { installed_version: '1.1.0', latest_version: '1.2.0' });
      await install();
      await shows('off', { installed_version: '1.2.0', latest_version: '1.2.0' });
      while (!(await says(/refuses 100 %/))) await say('stop');
      t.match(await model(), {
        // What was refused here is not offered again.
        state: 'off',
        attributes: {
          ...{ installed_version: '1.1.0', latest_version: '1.1.0' },
          ...{ in_progress: false, update_percentage: null },
        },
      });
      await home.call('button.press', { entity_id: 'button.board_roll_back' });
      await shows('off', { installed_version: '1.0.0', latest_version: '1.0.0' });
    });

    const complaints = (await home.log())
      .filter((line) => /WARNING|ERROR|CRITICAL/.test(line))
      .filter((line) => /mqtt|kikitori|board|template/i.test(line));
    t.same(complaints, [], 'the log has no complaint');
  },
);
