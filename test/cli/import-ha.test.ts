import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt from 'mqtt';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { run } from '../../src/cli/grammar/grammar.js';
import { houseFromDiscovery } from '../../src/cli/grammar/house/discovery.js';
import { houseLists, namesMax } from '../../src/cli/grammar/house/house.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { compileGrammar } from '../../src/recognizer/index.js';
import { KikitoriError } from '../../src/runtime/errors.js';
import { Mosquitto } from '../sim/mosquitto.js';
import { fullLexicon, tinyBundle } from '../sim/tiny-checkpoint.js';

const { path: model } = await tinyBundle();

async function importHa(...argv: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const io = {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
    env: {},
  };
  try {
    const status = await run(['import-ha', ...argv, '--model', model], io);
    return { status, out: out.join(''), err: err.join('') };
  } catch (error) {
    if (!(error instanceof KikitoriError)) throw error;
    return { status: error.exitStatus, out: out.join(''), err: error.message };
  }
}

async function folder(t: Test, files: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kikitori-import-'));
  t.teardown(() => rm(path, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(path, name, '..'), { recursive: true });
    await writeFile(
      join(path, name),
      typeof content === 'string' ? content : JSON.stringify(content),
    );
  }
  return path;
}

interface Written {
  readonly context?: unknown;
  readonly lists: Readonly<
    Record<
      'name' | 'area' | 'floor',
      { values: readonly { in: string; out: string; context?: unknown }[] }
    >
  >;
}
const read = async (path: string) => parse(await readFile(path, 'utf8')) as Written;

const entity = (entity_id: string, more: object = {}) => ({
  entity_id,
  name: null,
  original_name: null,
  has_entity_name: false,
  device_id: null,
  area_id: null,
  aliases: [],
  disabled_by: null,
  hidden_by: null,
  entity_category: null,
  options: {},
  ...more,
});
const shown = (should_expose: boolean) => ({ options: { conversation: { should_expose } } });
/** As Home Assistant keeps them, of our own making. */
const registries = {
  'core.entity_registry': {
    key: 'core.entity_registry',
    data: {
      entities: [
        entity('light.one', { device_id: 'd1', has_entity_name: true, aliases: ['reading light'] }),
        entity('sensor.one_power', {
          device_id: 'd1',
          has_entity_name: true,
          original_name: 'Power',
        }),
        entity('switch.pump', { name: 'Pond pump', original_name: 'Relay 3', area_id: 'garden' }),
        entity('cover.left', { device_id: 'd2', has_entity_name: true, original_name: 'Left' }),
        entity('lock.front', { original_name: 'Front door', ...shown(true) }),
        entity('light.secret', { original_name: 'Secret lamp', ...shown(false) }),
        entity('light.off', { original_name: 'Off lamp', disabled_by: 'user' }),
        entity('light.hidden', { original_name: 'Hidden lamp', hidden_by: 'user' }),
        entity('switch.led', { original_name: 'LED', entity_category: 'config' }),
        entity('light.odd', { original_name: 'Лампа' }),
        entity('light.mark', { original_name: 'Lamp [new] (left)' }),
        entity('light.twin', { original_name: 'Pond pump' }),
        entity('light.twin2', { original_name: 'pond  pump' }),
        entity('not an id', { original_name: 'Nothing' }),
      ],
    },
  },
  'core.device_registry': {
    key: 'core.device_registry',
    data: {
      devices: [
        { id: 'd1', name: 'Sofa lamp', name_by_user: null, area_id: 'living' },
        { id: 'd2', name: 'SHELLY-3F', name_by_user: 'Curtain', area_id: null },
      ],
    },
  },
  'core.area_registry': {
    key: 'core.area_registry',
    data: {
      areas: [
        { id: 'living', name: 'Living room', aliases: ['lounge'], floor_id: 'ground' },
        { id: 'garden', name: 'Garden', aliases: [], floor_id: null },
      ],
    },
  },
  'core.floor_registry': {
    key: 'core.floor_registry',
    data: { floors: [{ floor_id: 'ground', name: 'Ground floor', aliases: ['downstairs'] }] },
  },
};

