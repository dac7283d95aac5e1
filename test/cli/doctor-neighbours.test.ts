/** What the doctor says of the neighbours: all right, all wrong at once, and beside a daemon that runs. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import t from 'tap';
import { main } from '../../src/cli/main.js';
import { secretFindings } from '../../src/cli/doctor/secrets.js';
import { loadConfig } from '../../src/config/index.js';
import { permits } from '../../src/cli/doctor/rights.js';
import { BrokerSim } from '../sim/broker-sim.js';
import { makeCertificates } from '../sim/certificates.js';
import { builtAlready, Daemon } from '../sim/daemon.js';
import { freePort, Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { toneBundle } from '../sim/tone-model.js';

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly what: string;
  readonly todo?: string;
}

const folder = await mkdtemp(join(tmpdir(), 'kikitori-doctor-'));
const broker = await Mosquitto.open();
t.teardown(async () => {
  await broker.close();
  await rm(folder, { recursive: true, force: true });
});
const at = (name: string) => join(folder, name);

/** Findings on these checks; `path`: where programs are. */
async function doctor(
  config: Record<string, unknown>,
  checks: readonly string[],
  path = process.env.PATH ?? '',
) {
  await writeFile(
    at('config.json'),
    JSON.stringify({
      ...{ model: { path: 'none' }, capture: { source: 'stdin' }, state: { dir: 'state' } },
      ...{ device: { id: 'board' }, ...config },
    }),
  );
  let stdout = '';
  let stderr = '';
  const before = process.env.PATH;
  process.env.PATH = path;
  await main(['doctor', '--config', at('config.json'), '--json'], {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env: { ...process.env, PATH: path },
  }).finally(() => {
    process.env.PATH = before;
  });
  if (stdout === '') throw new Error(stderr);
  const findings = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Finding)
    .filter(({ check }) => checks.includes(check));
  for (const { status, todo, what } of findings)
    t.equal(status === 'ok', todo === undefined, `${what}: what to do, where something is to do`);
  return findings;
}

const publish = (more: Record<string, unknown> = {}, url = broker.url) => ({
  mqtt: { url },
  ...more,
});
const neighbours = ['home-assistant', 'sparkplug', 'feedback', 'metrics', 'page', 'wyoming'];

/** A stand-in for aplay that lists one card. */
async function aplay(): Promise<string> {
  await mkdir(at('bin'), { recursive: true });
  await writeFile(
    at('bin/aplay'),
    '#!/bin/sh\nprintf "null\\n    nothing\\nplughw:CARD=Speaker,DEV=0\\n    USB\\n"\n',
  );
  await chmod(at('bin/aplay'), 0o755);
  return [at('bin'), process.env.PATH].join(delimiter);
}

void t.test('none of it is switched on: nothing is said', async (t) => {
  t.same(await doctor({ publish: publish() }, [...neighbours, 'secrets']), []);
});

void t.test('a board where all is well', async (t) => {
  const path = await aplay();
  await mkdir(at('led'));
  await writeFile(at('led/brightness'), '0\n');
  await writeFile(at('led/max_brightness'), '255\n');
  await writeFile(at('told'), '#!/bin/sh\n');
  await chmod(at('told'), 0o755);
  await writeFile(at('token'), 'a-token-for-this-test\n');
  const port = () => freePort().then((n) => `127.0.0.1:${n}`);
  const findings = await doctor(
    {
      publish: publish({
        homeAssistant: { enabled: true },
        sparkplug: { enabled: true, group: 'hall' },
      }),
      feedback: {
        ...{ sounds: 'answers', device: 'plughw:CARD=Speaker,DEV=0' },
        ...{ led: at('led'), program: at('told') },
      },
      metrics: { listen: await port(), textfile: at('kikitori.prom') },
      page: { listen: await port(), tokenFile: at('token') },
      wyoming: { listen: await port(), announce: false },
    },
    [...neighbours, 'secrets'],
    path,
  );
  t.same(
    findings.filter(({ status }) => status !== 'ok'),
    [],
  );
  t.match(
    findings.map(({ check, what }) => `${check}: ${what}`),
    [
      'secrets: can be read: page.tokenFile',
      'home-assistant: will be announced at homeassistant/device/kikitori_board/config; announced beside it: 0',
      /^sparkplug: hall\/board at mqtt:\/\/127/,
      'feedback: aplay, plughw:CARD=Speaker,DEV=0',
      /^feedback: the light .*led can be switched/,
      /^feedback: .*told can be started/,
      /^metrics: 127\.0\.0\.1:\d+ is free/,
      /^metrics: kikitori\.prom can be written to/,
      /^page: 127\.0\.0\.1:\d+ is free/,
      /^wyoming: 127\.0\.0\.1:\d+ is free/,
    ],
  );
});

