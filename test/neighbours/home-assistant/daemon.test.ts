/** The daemon as it ships beside somebody who plays Home Assistant's part: what is said acts, what is asked is done. */
import { rm, writeFile } from 'node:fs/promises';
import t from 'tap';
import { Daemon } from '../../sim/daemon.js';
import { HomeAssistantSim } from '../../sim/home-assistant-sim.js';
import { noJinja } from '../../sim/jinja.js';
import { MicSim, until } from '../../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../../sim/mosquitto.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../../sim/tone-model.js';

const grammar = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor [{n}]"]}]}
  Light: {data: [{sentences: ["turn (on|off) the (kitchen|hall) light"]}]}
lists:
  n: {values: [{in: one, out: 1}, {in: two, out: 2}]}
`;
const lexicon = tinyLexicon();
const homeAssistant = { homeAssistant: { enabled: true } };

void t.test('beside Home Assistant', { skip: noJinja() }, async (t) => {
  const bundle = await toneBundle();
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url, 'kikitori/board/#');
  const mic = await MicSim.create({});
  const home = await HomeAssistantSim.open(broker.url);
  const options = { url: broker.url, model: bundle.path, grammar, mic, publish: homeAssistant };
  let daemon = await Daemon.start(options);
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await home.close();
    await subscriber.close();
    await broker.close();
    await rm(bundle.folder, { recursive: true, force: true });
  });
  const shows = (id: string, state: string) =>
    until(`${id} ${state}`, () => home.state(id) === state);
  const say = (text: string) => mic.say(speak(text, { beforeMs: 300, afterMs: 300 }, lexicon));
  const ask = (name: string, payload: unknown) =>
    subscriber.publish(`kikitori/board/request/${name}`, payload);
  await daemon.event('mic.up');

  await t.test('all of it is shown', async (t) => {
    await shows('binary_sensor.board_connected', 'on');
    await shows('binary_sensor.board_microphone', 'off');
    await shows('switch.board_mute', 'off');
    await shows('update.board_model', 'off');
    await until('a threshold', () => Number(home.state('number.board_min_confidence')) > 0);
    t.ok(Number(home.state('sensor.board_memory')) > 10);
  });

  await t.test(
    'a command is an event, a text and a trigger; a refused one is an event',
    async (t) => {
      await say('stop the conveyor two');
      await until('an event', () => home.events.length === 1);
      t.match(home.events, [
        {
          entity: 'event.board_command',
          attributes: {
            event_type: 'Stop',
            intent: 'Stop',
            text: 'stop the conveyor two',
            slots: { n: 2 },
            said: { n: 'two' },
            confirm: false,
          },
        },
      ]);
      await shows('sensor.board_last_command', 'stop the conveyor two');
      await until('a trigger', () => home.triggered.length > 0);
      t.same(home.triggered, ['Stop']);
      await say('red machine go left please');
      await until('refused', () => home.events.some((e) => e.entity === 'event.board_refused'));
    },
  );

  await t.test('mute, from either side', async () => {
    await home.turn('switch.board_mute', true);
    await shows('switch.board_mute', 'on');
    await ask('mute', { mute: false });
    await shows('switch.board_mute', 'off');
  });

  await t.test('the threshold, from either side', async () => {
    await home.setNumber('number.board_min_confidence', 0.31);
    await shows('number.board_min_confidence', '0.31');
    await ask('options', { options: { minConfidence: 0.32 } });
    await shows('number.board_min_confidence', '0.32');
  });

  await t.test('buttons', async (t) => {
    const answer = async (name: string) =>
      (await subscriber.find((m) => m.topic === `kikitori/board/response/${name}`)).json;
    await home.press('button.board_self_test');
    t.match(await answer('selftest'), { status: 'ok' });
    await until('its result', () =>
      ['passed', 'failed'].includes(home.state('sensor.board_self_test_result') ?? ''),
    );
    await home.press('button.board_listen');
    t.match(await answer('listen'), { status: 'ok' });
    await home.press('button.board_restart');
    t.match(await answer('restart'), { status: 'error', error: /service manager/ });
    await home.press('button.board_roll_back');
    t.match(await answer('rollback'), { status: 'error', error: /came with the installation/ });
    await home.install('update.board_model');
    t.match(await answer('update'), { status: 'error' });
  });

  await t.test('other sentences', async (t) => {
    await writeFile(daemon.grammarPath, grammar.replace(/ {2}Light.*\n/, ''));
    await ask('grammar', {});
    await until('no light', () => !home.shown.includes('"Light" spoken'));
    t.match(home.config('event.board_command')?.['event_types'], ['Stop']);
  });

  await t.test('a daemon that ends, and begins again switched off', async (t) => {
    await daemon.child.kill('SIGTERM');
    await shows('binary_sensor.board_connected', 'off');
    t.equal(home.state('switch.board_mute'), 'unavailable');
    daemon = await Daemon.start({ ...options, publish: {} }, daemon.folder);
    await until('nothing is left of it', () => home.shown.length === 0);
    await daemon.event('home-assistant.taken-away');
  });
  t.same(home.complaints, []);
});
