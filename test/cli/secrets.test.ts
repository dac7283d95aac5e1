/** A hundred odd ways to write a name and a password: none of them is printed, by any command or log. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { main } from '../../src/cli/main.js';
import { keysOf, environmentName, schema } from '../../src/config/index.js';
import { shownAddress, withoutAddresses } from '../../src/runtime/address.js';
import { Child } from '../sim/process.js';
import { catches } from '../sim/signals.js';
import { toneBundle } from '../sim/tone-model.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'kikitori-secrets-'));
const { path: model, folder: modelFolder } = await toneBundle();
t.teardown(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(modelFolder, { recursive: true, force: true });
});

const marker = 'MaRkEr';

/** Every scheme with every way to hold a user part, and every way to hold a query. */
function oddAddresses(): string[] {
  const schemes = [
    'mqtt://',
    'mqtts://',
    'wss://',
    'https://',
    'mqtt:',
    'MQTT://',
    '//',
    'x://',
    '',
  ];
  const userParts = [
    `me:${marker}@`,
    `${marker}:pw@`,
    `${marker}@`,
    `me:a/${marker}@`,
    `me:12/${marker}@`,
    `me:12?${marker}@`,
    `me:12#${marker}@`,
    `me:a ${marker}@`,
    `me:${marker} b@`,
    `me:a@${marker}@`,
    `me:a"${marker}'@`,
    `me:a\\${marker}@`,
    `me:%2F${marker}%40`,
    `me:${marker}\uFF20`,
    `me:[${marker}]@`,
    `me:{a,${marker}}@`,
    `me:\t${marker}@`,
    `me:a: ${marker}@`,
    `me:a #${marker}@`,
    `:${marker}@`,
  ];
  const tails = ['host', 'host:1883', 'host:1883/path', ''];
  const users = schemes.flatMap((scheme, i) =>
    userParts.map((user, k) => `${scheme}${user}${tails[(i + k) % tails.length] ?? ''}`),
  );
  const queries = schemes.flatMap((scheme) => [
    `${scheme}host?password=${marker}`,
    `${scheme}host:1883/path?a=b&token=${marker}`,
    `${scheme}host/#${marker}`,
    `${scheme}host?a=${marker} b`,
    `${scheme}host;password=${marker}`,
  ]);
  const noHost = schemes.slice(0, 4).map((scheme) => `${scheme}me:${marker}`);
  return [...users, ...queries, ...noHost];
}
const addresses = oddAddresses();

/** What a command wrote and with which status; a throw is what Node would print. */
async function cli(argv: readonly string[], env: Record<string, string> = {}) {
  let out = '';
  const write = (text: string) => (out += text);
  let status = 70;
  try {
    status = await main(argv, { stdout: { write }, stderr: { write }, env });
  } catch (error) {
    out += error instanceof Error ? `${error.stack ?? ''}${JSON.stringify(error)}` : String(error);
  }
  return { status, out };
}

const has = (text: string) => text.toLowerCase().includes(marker.toLowerCase());

let count = 0;
async function file(text: string, extension = 'yaml') {
  const path = join(folder, `c${count++}.${extension}`);
  await writeFile(path, text);
  return path;
}

void t.test('an address is shown as what is harmless in it', async (t) => {
  t.ok(addresses.length > 200);
  for (const address of addresses) {
    t.notOk(has(shownAddress(address)), address);
    if (!/^(|x:\/\/|\/\/)host/.test(address) && !/\?a=/.test(address))
      for (const text of [`bad ${address}`, `"${address}"; expected x`, `(${address})\n`])
        if (/:\/\/|^mqtt:|:.*@/i.test(address) && !/[ \t]/.test(address.replace(/@.*/, '')))
          t.notOk(has(withoutAddresses(text)), text);
  }
  for (const good of [
    'mqtt://host',
    'mqtts://broker.local:8883',
    'wss://[::1]:80/mqtt',
    'https://a.example/x/',
  ]) {
    t.equal(shownAddress(good), good);
    t.equal(withoutAddresses(`at ${good}, and (${good}).`), `at ${good}, and (${good}).`);
  }
  t.equal(shownAddress('wss://h:1/mqtt?token=x'), 'wss://h:1/mqtt?[hidden]');
  for (const address of addresses) {
    const once = withoutAddresses(address);
    t.equal(withoutAddresses(once), once, 'what is shown stays as it is');
  }
});

