/** Each check of the doctor, right and wrong, against real parts. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import t from 'tap';
import { main } from '../../src/cli/main.js';
import { FolderLock } from '../../src/runtime/lock.js';
import { Mosquitto } from '../sim/mosquitto.js';
import { OlderLine } from '../sim/older-line.js';
import { tinyBundle } from '../sim/tiny-checkpoint.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-doctor-'));
const bundle = await tinyBundle();
const broker = await Mosquitto.open();
t.teardown(async () => {
  await broker.close();
  await rm(folder, { recursive: true, force: true });
  await rm(bundle.folder, { recursive: true, force: true });
});
const at = (name: string) => join(folder, name);

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly what: string;
  readonly todo?: string;
}

async function doctor(config: Record<string, unknown>, args: readonly string[] = ['--json']) {
  await writeFile(at('config.json'), JSON.stringify(config));
  let stdout = '';
  let stderr = '';
  const status = await main(['doctor', '--config', at('config.json'), ...args], {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env: process.env,
  });
  const findings = args.includes('--json')
    ? stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Finding)
    : [];
  const of = (check: string) => findings.find((f) => f.check === check);
  return { status, stdout, stderr, findings, of };
}

/** A stand-in for arecord: `-L` lists a card, else it is a microphone of that loudness, or it fails. */
async function recorder(
  kind: 'voice' | 'quiet' | 'mute' | 'loud' | 'gone' | 'busy',
): Promise<void> {
  const peak = { voice: 3000, quiet: 3, mute: 0, loud: 32767, gone: 0, busy: 0 }[kind];
  await writeFile(
    at('arecord'),
    `#!/usr/bin/python3
import sys, time, struct
if '-L' in sys.argv:
    print('null\\n    nothing\\nhw:CARD=Device,DEV=0\\n    USB\\nplughw:CARD=Device,DEV=0\\n    USB')
    sys.exit(0)
if '${kind}' == 'gone':
    sys.stderr.write('arecord: main:830: audio open error: No such file or directory\\n')
    sys.exit(1)
if '${kind}' == 'busy':
    sys.stderr.write('arecord: main:831: audio open error: Device or resource busy\\n')
    sys.exit(1)
block = b''.join(struct.pack('<h', ${peak} if i % 20 < 10 else -${peak}) for i in range(1600))
while True:
    sys.stdout.buffer.write(block); sys.stdout.buffer.flush(); time.sleep(0.1)
`,
  );
  await chmod(at('arecord'), 0o755);
}
const path = process.env.PATH ?? '';
t.before(() => {
  process.env.PATH = `${folder}${delimiter}${path}`;
});
t.teardown(() => {
  process.env.PATH = path;
});

const good = {
  model: { path: bundle.path },
  grammar: { path: 'sentences.yaml' },
  capture: { device: 'plughw:CARD=Device,DEV=0', stallAfterMs: '10s' },
  publish: { mqtt: { url: broker.url } },
  state: { dir: 'state' },
};

void t.test('a board where all is well', async (t) => {
  await writeFile(at('sentences.yaml'), 'intents: {Stop: {data: [{sentences: ["stop"]}]}}');
  await recorder('voice');
  const { status, findings, of } = await doctor(good);
  t.same(
    findings.map((f) => f.check),
    ['platform', 'device', 'microphone', 'model', 'grammar', 'broker', 'clock', 'disk'],
  );
  for (const check of ['platform', 'device', 'microphone', 'grammar', 'broker'])
    t.equal(of(check)?.status, 'ok', `${check}: ${of(check)?.what ?? ''}`);
  t.match(of('microphone')?.what, /loudest -21 dBFS/);
  t.match(of('disk')?.status, /ok|warning/);
  t.match(of('model'), { status: /ok|warning/, what: /^tiny 1\.0\.0/ });
  t.equal(status, 0, 'warnings are no failure');
  for (const f of findings) if (f.status !== 'ok') t.ok(f.todo, `${f.check} says what to do`);
});