void t.test('everything wrong at once', async (t) => {
  const other = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nanother\n'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`;
  await writeFile(at('plain'), 'no program\n');
  await chmod(at('plain'), 0o644);
  const certificates = makeCertificates(folder);
  await writeFile(at('good.crt'), certificates.ca);
  const findings = await doctor(
    {
      publish: {
        mqtt: { url: broker.url, username: 'd', passwordFile: 'no-such', caFile: at('plain') },
        homeAssistant: { enabled: true },
        sparkplug: {
          ...{ enabled: true, group: '', url: 'mqtt://127.0.0.1:1' },
          ...{ certFile: at('good.crt') },
        },
      },
      feedback: { sounds: 'all', led: 'no-such-led', program: at('plain') },
      metrics: { listen: taken, textfile: at('nowhere/kikitori.txt') },
      page: { listen: '0.0.0.0:80', tokenFile: at('plain') },
      wyoming: { listen: '203.0.113.7:10300' },
    },
    [...neighbours, 'secrets'],
    '/nowhere',
  );
  const seen = findings.map(({ check, status, what, todo = '' }) => [check, status, what, todo]);
  t.match(seen, [
    ['secrets', 'failed', /publish\.mqtt\.passwordFile.*no such secret/, /put the file there/],
    ['secrets', 'failed', /publish\.mqtt\.caFile: there is no certificate/, /PEM/],
    ['secrets', 'warning', /publish\.sparkplug\.certFile: .*CN=test authority ends on/, /new cert/],
    ['home-assistant', 'failed', /no such secret/, /publish\.mqtt/],
    ['sparkplug', 'failed', /in a group/, /publish\.sparkplug\.group/],
    ['feedback', 'failed', /aplay is not installed/, /alsa-utils/],
    ['feedback', 'failed', /there is no light no-such-led/, /sys\/class\/leds/],
    ['feedback', 'failed', /plain may not be started/, /chmod/],
    ['metrics', 'failed', /another program has 127\.0\.0\.1/, /ss -ltnp.*metrics\.listen/],
    ['metrics', 'failed', /only files that end in \.prom/, /metrics\.textfile/],
    ['page', 'failed', /ports below \d+ are for root alone/, /page\.listen/],
    ['page', 'failed', /page\.tokenFile.*16 to 512 characters/, /docs\/page\.md/],
    ['wyoming', 'failed', /203\.0\.113\.7:10300: .*EADDRNOTAVAIL/, /ip -brief address/],
  ]);
  const [sound] = await doctor(
    {
      publish: publish(),
      feedback: { sounds: 'all', device: 'plughw:CARD=Other' },
    },
    ['feedback'],
    await aplay(),
  );
  t.match(sound, { what: /no loudspeaker/, todo: /plughw:CARD=Speaker,DEV=0/ });
  const [file] = await doctor(
    { publish: publish(), metrics: { textfile: at('nowhere/kikitori.prom') } },
    ['metrics'],
  );
  t.match(file, {
    status: 'failed',
    what: /nowhere: there is no such file/,
    todo: /ReadWritePaths/,
  });
  const [, local] = await doctor(
    { publish: publish(), wyoming: { listen: `127.0.0.1:${await freePort()}` } },
    ['wyoming'],
  );
  t.match(local, { status: 'warning', what: /this machine alone/ });
});