void t.test('the registries of a configuration', async (t) => {
  const config = await folder(t, {
    ...Object.fromEntries(
      Object.entries(registries).map(([key, json]) => [`.storage/${key}`, json]),
    ),
    '.storage/auth': { secret: 1 },
  });
  const out = join(config, 'house.yaml');
  const found = await importHa(config, '--out', out, '--area', 'lounge');
  t.equal(found.status, 0);
  t.equal(found.out, `${out}: 7 names, 3 areas, 2 floors\n`);
  const { lists, context } = await read(out);
  t.same(lists.name.values, [
    { in: 'Curtain Left', out: 'Curtain Left', context: { domain: 'cover' } },
    { in: 'Front door', out: 'Front door', context: { domain: 'lock' } },
    { in: 'Lamp \\[new\\] \\(left\\)', out: 'Lamp [new] (left)', context: { domain: 'light' } },
    { in: 'Pond pump', out: 'Pond pump', context: { domain: 'switch', area: 'Garden' } },
    { in: 'Pond pump', out: 'Pond pump', context: { domain: 'light' } },
    { in: 'Sofa lamp', out: 'Sofa lamp', context: { domain: 'light', area: 'Living room' } },
    { in: 'reading light', out: 'Sofa lamp', context: { domain: 'light', area: 'Living room' } },
  ]);
  t.same(lists.area.values, [
    { in: 'Garden', out: 'Garden' },
    { in: 'Living room', out: 'Living room' },
    { in: 'lounge', out: 'Living room' },
  ]);
  t.same(
    lists.floor.values.map((v) => v.in),
    ['Ground floor', 'downstairs'],
  );
  t.same(context, { area: 'Living room' });
  t.match(found.err, /"Лампа" of light\.odd: it has no pronunciation/);
  t.match(
    found.err,
    /"pond pump" is the name of light\.twin and of light\.twin2: the first counts/,
  );
  t.match(found.err, /left out: 2 that Home Assistant does not expose to voice/);
  t.equal((await stat(out)).mode & 0o777, 0o644, 'the daemon is another user');
  const ids = await importHa(config, '--ids', '--all');
  t.match(ids.out, /in: reading light\n +out: light\.one/);
  t.match(ids.out, /in: Secret lamp\n/);
  t.match(ids.out, /in: Sofa lamp Power\n/);
});

void t.test('states, and what a template prints', async (t) => {
  const at = await folder(t, {
    'states.json': [
      { entity_id: 'light.desk', state: 'on', attributes: { friendly_name: 'Desk lamp' } },
      {
        entity_id: 'sensor.t',
        state: '3',
        attributes: { friendly_name: 'Outside', device_class: 'temperature' },
      },
      { entity_id: 'person.jo', state: 'home', attributes: { friendly_name: 'Jo' } },
      { entity_id: 'light.nameless', state: 'on', attributes: {} },
    ],
    'template.json': [
      {
        entity_id: 'light.desk',
        name: 'Desk lamp',
        area: 'Office',
        floor: 'First floor',
        aliases: ['lamp'],
      },
    ],
  });
  const states = parse((await importHa(join(at, 'states.json'))).out) as Written;
  t.same(
    states.lists.name.values.map((v) => v.in),
    ['Desk lamp', 'Outside'],
  );
  t.same(states.lists.name.values[1]?.context, { domain: 'sensor', device_class: 'temperature' });
  t.same(states.lists.area.values, []);
  const template = parse((await importHa(join(at, 'template.json'))).out) as Written;
  t.same(template.lists.name.values, [
    { in: 'Desk lamp', out: 'Desk lamp', context: { domain: 'light', area: 'Office' } },
    { in: 'lamp', out: 'Desk lamp', context: { domain: 'light', area: 'Office' } },
  ]);
  t.same(template.lists.floor.values, [{ in: 'First floor', out: 'First floor' }]);
});

const discovery: Readonly<Record<string, string>> = {
  'homeassistant/device/plug/config': JSON.stringify({
    dev: { ids: 'plug', name: 'Coffee plug', sa: 'Kitchen' },
    o: { name: 'test' },
    cmps: {
      relay: { p: 'switch', name: null },
      light: { p: 'light', name: 'Ring' },
      power: { p: 'sensor', name: 'Power', dev_cla: 'power' },
      reset: { p: 'button', name: 'Reset', ent_cat: 'config' },
      pressed: { p: 'device_automation' },
    },
  }),
  'homeassistant/light/desk/config': JSON.stringify({ name: 'Desk lamp', command_topic: 'x' }),
  'homeassistant/fan/node/one/config': JSON.stringify({
    name: null,
    device: { name: 'Attic fan' },
  }),
  'homeassistant/fan/gone/config': '',
  'homeassistant/fan/broken/config': '{"name":',
  'homeassistant/status': 'online',
};
const names = (yaml: string) => (parse(yaml) as Written).lists.name.values.map((v) => v.in);

void t.test('discovery messages, as mosquitto_sub prints them', async (t) => {
  const at = await folder(t, {
    'topics.txt': Object.entries(discovery)
      .map(([topic, payload]) => `${topic} ${payload}\n`)
      .join(''),
  });
  const found = await importHa(join(at, 'topics.txt'));
  t.same(names(found.out), ['Attic fan', 'Coffee plug', 'Coffee plug Ring', 'Desk lamp']);
  t.same((parse(found.out) as Written).lists.area.values, [{ in: 'Kitchen', out: 'Kitchen' }]);
});

void t.test('discovery messages from a broker', async (t) => {
  const broker = await Mosquitto.open();
  t.teardown(() => broker.close());
  const client = await mqtt.connectAsync(broker.url);
  for (const [topic, payload] of Object.entries(discovery))
    await client.publishAsync(topic, payload, { retain: true, qos: 1 });
  await client.endAsync();
  const out = join(await folder(t), 'house.yaml');
  const found = await importHa('--broker', broker.url, '--out', out, '--json', '--timeout', '60');
  t.equal(found.status, 0);
  t.match(JSON.parse(found.out), { file: out, names: 4, areas: 1, floors: 0 });
  const none = await importHa('--broker', broker.url, '--prefix', 'elsewhere', '--out', out);
  t.equal(none.status, 1);
  t.match(none.err, /there is nothing to speak of: no name and no area/);
  t.equal((await read(out)).lists.name.values.length, 4, 'what was there stays');
  await broker.stop();
  const away = await importHa('--broker', broker.url, '--timeout', '1');
  t.match(away.err, /no connection/);
});

