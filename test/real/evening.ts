/**
 * Walks the first evening of docs/home-assistant.md: each command, file and sentence of the page, in order, in a booted
 * system, and looks whether what the page says has happened. scripts/package-test runs it in a network of its own.
 * usage: evening.ts INIT ROOT PACKAGE: the process of that system's init, its folder, the package to install
 */
import { execFile } from 'node:child_process';
import { appendFile, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { messageOf } from '../../src/runtime/errors.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { eventually, limitMs } from './eventually.js';
import { HomeAssistant, type EntityState } from './home-assistant.js';
import { pictures } from './home-assistant-pictures.js';
import { walkOf, type Deed, type Part } from './walked-page.js';

const [init = '', root = '', deb = ''] = process.argv.slice(2);
const {
  KIKITORI_HOME_ASSISTANT_START: script = '',
  KIKITORI_HOME_ASSISTANT: folder = '',
  KIKITORI_PICTURES: picturesFolder = '',
} = process.env;
const run = promisify(execFile);
const homeAddress = '192.168.77.1';
/** As the page writes the broker's user. */
const login = ['kitchen', 'PASSWORD'] as const;

const temporary = await mkdtemp(join(tmpdir(), 'kikitori-evening-'));

async function check(name: string, action: () => Promise<unknown>): Promise<void> {
  const began = performance.now();
  const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
  try {
    await action();
    process.stdout.write(`ok: ${name} (${seconds()} s)\n`);
  } catch (error) {
    process.stdout.write(`NOT OK: ${name} (${seconds()} s)\n${messageOf(error)}\n`);
    throw error;
  }
}

function same(got: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`expected ${b}\ngot ${a}`);
}

// The board.

const spaces = ['--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup', '--root', '--wd'];
const environment = ['PATH=/usr/local/bin:/usr/bin:/bin', 'HOME=/home/user', 'LANG=C.UTF-8'];

