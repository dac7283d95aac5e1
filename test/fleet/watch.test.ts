/** The fleet as it is seen from a real broker, and roll-outs that go by themselves. */
import { appendFile, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { main } from '../../src/cli/main.js';
import { readChannel } from '../../src/fleet/index.js';
import { FleetReader } from '../../src/fleet/watch/broker.js';
import { History } from '../../src/fleet/watch/history.js';
import { page } from '../../src/fleet/watch/page.js';
import { table } from '../../src/fleet/watch/table.js';
import { FleetView, reportsOn, troubleOf } from '../../src/fleet/watch/view.js';
import { cohortOf, type ChannelFile } from '../../src/update/index.js';
import { builtAlready, program } from '../sim/daemon.js';
import { FleetDevice } from '../sim/fleet-device.js';
import { FleetSim, passphrase, testFolder } from '../sim/fleet-sim.js';
import { until } from '../sim/mic-sim.js';
import { Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { Child } from '../sim/process.js';
import { TestClock } from '../sim/test-clock.js';

function ioOf(env: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const io = {
    stdout: { write: (s: string) => out.push(s) },
    stderr: { write: (s: string) => err.push(s) },
    env,
  };
  return { io, out, err };
}

async function brokerOf(t: Test): Promise<Mosquitto> {
  const broker = await Mosquitto.open();
  t.teardown(() => broker.close());
  return broker;
}

async function devicesOf(
  t: Test,
  url: string,
  n: number,
  good: (i: number) => boolean = () => true,
) {
  const devices: FleetDevice[] = [];
  for (let i = 0; i < n; i++)
    devices.push(await FleetDevice.open(url, `board-${i}`, { good: good(i) }));
  t.teardown(() => Promise.all(devices.map((d) => d.close())));
  return devices;
}

void t.test('status from retained topics alone', async (t) => {
  const broker = await brokerOf(t);
  const devices = await devicesOf(t, broker.url, 5);
  await devices[1]?.retain('update', {
    state: 'rolled-back',
    progress: null,
    installedVersion: '1.0.0',
    latestVersion: '1.1.0',
    deployment: 'd',
    reason: 'crash-loop',
  });
  await devices[2]?.retain('health', { mic: 'lost', rtf: 0.1, dropped: 3, clockSynced: false });
  devices[3]?.vanish();
  await devices[4]?.retain('info', 'no JSON at all');
  const beside = await Subscriber.open(broker.url);
  t.teardown(() => beside.close());
  await beside.find((m) => m.topic === 'kikitori/board-3/state' && m.json['state'] === 'offline');
  const folder = await testFolder(t);
  const html = join(folder, 'fleet.html');
  const { io, out } = ioOf();
  t.equal(await main(['fleet', 'status', '--broker', broker.url, '--html', html, '--json'], io), 0);
  const rows = out.map(
    (line) =>
      JSON.parse(line) as {
        device: string;
        online: boolean;
        trouble: string[];
        health: object;
        model: { version: string } | null;
      },
  );
  t.equal(rows.length, 5);
  t.match(rows[0], {
    device: 'board-0',
    online: true,
    trouble: [],
    model: { version: '1.0.0' },
    health: { accepted: 90, rejected: 10 },
  });
  t.same(rows[1]?.trouble, ['rolled-back: crash-loop']);
  t.same(rows[2]?.trouble, ['microphone lost', '3 transcripts dropped', 'clock not set']);
  t.match(rows[3], { online: false, trouble: ['offline'] });
  const picture = await readFile(html, 'utf8');
  t.match(picture, /5 devices, 4 online, 3 to look at/);
  t.notMatch(picture, /https?:\/\/|src=/, 'nothing is loaded from elsewhere');
  const second = ioOf();
  t.equal(await main(['fleet', 'status', '--broker', broker.url], second.io), 0);
  t.match(second.out.join(''), /board-1.*90\/10.*rolled-back: crash-loop/);
});

void t.test('all has come when also a busy broker has answered', async (t) => {
  const broker = await brokerOf(t);
  const clock = new TestClock();
  const nothing = () => undefined;
  const reader = await FleetReader.open({
    ...{ url: broker.url, base: 'kikitori', clock, onMessage: nothing, onLink: nothing },
  });
  t.teardown(() => reader.close());
  broker.freeze();
  let settled = false;
  const settling = reader.settled(700, 1e9).then(() => (settled = true));
  await clock.advance(10_000);
  t.notOk(settled, 'quiet for long, and no answer');
  broker.thaw();
  await settling;
  broker.freeze();
  const given = reader.settled(700, 5000);
  await clock.advance(5000);
  await given;
  t.pass('not for ever');
  broker.thaw();
});

void t.test('what a device says cannot hurt the manager', async (t) => {
  const view = new FleetView('kikitori', 3);
  const tell = (device: string, kind: string, value: unknown) =>
    view.apply(`kikitori/${device}/${kind}`, Buffer.from(JSON.stringify(value)), false, 1000);
  tell('<script>', 'info', {
    version: '\u001b[2J',
    model: { name: '<img onerror=x>', version: '1\u202e', sha256: 'x'.repeat(5000) },
  });
  const [evil] = view.list();
  t.equal(evil?.agentVersion, '[2J');
  t.equal(evil?.model?.sha256.length, 200);
  t.notMatch(page(view.list(), 1000, 5), /<script>|<img/);

  t.notMatch(table(view.list(), 1000), /[\u0000-\u0009\u000b-\u001f]/);
  for (const value of [null, 5, 'x', [], { model: 5 }, { model: { name: {} } }])
    tell('a', 'info', value);
  view.apply('kikitori/a/info', Buffer.alloc(100_000, ' '), false, 0);
  view.apply('other/a/info', Buffer.from('{}'), false, 0);
  view.apply('kikitori/a/b/info', Buffer.from('{}'), false, 0);
  view.apply('kikitori/a/info', Buffer.from([0xff, 0xfe]), false, 0);
  for (let i = 0; i < 10; i++) tell(`d${i}`, 'state', { state: 'online' });
  t.equal(view.devices.size, 3, 'a limit on devices');
  t.ok(view.ignored > 8, 'and it is counted what was left out');
  t.ok(view.list().every((d) => Array.isArray(troubleOf(d))));
});

void t.test(
  'language models are counted, and their deployments decide as those of models do',
  async (t) => {
    const view = new FleetView('kikitori');
    const tell = (device: string, kind: string, value: unknown) =>
      view.apply(`kikitori/${device}/${kind}`, Buffer.from(JSON.stringify(value)), true, 1000);
    const deployment = 'english-20261130T100000-0001';
    const states = ['committed', 'committed', 'rolled-back', 'trial', ''];
    states.forEach((state, i) => {
      const device = `board-${i}`;
      const sha256 = 'f'.repeat(64);
      tell(device, 'state', { state: 'online' });
      tell(device, 'info', {
        model: { name: 'tiny', version: '1.0.0', sha256 },
        ...(i < 2 ? { languageModel: { name: 'general', version: '1.1.0', sha256 } } : {}),
      });
      tell(device, 'update', { state: 'committed', deployment: 'stable-1' });
      if (state !== '') tell(device, 'language', { state, deployment, reason: 'refuses' });
    });
    const channel = channelOf({ deployment });
    t.same(reportsOn(view.list(), channel), {
      ...{ known: 5, offline: 0, taking: 5, committed: 2, failed: 1 },
    });
    t.match(reportsOn(view.list(), channelOf({ deployment: 'stable-1' })), { committed: 5 });
    const shown = table(view.list(), 1000);
    t.match(shown, /^language models: 2 general 1\.1\.0$/m);
    t.match(shown, /board-2 .*language model rolled-back: refuses/);
  },
);

const channelOf = (change: Partial<ChannelFile>) =>
  ({
    channel: 'english',
    rollout: { percent: 100, groups: [], state: 'running' },
    ...change,
  }) as ChannelFile;

void t.test('a fleet of none, and one of many', async (t) => {
  t.match(table([], 0), /no board was heard of/);
  t.match(page([], 0, null), /no board was heard of/);
  t.notMatch(page([], 0, null), /<table/);
  const view = new FleetView('kikitori');
  for (let i = 0; i < 2500; i++) {
    const tell = (kind: string, value: unknown) =>
      view.apply(`kikitori/d${i}/${kind}`, Buffer.from(JSON.stringify(value)), true, 0);
    tell('state', { state: i % 10 === 0 ? 'offline' : 'online' });
    tell('health', { dropped: i % 50 === 0 ? i + 1 : 0 });
  }
  t.match(
    table(view.list(), 0),
    /and 2300 more[^]*250 to look at[^]*250 offline, 50 transcripts dropped/,
  );
  t.match(page(view.list(), 0, null), /250 offline[^]*and 500 more/);
});

void t.test('a broker that is not there, refuses, or is misspelt', async (t) => {
  const { io, err } = ioOf();
  t.equal(await main(['fleet', 'status'], io), 2);
  t.equal(await main(['fleet', 'status', '--broker', 'http://x'], io), 2);
  t.equal(await main(['fleet', 'status', '--broker', 'mqtt://u:secret@x'], io), 2);
  t.notMatch(err.join(''), 'secret');
});

void t.test('watch as a service keeps a history', { skip: !builtAlready }, async (t) => {
  const broker = await brokerOf(t);
  const [device] = await devicesOf(t, broker.url, 1);
  const folder = await testFolder(t);
  const store = join(folder, 'history');
  const files = ['--store', store, '--html', join(folder, 'x.html')];
  const watch = ['fleet', 'watch', '--broker', broker.url, ...files, '--every', '0.3'];
  const watching = Child.node([program, ...watch]);
  t.teardown(() => watching.kill());
  const keeps = (model: string) =>
    until(model, async () => {
      const names = await readdir(store).catch(() => []);
      const days = await Promise.all(names.map((name) => readFile(join(store, name), 'utf8')));
      return days.join('').includes(`"${model}"`);
    });
  await keeps('tiny 1.0.0');
  await broker.stop();
  await broker.start();
  await device?.runs('1.1.0', 'b');
  await keeps('tiny 1.1.0');
  t.equal(await watching.kill('SIGTERM'), 0, watching.errors);
  const [name] = await readdir(store);
  await appendFile(join(store, name ?? ''), '{"atMs":5,"dev'); // a crash in the middle of a line
  const history = await History.open(store);
  const seen: string[] = [];
  for await (const { model } of history.read('board-0'))
    if (model !== '' && seen.at(-1) !== model) seen.push(model);
  t.same(seen, ['tiny 1.0.0', 'tiny 1.1.0'], 'through a restart of the broker');
  for (const day of ['2020-01-01', '2020-01-02']) await writeFile(join(store, `${day}.jsonl`), '');
  await (await History.open(store, 2)).prune();
  t.equal((await readdir(store)).length, 2, 'old days are removed');
});

async function rollOut(t: Test, good: (i: number) => boolean) {
  const broker = await brokerOf(t);
  const fleet = await FleetSim.make(t, { nowMs: Date.now() });
  await fleet.publish('1.1.0', { percent: 0 });
  const devices = await devicesOf(t, broker.url, 20, good);
  const plan = join(fleet.folder, 'stages.yaml');
  await writeFile(
    plan,
    'stages:\n  - {percent: 40, minSample: 4, pauseAbove: 30, success: 70}\n  - {percent: 100, minSample: 20, pauseAbove: 30, success: 70}\n',
  );
  let over = false;
  const polling = (async () => {
    while (!over) {
      const channel = await readChannel(await fleet.open(), 'stable').catch(() => undefined);
      if (channel !== undefined) for (const d of devices) await d.poll(channel);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  const { io, out } = ioOf({ KIKITORI_FLEET_PASSPHRASE: passphrase });
  const marker = join(fleet.folder, 'uploaded');
  const argv = [
    'fleet',
    'rollout',
    'stable',
    '--auto',
    plan,
    '--broker',
    broker.url,
    '--fleet',
    fleet.dir,
    '--every',
    '0.2',
    '--after',
    `echo up >> ${marker}`,
    '--json',
  ];
  const status = await main(argv, io);
  over = true;
  await polling;
  const channel = await readChannel(await fleet.open(), 'stable');
  const uploads = (await readFile(marker, 'utf8')).trim().split('\n').length;
  return {
    status,
    out: out.map((l) => JSON.parse(l) as { what: string; why: string }),
    channel,
    devices,
    uploads,
    again: () => main(argv, io),
  };
}

void t.test('a good model reaches everybody, step by step', async (t) => {
  const { status, out, channel, devices, uploads } = await rollOut(t, () => true);
  t.equal(status, 0);
  t.same(channel?.rollout, { percent: 100, groups: [], state: 'running' });
  t.ok(devices.every((d) => d.took));
  t.same(
    out.filter((o) => o.what.endsWith('%')).map((o) => o.what),
    ['40 %', '100 %'],
  );
  t.equal(uploads, 2, 'each change was uploaded');
});

void t.test('a bad model stops with the first step', async (t) => {
  const { status, out, channel, devices, again } = await rollOut(t, () => false);
  t.equal(status, 1);
  t.equal(channel?.rollout.state, 'paused');
  t.equal(channel?.rollout.percent, 40);
  t.match(out.at(-1), { what: 'paused', why: /failed, at most 30 % are allowed/ });
  const took = devices.filter((d) => d.took);
  t.ok(took.length > 0, `${took.length} of 20 boards tried it`);
  const within = 100 * (channel?.rollout.percent ?? 0);
  t.ok(
    took.every((d) => cohortOf(d.id, channel?.deployment ?? '') < within),
    'none that was not in the step',
  );
  t.equal(await again(), 1, 'started again, it stays paused');
});