void t.test('what is refused, with nothing lost', async (t) => {
  const at = await folder(t, {
    'mine.yaml': 'intents: {}\n',
    'empty.yaml': '',
    'states.json': [{ entity_id: 'light.desk', attributes: { friendly_name: 'Desk lamp' } }],
    'torn.json': '[{"entity_id": "light.desk", "attr',
    'other.json': { a: 1 },
    'devices.json': registries['core.device_registry'],
  });
  const states = join(at, 'states.json');
  const mine = await importHa(states, '--out', join(at, 'mine.yaml'));
  t.match(mine, { status: 1, err: /was not written by import-ha and stays as it is/ });
  t.equal(await readFile(join(at, 'mine.yaml'), 'utf8'), 'intents: {}\n');
  t.equal((await importHa(states, '--out', join(at, 'empty.yaml'))).status, 0);
  t.equal((await importHa(states, '--out', join(at, 'empty.yaml'))).status, 0, 'its own again');
  const wrong: [string[], RegExp][] = [
    [[], /import what\?/],
    [[states, '--broker', 'mqtt://x'], /import what\?/],
    [
      [join(at, 'torn.json')],
      /neither JSON nor lines of "TOPIC MESSAGE"; expected Home Assistant's/,
    ],
    [[join(at, 'other.json')], /nothing in this file is a thing of a house/],
    [[join(at, 'devices.json')], /core\.entity_registry is missing/],
    [[states, join(at, 'devices.json')], /these are several houses/],
    [[join(at, 'gone.json')], /gone\.json/],
    [[at], /no registries of Home Assistant in this folder/],
    [[states, '--area', 'Attic'], /the house has no such area/],
    [[states, '--out', join(at, 'no', 'folder.yaml')], /folder\.yaml/],
    [['--broker', 'mqtt://x', '--timeout', '0'], /--timeout: expected seconds up to 300/],
    [['--broker', 'mqtt://u:p@x'], /credentials do not belong into the address/],
    [['--broker', 'mqtt://x', '--prefix', 'a/#'], /no beginning of topics/],
  ];
  for (const [argv, message] of wrong) {
    const { status, err } = await importHa(...argv);
    t.ok(status > 0, argv.join(' '));
    t.match(err, message);
  }
});

void t.test('whatever a house is called, the lists are read back as they were', async (t) => {
  const lexicon = fullLexicon();
  const random = randomFrom(7);
  const signs = [...'ab1 -:#\'"{}[]()<>|;\\*&!%@,.?~`=/éß\u{1F525}'];
  for (let round = 0; round < 150; round++) {
    const name = Array.from({ length: 1 + Math.floor(random() * 9) }, () =>
      random() < 0.4 ? 'lamp' : signs[Math.floor(random() * signs.length)],
    ).join('');
    const { yaml, names } = houseLists(
      { entities: [{ names: [name], domain: 'light' }], areas: [], floors: [], unexposed: 0 },
      { pronounceable: (text) => /lamp/.test(text) },
    );
    const { lists } = parse(yaml) as Written;
    t.equal(lists.name.values.length, names);
    if (names === 0) continue;
    const out = name.replace(/\s+/g, ' ').trim();
    if (lists.name.values[0]?.out.trim().replace(/\s+/g, ' ') !== out) t.fail(`${name}: ${yaml}`);
    // Words that the lexicon of the tests lacks are told with their place; what is no fault is a template of it.
    try {
      compileGrammar(
        {
          files: [
            { name: 'house.yaml', path: 'house.yaml', text: yaml },
            {
              name: 'x.yaml',
              path: 'x.yaml',
              text: 'intents: { A: { data: [{ sentences: ["go {name}"] }] } }',
            },
          ],
        },
        { file: 'house', lexicon },
      );
    } catch (error) {
      const message = error instanceof Error ? error.message : '';
      if (!/pronunciation|says nothing/.test(message)) t.fail(`${name}: ${message}`);
    }
  }
});

void t.test('limits', async (t) => {
  const many = Array.from({ length: namesMax + 5 }, (_, i) => ({
    names: [`lamp ${i}`, 'x'.repeat(101)],
    domain: 'light',
  }));
  const all = houseLists(
    { entities: many, areas: [], floors: [], unexposed: 0 },
    { pronounceable: () => true },
  );
  t.equal(all.names, namesMax);
  t.match(all.notes.at(-1), /left out: 5 names beyond 5000/);
  t.match(all.notes[0], /a name of lamp 0: more than 100 letters/);
  t.same(
    houseFromDiscovery(
      [{ topic: 'homeassistantx/light/a/config', payload: '{"name":"a"}' }],
      'homeassistant',
    ).entities,
    [],
  );
});
