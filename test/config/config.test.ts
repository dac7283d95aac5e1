import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import * as YAML from 'yaml';
import {
  changed,
  ConfigError,
  defaultYaml,
  environmentName,
  keysOf,
  loadConfig,
  readSecret,
  schema,
  unknownVariables,
} from '../../src/config/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'kikitori-config-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));

let count = 0;
async function file(content: string, extension = 'yaml'): Promise<string> {
  const path = join(folder, `config-${count++}.${extension}`);
  await writeFile(path, content);
  return path;
}

async function faultsOf(content: string, env = {}, extension = 'yaml') {
  const path = await file(content, extension);
  try {
    loadConfig(path, env);
  } catch (error) {
    if (error instanceof ConfigError) return { faults: error.faults, text: error.message };
    throw error;
  }
  return { faults: [], text: '' };
}

void t.test('every default is valid, and the whole cannot be changed', async (t) => {
  const config = loadConfig(undefined, { STATE_DIRECTORY: '/var/lib/kikitori' });
  t.equal(config.state.dir, '/var/lib/kikitori');
  t.equal(config.publish.mqtt.keepaliveMs, 30_000);
  t.match(config.device.id, /^[\w.-]+$/);
  t.throws(() => {
    (config.capture as { gainDb: number }).gainDb = 3;
  });
});

void t.test('YAML, JSON5 and JSON say the same', async (t) => {
  const yaml = 'capture:\n  gainDb: 3\n  silentAfterMs: 5s\nlog: {transcripts: yes}\n';
  const json5 =
    "// comment\n{capture: {gainDb: 3, silentAfterMs: '5s'}, log: {transcripts: 'yes'},}";
  const json = '{"capture": {"gainDb": 3, "silentAfterMs": 5000}, "log": {"transcripts": true}}';
  const three = await Promise.all([file(yaml), file(json5, 'json5'), file(json, 'json')]);
  const [a, b, c] = three.map((path) => loadConfig(path, {}));
  t.same(a?.capture.silentAfterMs, 5000);
  t.same(a, b);
  t.same(b, c);
  t.throws(() => loadConfig(join(folder, 'none.yaml'), {}), {
    kind: 'config',
    message: /no such file/,
  });
  const other = await file('', 'ini');
  t.throws(() => loadConfig(other, {}), { kind: 'config', message: /expected .yaml/ });
});

void t.test('every fault at once, with place, what was found and what was expected', async (t) => {
  const { faults, text } = await faultsOf(
    [
      'capture:',
      '  gainDB: 3',
      '  channels: 2.5',
      '  device: [1]',
      'publish:',
      '  mqtt:',
      '    url: http://broker',
      '    keepaliveMs: 5 fortnights',
      'log:',
      '  transcripts: perhaps',
      '  level: loud',
      'device: 7',
    ].join('\n'),
    { KIKITORI_PUBLISH_OUTBOX_MAX_BYTES: 'much' },
  );
  t.match(faults, [
    {
      path: 'capture.gainDB',
      line: 2,
      column: 3,
      what: 'unknown key, did you mean capture.gainDb?',
    },
    { path: 'capture.channels', line: 3, what: 'got 2.5, expected a whole number from 1 to 32' },
    { path: 'capture.device', line: 4, what: 'got a list, expected a text' },
    {
      path: 'publish.mqtt.url',
      line: 7,
      what: /got "http:\/\/broker", expected a broker like mqtt:/,
    },
    { path: 'publish.mqtt.keepaliveMs', line: 8, what: /got "5 fortnights", expected a duration/ },
    { path: 'log.transcripts', line: 10, what: /got "perhaps", expected true or false/ },
    { path: 'log.level', line: 11, what: /got "loud", expected one of trace, debug/ },
    { path: 'device', line: 12, what: 'got 7, expected keys below it' },
    { path: 'publish.outbox.maxBytes', environment: 'KIKITORI_PUBLISH_OUTBOX_MAX_BYTES' },
  ]);
  t.match(text, /9 faults in the configuration\n {2}2:3: capture\.gainDB: unknown/);
  t.match(text, /\$KIKITORI_PUBLISH_OUTBOX_MAX_BYTES: publish\.outbox\.maxBytes: got "much"/);
  const json = await faultsOf('{\n "capture": {\n  "gainDb": "x" } }', {}, 'json');
  t.match(json.faults, [{ path: 'capture.gainDb', line: 3, column: 3 }]);
});

void t.test(
  'of a file that is something else the first fifty faults are said, and how many more',
  async (t) => {
    const keys = Array.from({ length: 63 }, (_, i) => `wrong${i}: 1`);
    const { faults, text } = await faultsOf(`${keys.join('\n')}\n`);
    t.equal(faults.length, 63);
    t.match(text, /63 faults in the configuration\n {2}1:1: .*unknown key/);
    t.equal(text.split('\n').length, 52);
    t.match(text, /\n {2}50:1: .*\n {2}\.\.\. and 13 more$/);
  },
);