void t.test('microphones', async (t) => {
  for (const [kind, status, what] of [
    ['quiet', 'warning', /loudest -81 dBFS/],
    ['mute', 'failed', /digital silence/],
    ['loud', 'warning', /loudest -?0 dBFS/],
    ['gone', 'failed', /audio open error: No such file/],
  ] as const) {
    await recorder(kind);
    t.match((await doctor(good)).of('microphone'), { status, what, todo: /./ }, kind);
  }
  await recorder('voice');
  const named = (device: string) => ({ ...good, capture: { ...good.capture, device } });
  t.match((await doctor(named('plughw:CARD=Other,DEV=0'))).of('device'), {
    status: 'failed',
    todo: /plughw:CARD=Device,DEV=0/,
  });
  t.match((await doctor(named('hw:1,0'))).of('device'), { status: 'warning', todo: /plughw:CARD/ });
});

void t.test('the microphone that the running service has is no fault', async (t) => {
  await recorder('busy');
  const busy = { ...good, state: { dir: at('served') } };
  t.match((await doctor(busy)).of('microphone'), { status: 'failed', what: /resource busy/ });
  const lock = await FolderLock.take(at('served'), Date.now());
  t.teardown(() => lock.release());
  const { of, status } = await doctor(busy);
  t.match(of('microphone'), { status: 'warning', what: /a kikitori runs/, todo: /stop kikitori/ });
  t.equal(status, 0);
});

void t.test('everything wrong at once: every check is made all the same', async (t) => {
  await recorder('gone');
  await writeFile(at('broken.yaml'), 'intents: {Stop: {data: [{sentences: ["stop {x}"]}]}}');
  const { status, of, findings } = await doctor({
    ...good,
    grammar: { path: 'broken.yaml' },
    publish: { mqtt: { url: 'mqtt://127.0.0.1:1' } },
    state: { dir: at('sentences.yaml') },
  });
  t.equal(status, 1);
  t.match(of('grammar'), { status: 'failed', what: /broken\.yaml/ });
  t.match(of('broker'), { status: 'failed', what: /127\.0\.0\.1:1: .*ECONNREFUSED/ });
  t.match(of('disk'), { status: 'failed', todo: /state\.dir/ });
  t.equal(findings.length, 8);
  const secret = { url: broker.url, username: 'd', passwordFile: 'no-such' };
  const other = await doctor({ ...good, model: { path: 'none' }, publish: { mqtt: secret } });
  t.match(other.of('broker'), { status: 'failed', what: /no such secret/ });
  t.match(other.of('model'), { status: 'failed', what: /none/ });
});

void t.test('brokers that do not take all', async (t) => {
  await recorder('voice');
  const cases = [
    ['retain_available false', {}, 'warning', /publish\.retain: false/],
    ['retain_available false', { retain: false }, 'ok', undefined],
    ['max_qos 0', {}, 'failed', /publish\.qos: 0/],
    ['max_qos 0', { qos: 0 }, 'ok', undefined],
    ['max_packet_size 2500', {}, 'warning', /max_packet_size/],
  ] as const;
  for (const protocolVersion of [4, 'auto'])
    for (const [line, publish, status, todo] of cases) {
      const little = await Mosquitto.open({ config: ['allow_anonymous true', line] });
      const config = { ...good, model: { path: 'none' } };
      const mqtt = { url: little.url, protocolVersion };
      const { of } = await doctor({ ...config, publish: { ...publish, mqtt } });
      await little.close();
      t.match(
        of('broker'),
        { status, ...(todo === undefined ? {} : { todo }) },
        `MQTT ${protocolVersion}, ${line}, ${JSON.stringify(publish)}`,
      );
    }
  await mkdir(at('state/outbox'), { recursive: true });
  await writeFile(at('state/outbox/set-aside.log'), '{}\n{}\n');
  const { of } = await doctor({ ...good, model: { path: 'none' } });
  t.match(of('outbox'), { status: 'warning', what: /^2 messages/, todo: /set-aside\.log/ });
  await rm(at('state/outbox'), { recursive: true });
});

