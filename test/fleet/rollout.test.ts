/** Roll-outs that go by themselves, against what happens to a watcher and to a broker. */
import { readFile, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import t, { type Test } from 'tap';
import { readChannel } from '../../src/fleet/index.js';
import { builtAlready, program } from '../sim/daemon.js';
import { FleetDevice } from '../sim/fleet-device.js';
import { FleetSim, passphrase, testFolder } from '../sim/fleet-sim.js';
import { Mosquitto } from '../sim/mosquitto.js';
import { Child } from '../sim/process.js';

const skip = builtAlready ? false : 'the program is not built';
const plan =
  'stages:\n  - {percent: 40, minSample: 4, pauseAbove: 30, success: 70}\n  - {percent: 100, minSample: 18, pauseAbove: 30, success: 70}\n';

class RollOut {
  over = false;
  polling: Promise<void> = Promise.resolve();
  private constructor(
    readonly fleet: FleetSim,
    readonly broker: Mosquitto,
    readonly devices: readonly FleetDevice[],
    readonly planPath: string,
    readonly marker: string,
    readonly credentials: readonly string[],
  ) {}

  static async make(
    t: Test,
    broker: Mosquitto,
    devices: readonly FleetDevice[],
    credentials: readonly string[] = [],
  ): Promise<RollOut> {
    const fleet = await FleetSim.make(t, { nowMs: Date.now() });
    await fleet.publish('1.1.0', { percent: 0 });
    const planPath = join(fleet.folder, 'stages.yaml');
    await writeFile(planPath, plan);
    const marker = join(fleet.folder, 'uploads');
    const made = new RollOut(fleet, broker, devices, planPath, marker, credentials);
    t.teardown(() => made.stop());
    return made;
  }

  /** Boards ask the repository again and again, those that `may`. */
  poll(may: (device: FleetDevice) => boolean = () => true): void {
    this.polling = (async () => {
      while (!this.over) {
        const channel = await this.channel().catch(() => undefined);
        if (channel !== undefined) for (const d of this.devices) if (may(d)) await d.poll(channel);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
  }

  async stop(): Promise<void> {
    this.over = true;
    await this.polling;
  }

  watch(after = `echo up >> ${this.marker}`): Child {
    const argv = [
      'fleet',
      'rollout',
      'stable',
      '--auto',
      this.planPath,
      '--every',
      '0.2',
      '--json',
    ];
    const where = ['--broker', this.broker.url, '--fleet', this.fleet.dir, '--after', after];
    return Child.node([program, ...argv, ...where, ...this.credentials], {
      KIKITORI_FLEET_PASSPHRASE: passphrase,
    });
  }

  async channel() {
    const channel = await readChannel(await this.fleet.open(), 'stable');
    if (channel === undefined) throw new Error('nothing was published');
    return channel;
  }

  async uploads(): Promise<number> {
    return (await readFile(this.marker, 'utf8').catch(() => '')).split('\n').length - 1;
  }
}

async function boards(t: Test, url: string, n: number) {
  const devices: FleetDevice[] = [];
  for (let i = 0; i < n; i++) devices.push(await FleetDevice.open(url, `board-${i}`));
  t.teardown(() => Promise.all(devices.map((d) => d.close())));
  return devices;
}

void t.test('a watcher that is killed in the middle goes on where it was', { skip }, async (t) => {
  const broker = await Mosquitto.open();
  t.teardown(() => broker.close());
  const devices = await boards(t, broker.url, 20);
  // What boards said of an earlier roll-out, and boards that are gone, count nothing.
  for (let i = 0; i < 3; i++) {
    const ghost = await FleetDevice.open(broker.url, `gone-${i}`);
    await ghost.retain('update', {
      state: 'committed',
      progress: null,
      installedVersion: '1.0.0',
      latestVersion: '1.0.0',
      deployment: 'stable-20200101T000000-0000',
    });
    ghost.vanish();
  }
  const rollOut = await RollOut.make(t, broker, devices);
  let first = rollOut.watch();
  await first.line('"what":"40 %"');
  await first.line('"what":"waiting"');
  await first.kill();
  // Between signing and uploading: the upload is not forgotten.
  const file = join(rollOut.fleet.dir, 'auto-stable.json');
  const state = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...state, uploadDue: true }));
  const before = await rollOut.uploads();
  first = rollOut.watch('false');
  await first.line('"what":"waiting"');
  t.match(first.errors, /--after ended with status 1; it is run again/);
  await first.kill();
  rollOut.poll();
  const second = rollOut.watch();
  await second.line('"what":"100 %"');
  await second.kill();
  const third = rollOut.watch();
  t.equal(await third.exit(), 0, third.errors);
  const { rollout } = await rollOut.channel();
  t.match(rollout, { percent: 100, state: 'running' });
  t.ok(devices.every((d) => d.took));
  t.ok((await rollOut.uploads()) >= before + 2, 'the change that was due, and the next');
});

void t.test('a broker that goes away, and one that tells of nobody', { skip }, async (t) => {
  const broker = await Mosquitto.open();
  t.teardown(() => broker.close());
  const rollOut = await RollOut.make(t, broker, []);
  const watching = rollOut.watch();
  await watching.line('"what":"40 %"');
  await watching.line(/waiting.*no board/);
  await broker.stop();
  await watching.line('"what":"waiting"');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await broker.start();
  await watching.line(/waiting.*no board/, watching.lines.length);
  t.equal((await rollOut.channel()).rollout.percent, 40, 'silence is no success');
  await watching.kill('SIGTERM');
});

void t.test('forged reports', { skip }, async (t) => {
  const acl = await readFile(
    fileURLToPath(new URL('../../config/examples/mosquitto.acl', import.meta.url)),
    'utf8',
  );
  const names = ['fleet', 'operator', 'board-0', 'board-1', 'board-2', 'board-3', 'board-4'];
  const folder = await testFolder(t);
  const passwords = join(folder, 'passwords');
  await writeFile(passwords, names.map((name) => `${name}:pass-${name}\n`).join(''), {
    mode: 0o600,
  });
  execFileSync('mosquitto_passwd', ['-U', passwords]);
  const broker = await Mosquitto.open({
    files: { 'kikitori.acl': acl, passwords: await readFile(passwords, 'utf8') },
    config: [
      'allow_anonymous false',
      'password_file {folder}/passwords',
      'acl_file {folder}/kikitori.acl',
    ],
  });
  t.teardown(() => broker.close());
  await t.rejects(mqtt.connectAsync(broker.url, { reconnectPeriod: 0 }), /[Nn]ot authorized/);
  const devices: FleetDevice[] = [];
  for (const name of names.slice(2))
    devices.push(
      await FleetDevice.open(broker.url, name, { username: name, password: `pass-${name}` }),
    );
  t.teardown(() => Promise.all(devices.map((d) => d.close())));
  const passwordFile = join(folder, 'fleet-password');
  await writeFile(passwordFile, 'pass-fleet\n');
  const rollOut = await RollOut.make(t, broker, devices, [
    '--username',
    'fleet',
    '--password-file',
    passwordFile,
  ]);
  await writeFile(
    rollOut.planPath,
    'stages:\n  - {percent: 99.9, minSample: 5, success: 80}\n  - {percent: 100, minSample: 5}\n',
  );
  const watching = rollOut.watch();
  await watching.line('"what":"waiting"');
  // A stolen board says in everybody's name that all is well.
  const thief = await mqtt.connectAsync(broker.url, {
    username: 'board-0',
    password: 'pass-board-0',
  });
  t.teardown(() => thief.endAsync(true));
  const { deployment } = await rollOut.channel();
  const forged = JSON.stringify({ state: 'committed', deployment, latestVersion: '1.1.0' });
  for (const name of [...names.slice(2), 'board-99'])
    await thief.publishAsync(`kikitori/${name}/update`, forged, { qos: 1, retain: true });
  await watching.line(/waiting.*1 of 5 devices have finished/);
  // It may not even read what others are told or say.
  const granted = await thief.subscribeAsync(['kikitori/board-1/request/+', 'kikitori/+/update']);
  const overheard: string[] = [];
  thief.on('message', (topic) => overheard.push(topic));
  const operator = await mqtt.connectAsync(broker.url, {
    username: 'operator',
    password: 'pass-operator',
  });
  t.teardown(() => operator.endAsync(true));
  await operator.publishAsync('kikitori/board-1/request/update', '{"action":"check"}', { qos: 1 });
  const later = watching.lines.length;
  await watching.line(/waiting/, later);
  t.same(overheard, [], JSON.stringify(granted));
  t.notOk(watching.lines.some((l) => l.includes('"what":"100 %"')));
  rollOut.poll();
  t.equal(await watching.exit(), 0, watching.errors);
});