void t.test('config check, config show and the environment', async (t) => {
  const leaks: string[] = [];
  const keys = ['publish.mqtt.url', 'update.url', 'update.hawkbit.url'] as const;
  const yamlOf = (key: string, value: string) =>
    key
      .split('.')
      .map((name, i) => `${'  '.repeat(i)}${name}:`)
      .join('\n') + ` ${value}\n`;
  for (const [i, address] of addresses.entries()) {
    const key = keys[i % keys.length] ?? keys[0];
    const forms: [string, string][] = [
      [yamlOf(key, address), 'yaml'],
      [yamlOf(key, JSON.stringify(address)), 'yaml'],
      [yamlOf(key, `{${address}}`), 'yaml'],
      [yamlOf(key, `[${address}]`), 'yaml'],
      [yamlOf(key, `"${address}`), 'yaml'],
      [yamlOf(key, `!${address}`), 'yaml'],
      [yamlOf(key, `*${address}`), 'yaml'],
      [yamlOf(key, `${address}: x`), 'yaml'],
      [yamlOf(key, '').replace(/: $/m, `:${address}`), 'yaml'],
      [`publish: {mqtt: {url: ${address}, x: 1}}\n`, 'yaml'],
      [`publish: {mqtt: ${JSON.stringify(address)}}`, 'yaml'],
      [JSON.stringify({ publish: { mqtt: { url: address, [address]: 1 } } }), 'json'],
      [`{publish: {mqtt: {url: ${address}}}}`, 'json5'],
    ];
    for (const [text, extension] of forms.filter((_, k) => k % 4 === i % 4)) {
      const path = await file(text, extension);
      for (const argv of [
        ['config', 'check', path],
        ['config', 'check', '--json', path],
        ['config', 'check', path, path],
        ['config', 'show', path],
        ['run', '--config', path],
      ].slice(0, i % 5 === 0 ? 5 : 4)) {
        // A daemon would start with what is no fault.
        if (argv[0] === 'run' && (await cli(['config', 'check', path])).status === 0) continue;
        const { out } = await cli(argv);
        if (has(out)) leaks.push(`${argv.join(' ')}\n${text}\n${out}`);
      }
    }
    const path = /^\w+:\/\//.test(address) ? ['capture.path'] : [];
    for (const k of [...keys, 'publish.mqtt.username', 'publish.mqtt.passwordFile', ...path])
      for (const action of ['check', 'show']) {
        const { out } = await cli(['config', action], { [environmentName(k)]: address });
        if (has(out)) leaks.push(`${action} $${k} = ${address}\n${out}`);
      }
  }
  t.same(leaks.slice(0, 5), []);
});

void t.test('what is a secret by its key, and a value in the wrong place', async (t) => {
  const leaks: string[] = [];
  for (const { path: at, key } of keysOf(schema)) {
    if (key.path !== 'secret' && key.secret !== true) continue;
    for (const value of [marker, `a/${marker}`, `${marker} b`, `/x/${marker}`, `${marker}: "`]) {
      for (const action of ['check', 'show']) {
        const { out } = await cli(['config', action], { [environmentName(at)]: value });
        if (has(out)) leaks.push(`${action} ${at}: ${value}\n${out}`);
      }
    }
  }
  for (const text of [
    `publish: {mqtt: {password: ${marker}}}`,
    `publish: {mqtt: {${marker}: 1}}`,
    `publish: {mqtt: ${marker}}`,
    `publish:\n  mqtt:\n    password ${marker}\n    url: x`,
    `publish:\n  mqtt:\n    passwordFile: [${marker}]`,
    `publish:\n  mqtt:\n    username: {a: ${marker}}`,
    `publish:\n  mqtt:\n    passwordFile: !secret ${marker}`,
    `publish:\n  mqtt:\n    passwordFile: !${marker}`,
    `publish:\n  mqtt:\n    passwordFile: *${marker}`,
    `publish:\n  mqtt:\n    passwordFile: "${marker}`,
    `publish:\n  mqtt:\n    passwordFile: @${marker}`,
    `publish:\n  mqtt:\n    passwordFile: a: ${marker}`,
    `publish:\n  mqtt:\n\tpasswordFile: ${marker}`,
    `publish:\n  mqtt:\n    passwordFile: a\n    passwordFile: ${marker}`,
    `%${marker}\n---\n`,
    `${marker}`,
    `- ${marker}`,
    `"${marker}": 1`,
  ]) {
    const path = await file(text);
    for (const action of ['check', 'show']) {
      const { out, status } = await cli(['config', action, path]);
      if (has(out)) leaks.push(`${action}: ${text}\n${out}`);
      if (!/passwordFile|^%/.test(text)) t.equal(status, 2, text);
    }
  }
  for (const argv of [
    ['fleet', 'status', '--broker', 'mqtt://127.0.0.1:1', '--password-file', `/x/${marker}`],
    ['fleet', 'list', '--fleet', folder, `--passphrase=${marker}`],
    ['fleet', 'status', `--password=${marker}`],
    ['run', `-p${marker}`],
  ]) {
    const { out, status } = await cli(argv);
    t.equal(status, 2, out);
    if (has(out)) leaks.push(`${argv.join(' ')}\n${out}`);
  }
  t.same(leaks, []);
});