/** In a shell of the user's, each command with status 0. */
async function onBoard(commands: string): Promise<string> {
  const shell = ['runuser', '-u', 'user', '--', '/usr/bin/env', '-i', ...environment, 'sh', '-e'];
  const promise = run(
    'nsenter',
    ['--target', init, ...spaces, ...shell, '-c', `cd\n${commands}`, 'sh'],
    { timeout: limitMs, env: { ...process.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
  );
  try {
    const { stdout, stderr } = await promise;
    return `${stdout}${stderr}`;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${messageOf(error)}\n${stdout ?? ''}${stderr ?? ''}`, { cause: error });
  }
}

let sayings = 0;
/** A voice in the room. */
async function say(text: string): Promise<void> {
  const name = `${++sayings}.wav`;
  const raw = join(temporary, `raw-${name}`);
  await run('flite', ['-voice', 'slt', '-t', text, '-o', raw]);
  const clip = join(root, 'opt/microphone', name);
  await run('sox', ['-R', raw, '-r', '16000', '-c', '1', '-b', '16', clip, 'norm', '-6']);
  await appendFile(join(root, 'opt/microphone/say.txt'), `/opt/microphone/${name}\n`);
}

// The home: broker, Home Assistant, lamp; the board reaches it over a cable.

await run('ip', ['link', 'set', 'lo', 'up']);
await run('ip', ['link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', init]);
await run('ip', ['address', 'add', `${homeAddress}/24`, 'dev', 'cable']);
await run('ip', ['link', 'set', 'cable', 'up']);
const boardNet = ['--target', init, '--net'];
await run('nsenter', [...boardNet, 'ip', 'address', 'add', '192.168.77.2/24', 'dev', 'eth0']);
await run('nsenter', [...boardNet, 'ip', 'link', 'set', 'eth0', 'up']);

const broker = await Mosquitto.open({
  started: false,
  config: [
    'per_listener_settings true',
    'allow_anonymous true',
    `listener 1883 ${homeAddress}`,
    'allow_anonymous false',
    'password_file {folder}/passwords',
  ],
});
await run('mosquitto_passwd', ['-b', '-c', join(broker.folder, 'passwords'), ...login]);
await broker.start();
const lamp = await Subscriber.open(broker.url, 'lamp/set');
/** What the lamp was told, in order. */
const told = () => lamp.topics('lamp/set').map(({ text }) => text);
lamp.client.on('message', (_topic, payload) => {
  void lamp.publish('lamp/state', payload.toString(), true);
});
const lampIs = { name: 'Hall', unique_id: 'hall', default_entity_id: 'light.hall' };
const lampTopics = { command_topic: 'lamp/set', state_topic: 'lamp/state' };
await lamp.publish('homeassistant/light/hall/config', { ...lampIs, ...lampTopics }, true);
await lamp.publish('lamp/state', 'OFF', true);

let home!: HomeAssistant;
const shows = (id: string, wanted: string | ((state: EntityState) => boolean)) =>
  eventually(`${id} ${String(wanted)}`, async () => {
    const state = (await home.states()).get(id);
    if (state === undefined) return false;
    return (typeof wanted === 'string' ? state.state === wanted : wanted(state)) && state;
  });
const triggers = async () => {
  const id = await home.template("{{ device_id('event.kitchen_command') }}");
  return (await home.triggers(id)).map(({ type, subtype }) => `${type} ${subtype}`).sort();
};
const intentsOf = (yaml: string) =>
  Object.keys((parse(yaml) as { intents: Record<string, unknown> }).intents);

// The page.

const counted = { commands: 0, lines: 0, commandsMs: 0 };
const sentencesPath = '/etc/kikitori/sentences.yaml';
/** What is said under the heading of a part: "turn on the hall light". */
let order = '';

async function doDeed(deed: Deed): Promise<void> {
  const began = performance.now();
  switch (deed.kind) {
    case 'commands': {
      const [own = ''] = deb.split('/').slice(-1);
      const text = deed.text.replace(/kikitori_\S+_\w+64\.deb/, own);
      const said = await onBoard(text);
      if (text.includes('kikitori doctor')) {
        const wrong = said.split('\n').filter((line) => /^(warning|FAILED)/.test(line));
        if (wrong.length > 0) throw new Error(said);
      }
      counted.commands += text.trim().split('\n').length;
      counted.commandsMs += performance.now() - began;
      return;
    }
    case 'file':
      counted.lines += deed.text.trim().split('\n').length;
      await writeFile(join(root, deed.path), deed.text);
      return;
    case 'automation':
      counted.lines += deed.text.trim().split('\n').length;
      // As the editor does it.
      await home.request('config/automation/config/evening', parse(deed.text));
      return;
    case 'say':
      order = deed.text;
      return say(deed.text);
  }
}

/** What the page promises under each of its headings. */
const promises: Readonly<Record<string, (part: Part) => Promise<void>>> = {
  'Install it': () =>
    check('the service runs', () =>
      eventually('active', async () =>
        (await onBoard('systemctl is-active kikitori || true')).includes('active'),
      ),
    ),
  'Tell the board': () =>
    check('it is connected, with its password', () =>
      shows('binary_sensor.kitchen_connected', 'on'),
    ),
  'Look at the device': async ({ text }) => {
    const [, entities = ''] = /(\d+) entities/.exec(text) ?? [];
    await check(`${entities} entities, as the page says`, () =>
      eventually(`${entities} entities`, async () => {
        const count = "device_entities(device_id('event.kitchen_command')) | length";
        return (await home.template(`{{ ${count} }}`)) === entities;
      }),
    );
    await check('Connected is on, Microphone is OK', async () => {
      await shows('binary_sensor.kitchen_connected', 'on');
      await shows('binary_sensor.kitchen_microphone', 'off');
    });
    await check('a trigger for each intent of the sentences that it came with', async () => {
      const intents = intentsOf(await readFile(join(root, sentencesPath), 'utf8'));
      same(await triggers(), intents.map((intent) => `spoken ${intent}`).sort());
    });
  },
  'Say something': () =>
    check(`"${order}": Last command and Command show it`, async () => {
      await shows('sensor.kitchen_last_command', order);
      const { attributes } = await shows('event.kitchen_command', ({ state }) => state !== '');
      same([attributes['event_type'], attributes['slots']], ['LightOn', { room: 'hall' }]);
    }),
  'A lamp': async () => {
    await check(`"${order}": the lamp is on`, () => shows('light.hall', 'on'));
    lampOn();
    await check('another room: the lamp stays as it is', async () => {
      await say('turn off the kitchen light');
      await shows('sensor.kitchen_last_command', 'turn off the kitchen light');
    });
    await check('"turn off the hall light": the lamp is off', async () => {
      await say('turn off the hall light');
      await shows('light.hall', 'off');
      same(told(), ['ON', 'OFF']);
    });
  },
  'Without YAML': () =>
    check('its triggers are those of the new sentences', async () =>
      same(
        await triggers(),
        intentsOf(await readFile(join(root, sentencesPath), 'utf8'))
          .map((intent) => `spoken ${intent}`)
          .sort(),
      ),
    ),
};

let lampOn: () => void = () => undefined;

async function evening(): Promise<void> {
  await check('Home Assistant, its broker and a lamp', async () => {
    home = await HomeAssistant.open(script, folder, broker.port);
    // As a new Home Assistant has it.
    await home.automations('[]\n');
    if (picturesFolder !== '') await home.configure('frontend:\n');
    await home.stop();
    await home.start();
    await shows('light.hall', 'off');
  });
  let parts: Part[] = [];
  await check('the page has the parts that are known here', async () => {
    const page = await readFile(new URL('../../docs/home-assistant.md', import.meta.url), 'utf8');
    parts = walkOf(page, 'A first evening');
    same(
      parts.map(({ heading }) => heading),
      Object.keys(promises),
    );
  });
  await copyFile(deb, join(root, 'home/user', deb.split('/').at(-1) ?? ''));
  const began = performance.now();
  lampOn = () => {
    const seconds = (ms: number) => (ms / 1000).toFixed(0);
    process.stdout.write(
      `from the package to the lamp: ${seconds(performance.now() - began)} s, of which ${counted.commands} commands took ${seconds(counted.commandsMs)} s; ${counted.lines} lines of YAML\n`,
    );
  };
  for (const part of parts) {
    for (const deed of part.deeds) {
      const name = deed.kind === 'file' ? deed.path : (deed.text.split('\n')[0] ?? '');
      await check(`${part.heading}: ${name}`, () => doDeed(deed));
    }
    await promises[part.heading]?.(part);
  }
  if (picturesFolder !== '') await check('pictures', () => pictures(home, picturesFolder));
  await check('Home Assistant has no complaint', async () => {
    const complaints = (await home.log())
      .filter((line) => /WARNING|ERROR|CRITICAL/.test(line))
      .filter((line) => /mqtt|kikitori|kitchen|template|automation/i.test(line));
    same(complaints, []);
  });
}

try {
  await evening();
} catch {
  process.exitCode = 1;
  process.stdout.write(
    await onBoard('sudo journalctl --no-pager -n 30 -o cat -u kikitori || true'),
  );
} finally {
  await home?.stop().catch(() => undefined);
  await lamp.close();
  await broker.close();
  await rm(temporary, { recursive: true, force: true });
}
