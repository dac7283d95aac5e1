/** The daemon as it ships: a process with a recorder, a broker, files and signals. */
import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { main } from '../../src/cli/main.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { Child } from '../sim/process.js';
import { faultOf } from '../sim/schemas.js';
import { tinyBundle } from '../sim/tiny-checkpoint.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bin = join(root, 'bin/kikitori.js');
const folder = await mkdtemp(join(tmpdir(), 'kikitori-run-'));
const bundle = await tinyBundle();
t.teardown(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(bundle.folder, { recursive: true, force: true });
});

const password = 'correct horse battery';
const sentences = 'intents: {Stop: {data: [{sentences: ["stop [the] machine"]}]}}';
const at = (name: string) => join(folder, name);

function passwordFile(): string {
  const salt = randomBytes(12);
  const hash = pbkdf2Sync(password, salt, 101, 64, 'sha512');
  return `d:$7$101$${salt.toString('base64')}$${hash.toString('base64')}\n`;
}

function config(url: string, more: Record<string, unknown> = {}): string {
  return JSON.stringify({
    device: { id: 'd' },
    model: { path: bundle.path },
    grammar: { path: 'sentences.yaml' },
    capture: { stallAfterMs: '20s' }, // a busy machine starts the stand-in slowly
    recognizer: { minConfidence: 0 },
    publish: { base: 'k', partials: true, mqtt: { url, username: 'd', passwordFile: 'secret' } },
    state: { dir: 'state' },
    log: { level: 'trace' },
    ...more,
  });
}

/** `arecord` that plays a quiet room for ever. */
async function recorderFirst(): Promise<NodeJS.ProcessEnv> {
  await writeFile(
    at('arecord'),
    `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'scripts/demo-recorder.js')}" "$@"\n`,
  );
  await chmod(at('arecord'), 0o755);
  await writeFile(at('playlist'), '600\n');
  return {
    PATH: `${folder}${delimiter}${process.env.PATH ?? ''}`,
    KIKITORI_DEMO_PLAYLIST: at('playlist'),
  };
}

void t.test('the daemon from start to restart', async (t) => {
  const broker = await Mosquitto.open({
    config: ['allow_anonymous false', 'password_file {folder}/passwords'],
    files: { passwords: passwordFile() },
  });
  await writeFile(at('secret'), `${password}\n`);
  await writeFile(at('sentences.yaml'), sentences);
  await writeFile(at('config.json'), config(broker.url));
  const subscriber = await Subscriber.open(broker.url, 'k/#', { username: 'd', password });
  const env = { ...(await recorderFirst()), NOTIFY_SOCKET: at('nobody') };
  const daemon = Child.node([bin, 'run', '--config', at('config.json')], env);
  t.teardown(async () => {
    await daemon.kill();
    await subscriber.close();
    await broker.close();
  });
  await daemon.line('"agent.ready"');
  await daemon.line('"mic.up"');
  const info = await subscriber.find((m) => m.topic === 'k/d/info');
  t.match(info.json, { model: { name: 'tiny', version: '1.0.0' }, grammar: { sentences: 2 } });
  t.match((await subscriber.find((m) => m.topic === 'k/d/state')).json, { state: 'online' });
  await subscriber.find((m) => m.topic === 'k/d/health' && m.json['mic'] === 'up');

  const ask = async (name: string, payload: Record<string, unknown> = {}) => {
    const transaction = randomBytes(4).toString('hex');
    await subscriber.publish(`k/d/request/${name}`, { ...payload, transaction });
    const mine = await subscriber.find(
      (m) => m.topic === `k/d/response/${name}` && m.json['transaction'] === transaction,
    );
    return mine.json;
  };
  t.match(await ask('mute'), { status: 'ok', data: { muted: true } });
  await subscriber.find((m) => m.topic === 'k/d/health' && m.json['muted'] === true);
  t.match(await ask('mute', { mute: false }), { status: 'ok', data: { muted: false } });
  t.match(await ask('options', { options: { minConfidence: 0.1 } }), {
    data: { minConfidence: 0.1, minCertainty: null },
  });
  t.match(await ask('options', { options: { minCertainty: 0.5 } }), {
    data: { minConfidence: 0.1, minCertainty: 0.5 },
  });
  t.match(await ask('options', { options: { minCertainty: 0.5, volume: 11 } }), {
    status: 'error',
    error: /expected/,
  });
  t.match(await ask('options', { options: { volume: 11 } }), {
    status: 'error',
    error: /expected/,
  });
  t.match(await ask('listen'), { status: 'ok' });
  t.match(await ask('stop'), { status: 'ok' });
  t.match(await ask('selftest'), {
    status: 'ok',
    data: { wanted: 'conveyor', realTimeFactor: Number },
  });
  t.match(await ask('dance'), { status: 'error', error: /unknown request "dance"/ });

  await writeFile(
    at('sentences.yaml'),
    'intents: {Stop: {data: [{sentences: ["stop {nothing}"]}]}}',
  );
  t.match(await ask('grammar'), { status: 'error', error: /nothing/ });
  await writeFile(at('sentences.yaml'), sentences.replace(']}]', ', "go left"]}]'));
  t.match(await ask('grammar'), { status: 'ok', data: { sentences: 3 } });
  await subscriber.find(
    (m) => m.topic === 'k/d/info' && (m.json['grammar'] as { sentences: number }).sentences === 3,
  );

  const bad = config(broker.url, {
    recognizer: { minConfidence: 7 },
    capture: { gain: 1, stallAfterMs: '20s' },
  });
  await writeFile(at('config.json'), bad);
  daemon.child.kill('SIGHUP');
  t.match(
    await daemon.line('"config.refused"'),
    /minConfidence.*capture\.gain|gain.*minConfidence/,
  );
  t.match(await ask('grammar'), { status: 'ok', data: { sentences: 3 } }, 'the old one goes on');
  const good = config(broker.url, { recognizer: { minConfidence: 0.9 }, log: { level: 'info' } });
  await writeFile(at('config.json'), good);
  daemon.child.kill('SIGHUP');
  t.match(await daemon.line('"config.reloaded"'), /"needRestart":\["log"\]/);

  t.match(await ask('restart'), { status: 'ok' });
  t.equal(await daemon.exit(), 0);
  await daemon.line('"agent.stopped"').catch(() => t.fail('said goodbye'));
  await subscriber.find((m) => m.topic === 'k/d/state' && m.json['state'] === 'offline');
  t.same(
    subscriber.messages
      .filter((m) => !m.topic.includes('/request/'))
      .map(faultOf)
      .filter((f) => f !== ''),
    [],
    'all as in docs/mqtt',
  );
  t.equal(daemon.errors, '');
  const everything = [...daemon.lines, ...subscriber.messages.map((m) => m.text)].join('\n');
  t.notMatch(everything, /correct horse/, 'no secret in log or messages');
  const shown = spawnSync(
    process.execPath,
    [bin, 'config', 'show', '--config', at('config.json')],
    { encoding: 'utf8' },
  );
  t.match(shown.stdout, /passwordFile/);
  t.notMatch(shown.stdout, /correct horse/);
});