void t.test('every command that takes an address or a file', async (t) => {
  const leaks: string[] = [];
  // Good ones among them would be connected to, which takes its time.
  for (const address of addresses.filter((a) => !/^(wss|mqtts?):\/\/[^@]*$/i.test(a))) {
    for (const argv of [
      ['fleet', 'status', '--broker', address],
      ['fleet', 'watch', '--broker', address, '--for', '0'],
      [address],
    ].slice(0, /host|me|:|@/.test(address) ? 3 : 2)) {
      const { out, status } = await cli(argv);
      t.not(status, 70, `${argv.join(' ')}: ${out}`);
      if (has(out)) leaks.push(`${argv.join(' ')}\n${out}`);
    }
  }
  // What no shell and no eye takes for a file.
  for (const address of addresses.filter((a) => /^[a-z]+:\/\//i.test(a)))
    for (const argv of [
      ['config', 'check', address],
      ['run', '--config', address],
      ['run', address],
      ['doctor', address],
      ['grammar', 'check', '--model', model, address],
      ['transcribe', '--model', address, 'x.wav'],
      ['model', 'inspect', address],
      ['config', address],
      ['fleet', address],
    ]) {
      const { out } = await cli(argv);
      if (has(out)) leaks.push(`${argv.join(' ')}\n${out}`);
    }
  t.same(leaks.slice(0, 5), []);
});

void t.test(
  'the daemon and doctor: odd and valid addresses, errors of the libraries',
  async (t) => {
    const sentences = await file('intents:\n  Stop: {data: [{sentences: [stop conveyor]}]}\n');
    await mkdir(join(folder, 'state'));
    const base = {
      model: { path: model },
      grammar: { path: sentences },
      // There is no such microphone, and that never ends it.
      capture: { device: 'none' },
      state: { dir: join(folder, 'state') },
    };
    const token = `wss://127.0.0.1:9/mqtt?token=${marker}`;
    const mqtt = { url: token, username: marker, connectTimeoutMs: 500 };
    const doctor = await cli([
      'doctor',
      '--config',
      await file(JSON.stringify({ ...base, publish: { mqtt } }), 'json'),
    ]);
    t.match(doctor.out, /broker/);
    t.notOk(has(doctor.out), doctor.out);
    const missing = { ...mqtt, passwordFile: marker };
    const noSecret = await cli([
      'doctor',
      '--config',
      await file(JSON.stringify({ ...base, publish: { mqtt: missing } }), 'json'),
    ]);
    t.match(noSecret.out, /publish\.mqtt\.passwordFile: there is no such secret/);
    t.notOk(has(noSecret.out), noSecret.out);

    // A running daemon: its log with a broker that is away, then reloads of odd configurations.
    const path = await file(JSON.stringify({ ...base, publish: { mqtt } }), 'json');
    const daemon = Child.node([`${root}bin/kikitori.js`, 'run', '--config', path]);
    t.teardown(() => daemon.kill());
    const started = await daemon.line('agent.ready').catch((e: unknown) => String(e));
    t.match(started, /agent\.ready/);
    await daemon.line('mqtt.down');
    await catches(daemon.child.pid ?? 0, 'SIGHUP');
    const odd = [`mqtt:me:${marker}@h`, `mqtt://me:a/${marker}@h`, `mqtt://me:12/${marker}@h`];
    for (const url of [...odd, `"${marker}`, `{${marker}: 1}`]) {
      const from = daemon.lines.length;
      await writeFile(
        path,
        `{"publish": {"mqtt": {"url": ${url.startsWith('m') ? JSON.stringify(url) : url}}}}`,
      );
      daemon.child.kill('SIGHUP');
      await daemon.line('config.refused', from);
    }
    const from = daemon.lines.length;
    await writeFile(path, '');
    daemon.child.kill('SIGHUP');
    await daemon.line('config.refused', from);
    daemon.child.kill('SIGTERM');
    t.equal(await daemon.exit(), 0);
    t.notOk(has(daemon.lines.join('\n') + daemon.errors), daemon.lines.join('\n'));
  },
);

void t.test('the log itself: any field of any line, whoever wrote it', async (t) => {
  const program = `import('${root}dist/src/runtime/log.js').then(({ openLog }) => {
    const log = openLog('trace', {});
    for (const a of ${JSON.stringify(addresses.filter((a) => /^[a-z]+:\/\//i.test(a)))}) {
      log.info({ event: 'a.b', why: a, url: a, deep: { list: [a, { more: 'failed: ' + a }] } }, 'cannot reach ' + a);
      log.error({ event: 'a.b', err: Object.assign(new Error('bad ' + a), { input: a }) });
      log.warn('plain ' + a);
    }
    log.info({ event: 'a.b', password: '${marker}', a: { token: '${marker}', mqtt: { passphrase: '${marker}', key: '${marker}' } } });
  });`;
  const child = Child.node(['-e', program]);
  t.equal(await child.exit(), 0);
  t.ok(child.lines.length > 300);
  t.same(child.lines.filter(has).slice(0, 3), []);
});