void t.test('switches take every form that their fault offers', async (t) => {
  for (const [written, wanted] of [
    ['true', true],
    ['yes', true],
    ['on', true],
    ['1', true],
    ['"1"', true],
    ['False', false],
    ['NO', false],
    ['off', false],
    ['0', false],
    ['"0"', false],
  ] as const) {
    const config = loadConfig(await file(`publish:\n  partials: ${written}\n`), {});
    t.equal(config.publish.partials, wanted, written);
  }
  for (const written of ['2', '-1', '1.5', 'maybe', '[]'])
    t.match(
      (await faultsOf(`publish:\n  partials: ${written}\n`)).text,
      /true or false \(also yes\/no, on\/off, 1\/0\)/,
      written,
    );
});

void t.test('keys that are good alone and not together', async (t) => {
  const { faults } = await faultsOf(
    'capture: {channel: 2, channels: 2, source: file}\npublish: {mqtt: {certFile: a.pem, passwordFile: p}}',
  );
  t.same(faults.map(({ path }) => path).sort(), [
    'capture.channel',
    'capture.source',
    'publish.mqtt.certFile',
    'publish.mqtt.passwordFile',
  ]);
});

void t.test('own terms need a language model to be weighed against', async (t) => {
  const terms = 'recognizer: {boostPath: terms.txt}\n';
  t.match(
    (await faultsOf(terms)).text,
    /recognizer\.boostPath: expected recognizer\.languageModelPath/,
  );
  const both =
    'recognizer: {boostPath: terms.txt, languageModelPath: a.lm, dictation: push-to-talk}\n';
  t.same((await faultsOf(both)).faults, []);
  const fetched =
    'recognizer: {boostPath: terms.txt, mode: dictation}\nupdate: {language: {channel: english}}\n';
  t.same((await faultsOf(fetched)).faults, [], 'a channel brings one');
});

void t.test(
  'hawkBit assigns language models only where it is there, and of a channel',
  async (t) => {
    const { faults, text } = await faultsOf('update: {language: {trigger: hawkbit}}\n');
    t.same(
      faults.map(({ path }) => path),
      ['update.language.trigger', 'update.language.trigger'],
    );
    t.match(text, /expected update\.hawkbit\.url with it: the server that assigns them/);
    t.match(text, /expected update\.language\.channel with it: whose language models they are/);
    const whole =
      'update: {hawkbit: {url: "https://h.example.com"}, language: {trigger: hawkbit, channel: english}}\n';
    t.same((await faultsOf(whole)).faults, []);
    t.match(
      (await faultsOf('recognizer: {languageWeight: 9, wordInsertion: -20}\n')).text,
      /0\.1 to 3/,
    );
  },
);

void t.test('anchors and merge keys work as in sentences; own keys win', async (t) => {
  const path = await file('capture:\n  <<: {gainDb: 3, silentAfterMs: 5s}\n  gainDb: &gain 4\n');
  const { capture } = loadConfig(path, {});
  t.match(capture, { gainDb: 4, silentAfterMs: 5000 });
  const { faults } = await faultsOf('capture:\n  <<: {gainDbb: 3}\n');
  t.match(faults, [{ path: 'capture.gainDbb' }]);
});

void t.test('broken files are said with their place', async (t) => {
  const broken: [string, string, RegExp][] = [
    ['capture: [', 'yaml', /1:11: .*or a closing \] or \} is missing/],
    ['a: 1\na: 2', 'yaml', /2:1: this key is there twice/],
    ['{"a": ', 'json', /1:7: not JSON/],
    ['capture: &a\n  gainDb: *b', 'yaml', /2:11: this alias/],
    [`#${'x'.repeat(1_100_000)}`, 'yaml', /at most 1000000/],
  ];
  for (const [content, extension, message] of broken) {
    const path = await file(content, extension);
    t.throws(() => loadConfig(path, {}), { kind: 'config', exitStatus: 2, message });
  }
});

void t.test('the environment wins, in its own spelling', async (t) => {
  const path = await file('capture: {gainDb: 3}\nlog: {transcripts: true}');
  const config = loadConfig(path, {
    KIKITORI_CAPTURE_GAIN_DB: '-6.5',
    KIKITORI_LOG_TRANSCRIPTS: 'no',
    KIKITORI_PUBLISH_HEALTH_MS: '2m',
    KIKITORI_PUBLISH_OUTBOX_MAX_BYTES: '64MiB',
    KIKITORI_RECOGNIZER_MIN_CONFIDENCE: '0.7',
  });
  t.equal(config.capture.gainDb, -6.5);
  t.equal(config.log.transcripts, false, '"no" is no');
  t.equal(config.publish.healthMs, 120_000);
  t.equal(config.publish.outbox.maxBytes, 64 * 1024 * 1024);
  t.equal(config.recognizer.minConfidence, 0.7);
  const names = [...keysOf(schema)].map(({ path: at }) => environmentName(at));
  t.equal(new Set(names).size, names.length, 'no two keys have one name');
  t.same(unknownVariables({ KIKITORI_CAPTUR_GAIN: '1', KIKITORI_CONFIG: 'x', HOME: '/' }), [
    'KIKITORI_CAPTUR_GAIN',
  ]);
});