void t.test(
  'killed: the broker says offline, and without a service manager there is no restart',
  async (t) => {
    const broker = await Mosquitto.open();
    await writeFile(at('sentences.yaml'), sentences);
    await writeFile(at('secret'), 'x');
    await writeFile(at('config.json'), config(broker.url));
    const subscriber = await Subscriber.open(broker.url, 'k/#');
    const daemon = Child.node([bin, 'run', '--config', at('config.json')], {
      ...(await recorderFirst()),
      NOTIFY_SOCKET: undefined,
      JOURNAL_STREAM: '8:1',
    });
    t.teardown(async () => {
      await daemon.kill();
      await subscriber.close();
      await broker.close();
    });
    await subscriber.find((m) => m.topic === 'k/d/health' && m.json['mic'] === 'up');
    await subscriber.publish('k/d/request/restart', {});
    t.match((await subscriber.find((m) => m.topic === 'k/d/response/restart')).json, {
      status: 'error',
      error: /service manager/,
    });
    t.match(await daemon.line('agent.ready'), /^<6>\{/, 'journald gets a priority');
    await daemon.kill();
    await subscriber.find((m) => m.topic === 'k/d/state' && m.json['state'] === 'offline');
    t.pass('last will');
  },
);

void t.test('what is wrong at the start: said, and the right status', async (t) => {
  await writeFile(at('sentences.yaml'), sentences);
  await writeFile(at('secret'), 'x');
  // In this process: none of them gets as far as to hear.
  const start = async (content: string, name = 'wrong.json') => {
    await writeFile(at(name), content);
    let stderr = '';
    const status = await main(['run', '--config', at(name)], {
      stdout: { write: () => undefined },
      stderr: { write: (text: string) => (stderr += text) },
      env: {},
    });
    return { status, stderr };
  };
  const url = 'mqtt://127.0.0.1:1';
  const missing = (key: string) => config(url, { [key]: { path: 'nothing' } });
  t.match(await start('{"log": {"level": 3}}'), {
    status: 2,
    stderr: /log\.level: got 3, expected one of/,
  });
  t.match(await start('a: b: c', 'wrong.yaml'), {
    status: 2,
    stderr: /1:4: a key with two values/,
  });
  t.match(await start(missing('grammar')), { status: 1, stderr: /nothing: there is no such file/ });
  t.match(await start(missing('model')), { status: 1, stderr: /nothing/ });
  await writeFile(
    at('loop.yaml'),
    'intents: {A: {data: [{sentences: ["<a>"]}]}}\nexpansion_rules: {a: "<a> b"}',
  );
  t.match(await start(config(url, { grammar: { path: 'loop.yaml' } })), {
    status: 1,
    stderr: /loop\.yaml/,
  });
  const mqtt = { url, username: 'd', passwordFile: 'no-such-secret' };
  t.match(await start(config(url, { publish: { mqtt } })), { status: 2, stderr: /no such secret/ });
  const state = { dir: at('sentences.yaml') };
  t.match(await start(config(url, { state })), {
    status: 1,
    stderr: /state\.dir|not a directory|EEXIST/i,
  });
});