void t.test('a broker of MQTT 3.1.1 alone is told apart, and what that costs', async (t) => {
  await recorder('voice');
  await writeFile(at('password'), 'secret');
  const login = { username: 'board', passwordFile: at('password') };
  const cases = [
    ['speaks-all', {}, 'ok', /answered in MQTT 5/],
    ['says-so', {}, 'ok', /answered in MQTT 3\.1\.1/],
    ['hangs-up', {}, 'ok', /answered in MQTT 3\.1\.1/],
    ['speaks-all', login, 'ok', /answered in MQTT 5/],
    ['says-so', login, 'warning', /3\.1\.1 alone.*access list/],
    ['hangs-up', login, 'warning', /3\.1\.1 alone.*access list/],
  ] as const;
  for (const [way, more, status, what] of cases) {
    const line = await OlderLine.to(broker.port, way);
    const mqtt = { url: line.url, ...more };
    const { findings } = await doctor({ ...good, model: { path: 'none' }, publish: { mqtt } });
    await line.close();
    t.match(
      findings.filter(({ check }) => check === 'broker').at(-1),
      { status, what },
      `${way}, ${JSON.stringify(more)}`,
    );
  }
});

void t.test('what happened, where somebody should look', async (t) => {
  await recorder('voice');
  const config = { ...good, model: { path: 'none' } };
  const quiet = (await doctor(config)).findings.map((f) => f.check);
  t.notOk(quiet.some((check) => ['outbox', 'update', 'service'].includes(check)));
  await mkdir(at('state/outbox'), { recursive: true });
  await mkdir(at('state/update'), { recursive: true });
  await writeFile(at('state/outbox/damaged-7.log'), 'x');
  await writeFile(at('state/update/journal.json.set-aside'), 'x');
  await writeFile(
    at('state/update/journal.json'),
    JSON.stringify({ phase: 'rolled-back', reason: 'refuses', detail: 'refuses 31 %' }),
  );
  await writeFile(
    at('systemctl'),
    `#!/bin/sh
printf 'NRestarts=3\\nResult=watchdog\\nActiveState=active\\nMemoryCurrent=690000000\\nMemoryMax=734003200\\nLoadState=loaded\\n'
`,
  );
  await chmod(at('systemctl'), 0o755);
  const { findings, status } = await doctor(config);
  const whats = (check: string) => findings.filter((f) => f.check === check).map((f) => f.what);
  t.match(whats('outbox'), [/^1 damaged outbox set aside: damaged-7\.log/]);
  t.match(whats('update'), [/journal .* set aside/, /rolled-back: refuses \(refuses 31 %\)/]);
  t.match(whats('service'), [/started again 3 times .*watchdog/, /690 MB of the 734 MB/]);
  for (const { status: how, todo, check } of findings)
    if (['outbox', 'update', 'service'].includes(check))
      t.match({ how, todo }, { how: 'warning', todo: /./ });
  t.equal(status, 1, 'for the model that is not there alone');
  await writeFile(at('systemctl'), '#!/bin/sh\necho LoadState=not-found\n');
  await writeFile(at('state/update/journal.json'), '{"phase": "trial"');
  await rm(at('state/update/journal.json.set-aside'));
  await rm(at('state/outbox/damaged-7.log'));
  const after = (await doctor(config)).findings.map((f) => f.check);
  t.same(after, quiet, 'nothing of it any more');
  await rm(at('systemctl'));
});

void t.test('for people, and with a bad configuration', async (t) => {
  await recorder('voice');
  const { stdout } = await doctor({ ...good, model: { path: 'none' } }, []);
  t.match(stdout, /^ok {7}platform/);
  t.match(stdout, /^FAILED {3}model .*\n {23} -> /m);
  const bad = await doctor({ capture: { gain: 1 } }, []);
  t.equal(bad.status, 2);
  t.match(bad.stderr, /capture\.gain: unknown key, did you mean capture\.gainDb/);
});
