/**
 * The daemon beside a real Home Assistant, a real broker between them. Not of the everyday tests: it takes minutes
 * and a folder of 2 GB. scripts/home-assistant-test runs it.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import t from 'tap';
import { announce } from '../../src/neighbours/home-assistant/discovery.js';
import { topicsOf } from '../../src/publish/index.js';
import { Daemon } from '../sim/daemon.js';
import { MicSim } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';
import { eventually, limitMs } from './eventually.js';
import { HomeAssistant, type EntityState } from './home-assistant.js';

const { KIKITORI_HOME_ASSISTANT_START: script = '', KIKITORI_HOME_ASSISTANT: folder = '' } =
  process.env;
const grammar = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor [{n}]"]}]}
  LightOn: {data: [{sentences: ["turn on the {room} light"]}]}
  LightOff: {data: [{sentences: ["turn off the {room} light"]}]}
lists:
  n: {values: [{in: one, out: 1}, {in: two, out: 2}]}
  room: {values: [kitchen, hall]}
`;
const intents = ['Stop', 'LightOn', 'LightOff'];
const lexicon = tinyLexicon();

/** The automations of docs/home-assistant.md, as they stand there, for this board and this lamp. */
async function documented(): Promise<string[]> {
  const page = await readFile(new URL('../../docs/home-assistant.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```yaml\n(alias:[^`]*)```/g)].map(([, block = '']) => block);
  return blocks.map((block, i) => {
    const ours = block.replaceAll('kitchen/', 'board/').replaceAll('kitchen_', 'board_');
    const lines = `id: page_${i}\n${ours.replaceAll('light.hall', 'light.lamp')}`
      .trim()
      .split('\n');
    return `- ${lines.join('\n  ')}\n`;
  });
}

void t.test(
  'beside a real Home Assistant',
  { skip: script === '' && 'scripts/home-assistant-test' },
  async (t) => {
    const bundle = await toneBundle();
    const broker = await Mosquitto.open({
      config: ['allow_anonymous true', 'persistence true', 'persistence_location {folder}/'],
    });
    const subscriber = await Subscriber.open(broker.url);
    const mic = await MicSim.create({});
    const options = {
      ...{ url: broker.url, model: bundle.path, grammar, mic },
      publish: { homeAssistant: { enabled: true } },
    };
    const home = await HomeAssistant.open(script, folder, broker.port);
    let daemon = await Daemon.start(options);
    t.teardown(async () => {
      await home.stop();
      await daemon.remove();
      await mic.remove();
      await subscriber.close();
      await broker.close();
      await rm(bundle.folder, { recursive: true, force: true });
    });
    const say = (text: string) => mic.say(speak(text, { beforeMs: 300, afterMs: 300 }, lexicon));
    const ask = (name: string, payload: unknown) =>
      subscriber.publish(`kikitori/board/request/${name}`, payload);
    const shows = (id: string, wanted: string | ((state: EntityState) => boolean)) =>
      eventually(`${id} ${String(wanted)}`, async () => {
        const state = (await home.states()).get(id);
        if (state === undefined) return false;
        return (typeof wanted === 'string' ? state.state === wanted : wanted(state)) && state;
      });
    /** A lamp of another maker: does what it is told, and says so. */
    subscriber.client.on('message', (topic, payload) => {
      if (topic === 'lamp/set') void subscriber.publish('lamp/state', payload.toString(), true);
    });
    await subscriber.publish(
      'homeassistant/light/lamp/config',
      {
        name: 'Lamp',
        unique_id: 'lamp',
        default_entity_id: 'light.lamp',
        command_topic: 'lamp/set',
        state_topic: 'lamp/state',
      },
      true,
    );
    await daemon.event('mic.up');
    let deviceId = '';

    await t.test('every entity appears, under its name and with a value', async (t) => {
      await shows('switch.board_mute', 'off');
      await shows('number.board_min_confidence', ({ state }) => Number(state) > 0);
      await shows('update.board_model', 'off');
      await shows('binary_sensor.board_microphone', 'off');
      const { message } = announce({
        ...{ prefix: 'homeassistant', base: 'kikitori', device: 'board', version: '1' },
        ...{ topics: topicsOf('kikitori', 'board'), intents, before: {} },
      });
      const components = Object.values(
        message['components'] as Record<string, Record<string, unknown>>,
      );
      const entities = components.filter((c) => c['platform'] !== 'device_automation');
      const states = await home.states();
      for (const { name, default_entity_id: id } of entities)
        t.match(
          states.get(String(id)),
          { attributes: { friendly_name: `board ${String(name)}` } },
          String(id),
        );
      const ours = [...states.keys()].filter((id) => id.includes('.board_')).sort();
      t.same(ours, entities.map((e) => String(e['default_entity_id'])).sort());
      t.match(states.get('event.board_command'), { attributes: { event_types: intents } });
      t.match(states.get('update.board_model'), { attributes: { installed_version: /^\d/ } });
      deviceId = await home.template("{{ device_id('event.board_command') }}");
      const triggers = await home.triggers(deviceId);
      t.same(
        triggers.map(({ type, subtype }) => `${type} ${subtype}`).sort(),
        intents.map((i) => `spoken ${i}`).sort(),
      );
    });

    await t.test('Home Assistant begins anew: what it shows is there again', async () => {
      const counted = intents.map(
        (intent) =>
          `- id: ${intent}
  alias: Count ${intent}
  triggers: [{trigger: device, domain: mqtt, device_id: ${deviceId}, type: spoken, subtype: ${intent}, discovery_id: kikitori_board intent_${intent}}]
  actions: [{action: mqtt.publish, data: {topic: went/off, payload: "{{ trigger.payload_json.text }}"}}]
`,
      );
      await home.automations([...(await documented()), ...counted].join(''));
      await home.call('switch.turn_on', { entity_id: 'switch.board_mute' });
      await shows('switch.board_mute', 'on');
      await home.stop();
      await ask('mute', { mute: false });
      await home.start();
      await shows('switch.board_mute', 'off');
      await shows('binary_sensor.board_connected', 'on');
      await shows('number.board_min_confidence', ({ state }) => Number(state) > 0);
      await shows('light.lamp', ({ state }) => state !== 'unavailable');
      await shows('automation.lights_by_voice', 'on');
      await shows('automation.the_kitchen_does_not_hear', 'on');
      await shows('automation.count_stop', 'on');
    });

    await t.test('a spoken sentence switches a lamp', async (t) => {
      await say('turn on the hall light');
      const { attributes } = await shows(
        'event.board_command',
        (s) => s.attributes['event_type'] === 'LightOn',
      );
      t.match(attributes, {
        intent: 'LightOn',
        text: 'turn on the hall light',
        slots: { room: 'hall' },
        confirm: false,
      });
      await shows('light.lamp', 'on');
      await shows('sensor.board_last_command', 'turn on the hall light');
      await say('turn off the kitchen light');
      await shows('event.board_command', (s) => s.attributes['event_type'] === 'LightOff');
      await say('turn off the hall light');
      await shows('light.lamp', 'off');
      await say('red machine go left please');
      await shows('event.board_refused', ({ state }) => state !== 'unknown');
    });

    await t.test('what may be old is no event', async (t) => {
      const before = (await home.states()).get('event.board_command');
      const { json } = await subscriber.find((m) => m.topic === 'kikitori/board/intent/LightOn');
      await subscriber.publish('kikitori/board/intent/LightOn', { ...json, replayed: true });
      await say('stop the conveyor two');
      await shows('event.board_command', (s) => s.attributes['event_type'] === 'Stop');
      t.equal((await home.states()).get('light.lamp')?.state, 'off');
      t.not(before?.attributes['event_type'], 'LightOn');
    });

    await t.test('both ways: mute, threshold, buttons, the model', async (t) => {
      await home.call('switch.turn_on', { entity_id: 'switch.board_mute' });
      await shows('switch.board_mute', 'on');
      await ask('mute', { mute: false });
      await shows('switch.board_mute', 'off');
      await home.call('number.set_value', {
        entity_id: 'number.board_min_confidence',
        value: 0.31,
      });
      await shows('number.board_min_confidence', '0.31');
      await ask('options', { options: { minConfidence: 0.32 } });
      await shows('number.board_min_confidence', '0.32');
      for (const [key, request] of [
        ['self_test', 'selftest'],
        ['listen', 'listen'],
        ['restart', 'restart'],
        ['roll_back', 'rollback'],
      ]) {
        await home.call('button.press', { entity_id: `button.board_${key}` });
        await subscriber.find((m) => m.topic === `kikitori/board/response/${request}`, limitMs);
      }
      await shows('sensor.board_self_test_result', ({ state }) =>
        ['passed', 'failed'].includes(state),
      );
      const update = (await subscriber.find((m) => m.topic === 'kikitori/board/update')).json;
      const newer = { ...update, latestVersion: '99.0.0' };
      await subscriber.publish('kikitori/board/update', {
        ...newer,
        state: 'downloading',
        progress: 42,
      });
      const { attributes } = await shows(
        'update.board_model',
        (s) => s.attributes['in_progress'] === true,
      );
      t.match(attributes, { update_percentage: 42, latest_version: '99.0.0' });
      await subscriber.publish('kikitori/board/update', { ...newer, state: 'verified' });
      await shows(
        'update.board_model',
        (s) => s.attributes['in_progress'] === false && s.state === 'on',
      );
      await home.call('update.install', { entity_id: 'update.board_model' });
      const { json } = await subscriber.find(
        (m) => m.topic === 'kikitori/board/response/update',
        limitMs,
      );
      t.match(json, { status: 'error', error: /./ }, 'this board follows no repository');
    });

    await t.test('the broker begins anew', async () => {
      await broker.kill();
      await daemon.event('mqtt.down');
      await shows('switch.board_mute', 'unavailable');
      await broker.start();
      await shows('switch.board_mute', 'off');
      await subscriber.client.subscribeAsync('#', { qos: 1 });
      await say('turn on the hall light');
      await shows('light.lamp', 'on');
    });

    await t.test('the board begins anew', async (t) => {
      await daemon.child.kill('SIGTERM');
      await shows('switch.board_mute', 'unavailable');
      t.equal((await home.states()).get('binary_sensor.board_connected')?.state, 'off');
      daemon = await Daemon.start(options, daemon.folder);
      await shows('switch.board_mute', 'off');
      await shows('binary_sensor.board_connected', 'on');
    });

    await t.test('an intent that leaves the grammar', async (t) => {
      await writeFile(daemon.grammarPath, grammar.replace(/ {2}Stop.*\n/, ''));
      await ask('grammar', {});
      await shows(
        'event.board_command',
        (s) => String(s.attributes['event_types']) === 'LightOn,LightOff',
      );
      const left = await eventually('one trigger less', async () => {
        const triggers = await home.triggers(deviceId);
        return triggers.length === 2 && triggers;
      });
      t.same(left.map(({ subtype }) => subtype).sort(), ['LightOff', 'LightOn']);
    });

    await t.test('switched off it goes away', async () => {
      await daemon.child.kill('SIGTERM');
      daemon = await Daemon.start({ ...options, publish: {} }, daemon.folder);
      await daemon.event('home-assistant.taken-away');
      await eventually('no entity', async () => {
        const states = await home.states();
        return states.size > 0 && ![...states.keys()].some((id) => id.includes('.board_'));
      });
    });

    // Each command once, through restarts of all three.
    t.same(
      subscriber.topics('went/off').map(({ text }) => text),
      [
        'turn on the hall light',
        'turn off the kitchen light',
        'turn off the hall light',
        'stop the conveyor two',
        'turn on the hall light',
      ],
    );
    const complaints = (await home.log())
      .filter((line) => /WARNING|ERROR|CRITICAL/.test(line))
      .filter((line) => /mqtt|kikitori|board|template/i.test(line))
      // Of the broker that was killed.
      .filter(
        (line) =>
          !/Disconnected from MQTT server|Failed to connect to MQTT|The connection was lost/.test(
            line,
          ),
      );
    t.same(complaints, [], 'the log has no complaint');
  },
);
