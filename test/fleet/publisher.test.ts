/** The publisher's side: clear errors, nothing half-published, keys that come and go. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import {
  changedRoot,
  initFleet,
  planDelegation,
  planPublication,
  planRefresh,
  planRevocation,
  planRollout,
  planUndelegation,
  Repository,
} from '../../src/fleet/index.js';
import type { TargetsJson } from '../../src/fleet/metadata.js';
import { realFiles } from '../../src/update/trust/index.js';
import {
  bundleTar,
  cheap,
  deviceOf,
  digestOf,
  FleetSim,
  passphrase,
  update,
} from '../sim/fleet-sim.js';
import { RepositorySim } from '../sim/repository-sim.js';

void t.test('bad input changes nothing', async (t) => {
  const fleet = await FleetSim.make(t);
  await fleet.publish('1.1.0');
  const before = await digestOf(fleet.dir);
  const publish = (more: object) => fleet.publish('1.2.0', more);
  await t.rejects(publish({ percent: 101 }), { message: /101 percent.*0 to 100/, exitStatus: 2 });
  await t.rejects(publish({ percent: -1 }), /-1 percent/);
  await t.rejects(publish({ percent: NaN }), /percent/);
  await t.rejects(publish({ channel: 'stabel' }), { message: /no channel "stabel".*stable/ });
  await t.rejects(publish({ groups: ['a b'] }), /the group "a b"/);
  await t.rejects(publish({ bundle: join(fleet.folder, 'none.tar') }), /no such bundle/);
  const rubbish = join(fleet.folder, 'rubbish.tar');
  await writeFile(rubbish, Buffer.alloc(10_000, 'x'));
  await t.rejects(publish({ bundle: rubbish }), /cannot be read as a tar/);
  const whole = await readFile(await bundleTar(fleet.folder, '1.2.0'));
  whole[whole.length >> 1] = (whole[whole.length >> 1] ?? 0) ^ 1;
  await writeFile(rubbish, whole);
  await t.rejects(publish({ bundle: rubbish }), /SHA-256/, 'one bit of the network');
  await t.rejects(fleet.publish('1.0.0'), {
    message: /1\.0\.0 is older than 1\.1\.0.*--downgrade/,
  });
  const other = await bundleTar(fleet.folder, '1.1.0', 'tiny');
  const again = await planPublication(await fleet.open(), {
    bundle: other,
    channel: 'stable',
    percent: 1,
    groups: [],
    downgrade: false,
  });
  t.ok(again, 'the same bytes again are a new deployment of the same bundle');
  const manifest = await readFile(other);
  const changed = Buffer.from(
    manifest.toString('latin1').replace('"licence":"Apache-2.0"', '"licence":"Apache-2.1"'),
    'latin1',
  );
  await writeFile(other, changed);
  await t.rejects(
    fleet.publish('1.1.0', { bundle: other }),
    /another tiny 1\.1\.0 is published already/,
  );
  await t.rejects(planRollout(await fleet.open(), 'stable', { percent: 101 }), /101 percent/);
  await t.rejects(planRevocation(await fleet.open(), 'tiny@7.0.0'), /no bundle "tiny@7.0.0"/);
  const wrong = await Repository.open({
    dir: fleet.dir,
    passphrase: async () => 'a wrong passphrase',
    clock: fleet.clock,
    random: Math.random,
  });
  await t.rejects(wrong.commit(planRefresh(wrong, false)), {
    message: /wrong passphrase for this snapshot key/,
  });
  t.equal(await digestOf(fleet.dir), before, 'not a byte of the fleet has changed');
  await t.rejects(
    initFleet({
      dir: fleet.dir,
      rootKeys: 2,
      rootThreshold: 2,
      channels: ['stable'],
      passphrase: async () => passphrase,
      clock: fleet.clock,
      cost: cheap,
    }),
    /not empty/,
  );
  const clock = fleet.clock.nowMs;
  fleet.clock.addDays(-3);
  const early = await fleet.open();
  await t.rejects(early.commit(planRefresh(early, false)), /clock of this computer/);
  fleet.clock.nowMs = clock;
});

void t.test('a repository that somebody changed is not signed again', async (t) => {
  const fleet = await FleetSim.make(t);
  await fleet.publish('1.0.0');
  for (const name of ['timestamp.json', '2.snapshot.json', '2.targets.json', '1.root.json']) {
    const restore = await fleet.save();
    const text = await readFile(fleet.metadataPath(name), 'utf8');
    await writeFile(fleet.metadataPath(name), text.replace('"expires": "2', '"expires": "3'));
    await t.rejects(fleet.open(), /the repository is damaged/, name);
    await restore();
  }
});

void t.test('roll-out and revocation', async (t) => {
  const fleet = await FleetSim.make(t);
  const server = await RepositorySim.start(t, fleet.dir);
  const device = await deviceOf(fleet, server.url);
  const published = await fleet.publish('1.0.0', { percent: 5, groups: ['canary'] });
  const change = async (c: object) => {
    const repository = await fleet.open();
    const { edit } = await planRollout(repository, 'stable', c);
    await repository.commit(edit);
    return (await device.open()).check();
  };
  t.same((await change({ percent: 20 })).rollout, {
    percent: 20,
    groups: ['canary'],
    state: 'running',
  });
  t.equal((await change({ state: 'paused' })).rollout.state, 'paused');
  const resumed = await change({ state: 'running' });
  t.equal(resumed.deployment, published.deployment, 'it stays the same deployment');
  const repository = await fleet.open();
  const { edit, aborted } = await planRevocation(repository, 'tiny@1.0.0');
  await repository.commit(edit);
  t.same(aborted, ['stable']);
  const source = await device.open();
  t.equal((await source.check()).rollout.state, 'aborted');
  await t.rejects(
    source.download(published),
    { code: 'not-signed' },
    'nobody vouches for it any more',
  );
  await t.rejects(change({ state: 'running' }), /aborted for good/);
  await t.rejects(fleet.publish('1.0.0'), /was revoked/);
  t.ok(await fleet.publish('1.0.1'));
});

void t.test('keys', async (t) => {
  const fleet = await FleetSim.make(t);
  const server = await RepositorySim.start(t, fleet.dir);
  await fleet.publish('1.0.0');
  const device = await deviceOf(fleet, server.url);
  await update(await device.open());
  for (let i = 0; i < 3; i++) {
    const repository = await fleet.open();
    const { root } = repository.state;
    const key = await fleet.newKey('root');
    const remove = root.json.roles.root.keyids.slice(0, 1);
    await repository.commit({ root: changedRoot(root.json, { role: 'root', add: [key], remove }) });
  }
  t.ok(await update(await device.open()), 'a device follows a root whose keys have all changed');
  const repository = await fleet.open();
  const { root } = repository.state;
  t.equal(root.json.version, 4);
  t.throws(
    () => changedRoot(root.json, { role: 'targets', remove: root.json.roles.targets.keyids }),
    /0 key/,
  );
  t.throws(
    () => changedRoot(root.json, { role: 'root', remove: [root.json.roles.root.keyids[0] ?? ''] }),
    /1 key\(s\) and need 2/,
  );
  t.throws(() => changedRoot(root.json, { role: 'root', remove: ['ffffff'] }), /names 0 keys/);
  const away = join(fleet.folder, 'away');
  const files = await readdir(join(fleet.dir, 'keys'));
  await realFiles.makeFolder(away);
  for (const name of files.filter((n) => n.startsWith('root-')))
    await realFiles.rename(join(fleet.dir, 'keys', name), join(away, name));
  await t.rejects(repository.commit(planRefresh(repository, true)), {
    message: /root needs 2 signature.*--keys/,
  });
  fleet.clock.addDays(10);
  const daily = await fleet.open();
  t.match(
    daily.warnings().map((w) => w.role),
    ['timestamp'],
  );
  await daily.commit(planRefresh(daily, false));
  t.pass('the daily work needs no root key');
  fleet.clock.addDays(400);
  const late = await fleet.open();
  await t.rejects(late.commit(planRefresh(late, false)), {
    message: /root of trust expired.*refresh --root/,
  });
  await t.rejects(update(await device.open()), { code: 'expired' });
  const withKeys = await fleet.open(undefined, [away]);
  await withKeys.commit(planRefresh(withKeys, true));
  t.ok(await update(await device.open()), 'the expired root was replaced, the device follows');
});

void t.test('a second publisher', async (t) => {
  const fleet = await FleetSim.make(t, { channels: ['stable', 'acme/stable'] });
  const server = await RepositorySim.start(t, fleet.dir);
  await fleet.publish('1.0.0');
  const key = await fleet.newKey('acme');
  await t.rejects(fleet.publish('1.0.0', { channel: 'acme/stable' }), /no second publisher "acme"/);
  let repository = await fleet.open();
  t.throws(() => planDelegation(repository, 'targets', [key], 1), /cannot be the name/);
  await repository.commit(planDelegation(repository, 'acme', [key], 1));
  await fleet.publish('5.0.0', { channel: 'acme/stable' });
  const device = await deviceOf(fleet, server.url, { channel: 'acme/stable' });
  const offer = await (await device.open()).check();
  t.match(offer.bundle.path, /^acme\/bundles\/tiny-5\.0\.0-/);
  t.ok(await update(await device.open()));

  // What acme signs outside its own paths is not found by anybody.
  repository = await fleet.open();
  const stolen: TargetsJson['targets'] = { ...repository.targetsOf('acme') };
  const own = stolen['acme/channels/stable.json'];
  if (own === undefined) throw new Error('acme published nothing');
  const targets = { ...stolen, 'channels/nightly.json': own };
  await repository.commit({ targets: new Map([['acme', { targets }]]) });
  await t.rejects((await device.open({ channel: 'nightly' })).check(), { code: 'no-channel' });

  repository = await fleet.open();
  await repository.commit(planUndelegation(repository, 'acme'));
  await t.rejects((await device.open()).check(), { code: 'no-channel' }, 'after it was removed');
  t.ok(await update(await (await deviceOf(fleet, server.url)).open()), 'ours go on');
});

void t.test('old metadata does not pile up', async (t) => {
  const fleet = await FleetSim.make(t);
  await fleet.publish('1.0.0');
  for (let i = 0; i < 25; i++) {
    const repository = await fleet.open();
    await repository.commit((await planRollout(repository, 'stable', { percent: i })).edit);
  }
  t.ok((await readdir(join(fleet.dir, 'repository/metadata'))).length < 25);
  t.ok((await readdir(join(fleet.dir, 'repository/targets/channels'))).length <= 11);
});