void t.test('another prefix than everybody else, and a broker that shows nothing', async (t) => {
  const crowd = await Mosquitto.open();
  const subscriber = await Subscriber.open(crowd.url);
  t.teardown(async () => {
    await subscriber.close();
    await crowd.close();
  });
  await subscriber.publish('homeassistant/light/lamp/config', { name: 'Lamp' }, true);
  const of = async (homeAssistant: Record<string, unknown>, url = crowd.url) =>
    doctor({ publish: publish({ homeAssistant: { enabled: true, ...homeAssistant } }, url) }, [
      'home-assistant',
    ]);
  t.match(await of({ prefix: 'house' }), [
    { status: 'warning', what: /under house, but under homeassistant$/, todo: /prefix/ },
    { status: 'ok', what: /will be announced at house\/device\/kikitori_board\/config/ },
  ]);
  await subscriber.publish('homeassistant/status', 'online', true);
  t.match(await of({}), [
    { status: 'ok', what: /Home Assistant said online; announced beside it: 1/ },
  ]);
  const deaf = await BrokerSim.open({
    onSubscribe: (topic) => (topic.endsWith('/status') ? { reason: 128 } : undefined),
  });
  t.teardown(() => deaf.close());
  t.match(await of({}, deaf.url), [
    { status: 'warning', what: /not let this device read homeassistant\/status/, todo: /access/ },
    { status: 'ok' },
  ]);
});

void t.test('beside a daemon that runs', { skip: !builtAlready && 'not built' }, async (t) => {
  const { path: model } = await toneBundle();
  const [metrics, page, wyoming] = [await freePort(), await freePort(), await freePort()];
  const on = {
    publish: { homeAssistant: { enabled: true } },
    metrics: { listen: `127.0.0.1:${metrics}` },
    page: { listen: `127.0.0.1:${page}` },
    wyoming: { listen: `127.0.0.1:${wyoming}`, announce: false },
  };
  const daemon = await Daemon.start({
    ...{ url: broker.url, model, grammar: 'intents: {A: {data: [{sentences: ["stop"]}]}}' },
    ...{ capture: { source: 'none' }, ...on },
  });
  t.teardown(() => daemon.remove());
  await daemon.event('agent.ready');
  const subscriber = await Subscriber.open(broker.url, 'homeassistant/#');
  await subscriber.find((m) => m.topic.startsWith('homeassistant/device/'));
  await subscriber.close();
  const config = { ...on, publish: publish(on.publish), state: { dir: `${daemon.folder}/state` } };
  const findings = await doctor(config, neighbours);
  t.same(
    findings.map(({ check, status, what }) => [check, status, what.replace(/.*:\d+ /, '')]),
    [
      [
        'home-assistant',
        'ok',
        'this device is announced at homeassistant/device/kikitori_board/config; announced beside it: 0',
      ],
      ...['metrics', 'page', 'wyoming'].map((check) => [
        check,
        'ok',
        'is open: a running kikitori answers there',
      ]),
    ],
  );
  const [missing] = await doctor({ ...config, device: { id: 'other' } }, ['home-assistant']);
  t.match(missing, { status: 'warning', what: /a kikitori runs, and nothing is kept at .*other/ });
});

void t.test('certificates that have ended, end soon, or have not begun', async (t) => {
  // They hold for two days.
  const { ca } = makeCertificates(folder);
  await writeFile(at('ca.pem'), ca);
  const config = loadConfig(undefined, { KIKITORI_PUBLISH_MQTT_CA_FILE: at('ca.pem') });
  const of = (days: number) => secretFindings(config, Date.now() + days * 86_400_000);
  t.match(of(3), [{ status: 'failed', what: /caFile: .*CN=test authority ended on/ }]);
  t.match(of(1), [{ status: 'warning', what: /ends on/, todo: /new certificate/ }]);
  t.match(of(-1), [{ status: 'failed', what: /begins on/, todo: /clock/ }]);
  await writeFile(at('ca.pem'), ca.replace('MII', 'MXI'));
  t.match(of(0), [{ status: 'failed', what: /damaged/ }]);
});

void t.test('what the service may do, by the bits of a file', async (t) => {
  const user = { uid: 990, gids: [991, 29] };
  const file = (mode: number, uid = 0, gid = 0) => ({ mode, uid, gid });
  t.equal(permits(file(0o644), 'write', user), false);
  t.equal(permits(file(0o646), 'write', user), true);
  t.equal(permits(file(0o664, 0, 29), 'write', user), true);
  t.equal(permits(file(0o646, 0, 29), 'write', user), false, 'its group counts before all others');
  t.equal(permits(file(0o200, 990), 'write', user), true);
  t.equal(permits(file(0o755), 'execute', user), true);
  t.equal(permits(file(0o640, 0, 991), 'read', user), true);
});