void t.test('paths begin at the file; secrets may be credentials; none is shown', async (t) => {
  const credentials = join(folder, 'credentials');
  await mkdir(credentials);
  await mkdir(join(folder, 'secrets'));
  await writeFile(join(credentials, 'mqtt_password'), 'from systemd\n');
  await writeFile(join(folder, 'secrets', 'password'), 'from the folder\n');
  const path = await file(
    'grammar: {path: sentences.yaml}\npublish: {mqtt: {username: d, passwordFile: mqtt_password}}',
  );
  const service = loadConfig(path, { CREDENTIALS_DIRECTORY: credentials });
  t.equal(
    service.grammar.path,
    join(folder, 'sentences.yaml'),
    'a plain file name is no credential',
  );
  t.equal(readSecret(service.publish.mqtt.passwordFile), 'from systemd');
  const byHand = loadConfig(path, {});
  t.equal(readSecret(byHand.publish.mqtt.passwordFile), 'from the folder');
  t.throws(() => readSecret(join(folder, 'nothing')), {
    kind: 'config',
    message: /no such secret/,
  });
  const { text } = await faultsOf('publish: {mqtt: {url: "mqtt://me:hunter2@broker"}}');
  t.match(text, /use username and passwordFile/);
  t.notMatch(text, /hunter2/);
});

void t.test('config/default.yaml: every key with its default, made from the schema', async (t) => {
  const committed = await readFile(join(root, 'config/default.yaml'), 'utf8');
  const same = committed.trim() === defaultYaml().trim();
  t.ok(same, 'current; if not: npm run docs');
  const path = await file(committed);
  t.same(loadConfig(path, {}), loadConfig(await file(''), {}), 'as it is it changes nothing');
  const active = YAML.parse(committed.replace(/^( *)#(\w+: )/gm, '$1$2')) as Record<
    string,
    unknown
  >;
  for (const { path: at, key } of keysOf(schema)) {
    const value = at
      .split('.')
      .reduce<unknown>((o, k) => (o as Record<string, unknown>)[k], active);
    t.equal(value, key.default, at);
  }
});

void t.test('the examples of boards are good', async (t) => {
  const names = (await readdir(join(root, 'config/examples'))).filter(
    (n) => !/\.(acl|conf)$/.test(n),
  );
  t.same(names.sort(), [
    'arm64.yaml',
    'debian.yaml',
    'raspberry-pi-4.yaml',
    'raspberry-pi-5.yaml',
    'x64.yaml',
  ]);
  for (const name of names) {
    const path = join(root, 'config/examples', name);
    t.ok(loadConfig(path, {}).device.id, name);
    // Also with what is commented out in them taken in.
    const whole = (await readFile(path, 'utf8')).replace(/^( *)# (\w+: \S+)$/gm, '$1$2');
    const text = whole.replace(/^ *url: mqtt:.*\n(?=(.*\n)*.*url: mqtts)/m, '');
    t.ok(loadConfig(await file(text), {}).publish.mqtt.url, `${name}, all of it`);
  }
});

void t.test('an address of updates that every check would fail at is refused here', async (t) => {
  for (const tail of ['?token=x', '#top', '?', '#', 'a/?b=c#d']) {
    for (const key of ['url', 'hawkbit: {url']) {
      const end = key === 'url' ? '' : '}';
      const { text } = await faultsOf(`update: {${key}: "https://u.example/k/${tail}"${end}}`);
      t.match(text, /without \? and #.*leave off/s, `${key} ${tail}`);
    }
  }
});

void t.test('where a port is opened', async (t) => {
  const listen = async (value: string) =>
    (await faultsOf(`wyoming: {listen: '${value}'}`)).faults.map(({ what }) => what);
  for (const good of ['', '127.0.0.1:10300', '0.0.0.0:10300', '[::1]:10300', 'hall-3.local:80'])
    t.same(await listen(good), [], good);
  for (const wrong of ['10300', ':10300', '127.0.0.1', 'host:99999', '::1:10300', 'a b:80'])
    t.match(await listen(wrong), [/expected host:port, like/], wrong);
});

void t.test('a device without a microphone hears for others, or it hears nothing', async (t) => {
  const none = 'capture: {source: none}\n';
  t.match(
    (await faultsOf(none)).text,
    /expected wyoming\.listen with it: there is nothing to hear/,
  );
  t.same((await faultsOf(`${none}wyoming: {listen: '0.0.0.0:10300'}`)).faults, []);
});

void t.test(
  'a file or a section with nothing in it can be edited, and keeps its comments',
  async (t) => {
    const edited = (source: string) =>
      changed(source, { 'publish.mqtt.url': 'mqtt://a' }, 'x.yaml');
    const whole = 'publish:\n  mqtt:\n    url: mqtt://a\n';
    for (const empty of ['', 'null\n', '~', 'publish:\n', 'publish:\n  mqtt:\n'])
      t.equal(edited(empty), whole, empty);
    t.equal(edited('# site\n~ # none yet\n'), `# site\n# none yet\n${whole}`);
  },
);
