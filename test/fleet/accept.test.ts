/** A second publisher without the owner's keys: what it submits, what the owner accepts, and what not. */
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readTar, sha256, writeBundle } from '../../src/bundle/index.js';
import { main } from '../../src/cli/main.js';
import {
  generateKey,
  keyFileName,
  planAcceptance,
  planDelegation,
  planPublication,
  planRefresh,
  planRevocation,
  planRollout,
  Repository,
  writeKey,
  writeSubmission,
} from '../../src/fleet/index.js';
import { parseSealedKey, unseal, type SealedKey, type Signer } from '../../src/fleet/keys.js';
import { signJson, type TargetsJson } from '../../src/fleet/metadata.js';
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
import { PowerCut } from '../sim/power-cut.js';
import { RepositorySim } from '../sim/repository-sim.js';

class Partners {
  n = 0;
  private constructor(
    readonly fleet: FleetSim,
    readonly key: SealedKey,
    readonly signer: Signer,
  ) {}

  static async make(t: Test, nowMs?: number): Promise<Partners> {
    const fleet = await FleetSim.make(t, { channels: ['stable', 'acme/stable'], nowMs });
    const key = await generateKey('acme', passphrase, '2026-01-01T00:00:00Z', cheap);
    await fleet.publish('1.0.0');
    const owner = await fleet.open();
    await owner.commit(planDelegation(owner, 'acme', [key], 1));
    const partners = new Partners(
      fleet,
      key,
      await unseal(parseSealedKey(JSON.stringify(key), ''), passphrase, ''),
    );
    await mkdir(join(partners.dir, 'keys'), { recursive: true });
    await writeKey(realFiles, join(partners.dir, 'keys', keyFileName(key)), key);
    return partners;
  }

  /** The folder of the second publisher: its key and a copy of what everybody can read. */
  get dir(): string {
    return join(this.fleet.folder, 'acme');
  }

  async copy(): Promise<void> {
    await rm(join(this.dir, 'repository'), { recursive: true, force: true });
    await cp(join(this.fleet.dir, 'repository/metadata'), join(this.dir, 'repository/metadata'), {
      recursive: true,
    });
    const channels = join(this.fleet.dir, 'repository/targets/acme/channels');
    await cp(channels, join(this.dir, 'repository/targets/acme/channels'), {
      recursive: true,
    }).catch(() => undefined);
  }

  open(): Promise<Repository> {
    return Repository.open({
      dir: this.dir,
      passphrase: async () => passphrase,
      clock: this.fleet.clock,
      random: Math.random,
      as: 'acme',
    });
  }

  async submit(version: string): Promise<string> {
    await this.copy();
    const repository = await this.open();
    const { edit } = await planPublication(repository, {
      bundle: await bundleTar(this.fleet.folder, version),
      channel: 'acme/stable',
      percent: 100,
      groups: [],
      downgrade: false,
    });
    const path = join(this.fleet.folder, `submission-${++this.n}.tar`);
    await writeSubmission(repository, 'acme', edit, path);
    return path;
  }

  async accept(path: string, files?: PowerCut): Promise<Repository> {
    const owner = await this.fleet.open(files);
    return owner.commit((await planAcceptance(owner, path)).edit);
  }

  /** The same submission with something else in it, signed by whom you like. */
  async forge(
    path: string,
    change: (json: TargetsJson, files: Map<string, Uint8Array>) => TargetsJson,
    signer = this.signer,
  ): Promise<string> {
    const files = await readTar(path);
    const text = Buffer.from(files.get('list.json') ?? []).toString('utf8');
    const { signed } = JSON.parse(text) as { signed: TargetsJson };
    const json = change(signed, files);
    files.set('list.json', signJson(json, [signer]).bytes);
    const forged = join(this.fleet.folder, `forged-${++this.n}.tar`);
    await writeBundle(forged, files);
    return forged;
  }
}

void t.test('submitted without the keys of the owner, accepted, taken by a board', async (t) => {
  const partners = await Partners.make(t);
  const { fleet } = partners;
  const server = await RepositorySim.start(t, fleet.dir);
  const device = await deviceOf(fleet, server.url, { channel: 'acme/stable' });
  const first = await partners.submit('5.0.0');
  await t.rejects(
    (await device.open()).check(),
    { code: 'no-channel' },
    'nothing is published yet',
  );
  const owner = await fleet.open();
  const planned = await planAcceptance(owner, first);
  t.match(planned, { publisher: 'acme', version: 1 });
  t.equal(planned.changed.length, 2);
  await owner.commit(planned.edit);
  t.ok(await update(await device.open()));

  // A roll-out, and a renewal, hold no bundle.
  await partners.copy();
  const repository = await partners.open();
  const { edit } = await planRollout(repository, 'acme/stable', { percent: 5 });
  const path = join(fleet.folder, 'rollout.tar');
  t.same(await writeSubmission(repository, 'acme', edit, path), { version: 2, files: 1 });
  await partners.accept(path);
  t.equal((await (await device.open()).check()).rollout.percent, 5);
  await t.rejects(partners.accept(path), /its version is 2, and 2 is published already/);
  await t.rejects(partners.accept(first), /its version is 1, and 2 is published already/);
  t.ok(await update(await (await deviceOf(fleet, server.url)).open()), 'ours go on');

  // Somebody else's channel, and a list that the file is not about.
  await t.rejects(
    planPublication(repository, {
      bundle: await bundleTar(fleet.folder, '6.0.0'),
      channel: 'stable',
      percent: 1,
      groups: [],
      downgrade: false,
    }),
    /"stable" is no channel of acme/,
  );
  await t.rejects(writeSubmission(repository, 'acme', {}, 'x.tar'), /more than what acme may sign/);
  await t.rejects(writeSubmission(repository, 'acme', edit, 'x.zip'), /ending in \.tar/);
});

void t.test('nothing wrong is accepted, and nothing is half-published', async (t) => {
  const partners = await Partners.make(t);
  const { fleet } = partners;
  await partners.accept(await partners.submit('5.0.0'));
  const good = await partners.submit('5.1.0');
  const before = await digestOf(fleet.dir);
  const stranger = await unseal(
    await generateKey('acme', passphrase, '2026-01-01T00:00:00Z', cheap),
    passphrase,
    '',
  );
  const owners = (await fleet.signers('targets'))[0];
  const bundleOf = (json: TargetsJson) =>
    Object.entries(json.targets).find(([path]) => path.includes('tiny-5.1.0')) ?? ['', undefined];
  const renamed = (json: TargetsJson, to: string): TargetsJson => {
    const [path, meta] = bundleOf(json);
    const targets = { ...json.targets };
    delete targets[path];
    if (meta !== undefined) targets[to] = meta;
    return { ...json, targets };
  };
  const channelFile = (
    json: TargetsJson,
    files: Map<string, Uint8Array>,
    change: (text: string) => string,
  ): TargetsJson => {
    const path = 'acme/channels/stable.json';
    const old = json.targets[path]?.hashes.sha256 ?? '';
    const bytes = Buffer.from(change(Buffer.from(files.get(old) ?? []).toString('utf8')));
    files.delete(old);
    files.set(sha256(bytes), bytes);
    const meta = { length: bytes.length, hashes: { sha256: sha256(bytes) } };
    return { ...json, targets: { ...json.targets, [path]: meta } };
  };
  const rows: [string, RegExp, Parameters<Partners['forge']>[1], Signer?][] = [
    ['by a stranger', /not signed as it must be/, (j) => j, stranger],
    ["by the owner's own key", /not signed as it must be/, (j) => j, owners],
    ['an old version', /version is 1, and 1 is published/, (j) => ({ ...j, version: 1 })],
    ['a version that leaves no more', /far beyond/, (j) => ({ ...j, version: 2 ** 40 })],
    ['expired', /expired on 2020/, (j) => ({ ...j, expires: '2020-01-01T00:00:00Z' })],
    ['for ever', /too long/, (j) => ({ ...j, expires: '2099-01-01T00:00:00Z' })],
    [
      'from the future',
      /signed for the future/,
      (j) => ({ ...j, issued_at: '2030-01-01T00:00:00Z' }),
    ],
    [
      'delegating further',
      /delegates further/,
      (j) => ({ ...j, delegations: { keys: {}, roles: [] } }),
    ],
    ["the owner's bundle", /outside of what acme may sign/, (j) => renamed(j, 'bundles/x.tar')],
    ['a path that climbs', /outside of/, (j) => renamed(j, 'acme/bundles/../../x.tar')],
    ['a folder more', /outside of/, (j) => renamed(j, 'acme/bundles/deep/x.tar')],
    ['another kind', /outside of/, (j) => renamed(j, 'acme/other/x.tar')],
    ['another name of the bundle', /not name/, (j) => renamed(j, 'acme/bundles/x.tar')],
    [
      'a missing file',
      /the file of .* is missing/,
      (j, files) => {
        files.delete(bundleOf(j)[1]?.hashes.sha256 ?? '');
        return j;
      },
    ],
    [
      'tampered bytes under the right name',
      /not the one that was signed/,
      (j, files) => {
        const name = bundleOf(j)[1]?.hashes.sha256 ?? '';
        files.set(name, Buffer.alloc(files.get(name)?.length ?? 0));
        return j;
      },
    ],
    [
      'a wrong length',
      /not the one that was signed/,
      (j) => {
        const [path, meta] = bundleOf(j);
        if (meta === undefined) throw new Error('there is no bundle');
        return { ...j, targets: { ...j.targets, [path]: { ...meta, length: meta.length + 1 } } };
      },
    ],
    [
      'a file too many',
      /that the list does not name/,
      (j, files) => {
        files.set('a'.repeat(64), Buffer.from('x'));
        return j;
      },
    ],
    [
      'another minimum version of the agent',
      /minAgent is/,
      (j) => {
        const [path, meta] = bundleOf(j);
        if (meta === undefined) throw new Error('there is no bundle');
        const custom = { ...meta.custom, minAgent: '0.0.1' };
        return { ...j, targets: { ...j.targets, [path]: { ...meta, custom } } };
      },
    ],
    [
      'two contents with one version',
      /there are two of tiny 5\.0\.0/,
      (j) => {
        const [path, meta] = bundleOf(j);
        if (meta === undefined) throw new Error('there is no bundle');
        const custom = { ...meta.custom, version: '5.0.0' };
        return { ...j, targets: { ...j.targets, [path]: { ...meta, custom } } };
      },
    ],
    [
      "another publisher's channel",
      /is of the channel stable/,
      (j, f) => channelFile(j, f, (s) => s.replace('acme/stable', 'stable')),
    ],
    [
      "the owner's bundle in its channel",
      /offers bundles\/tiny/,
      (j, f) => channelFile(j, f, (s) => s.replace('acme/bundles', 'bundles')),
    ],
    ['a channel that is no JSON', /fault|JSON/, (j, f) => channelFile(j, f, () => 'x')],
    [
      'a channel and a list that disagree',
      /disagree/,
      (j, f) => channelFile(j, f, (s) => s.replace(/"bytes": \d+/, '"bytes": 5')),
    ],
  ];
  for (const [what, message, change, signer] of rows)
    await t.rejects(partners.accept(await partners.forge(good, change, signer)), { message }, what);

  const rubbish = join(fleet.folder, 'rubbish.tar');
  await writeFile(rubbish, 'x'.repeat(5000));
  await t.rejects(partners.accept(rubbish), /cannot be read as a tar/);
  await t.rejects(partners.accept(await bundleTar(fleet.folder, '1.0.0')), /no submission/);
  await t.rejects(partners.accept(join(fleet.folder, 'none.tar')), /ENOENT|no such/);
  const unknown = await readTar(good);
  unknown.set(
    'submission.json',
    Buffer.from('{"format":1,"kind":"kikitori-fleet-submission","publisher":"targets"}'),
  );
  const nobody = join(fleet.folder, 'nobody.tar');
  await writeBundle(nobody, unknown);
  await t.rejects(partners.accept(nobody), /no second publisher "targets"/);
  t.equal(await digestOf(fleet.dir), before, 'nothing at all has changed');

  await partners.accept(good);
  // Withdrawn: by its publisher alone, or with its keys at hand.
  const keys = [join(partners.dir, 'keys')];
  const owner = await fleet.open(undefined, keys);
  await owner.commit((await planRevocation(owner, 'tiny@5.1.0')).edit);
  const again = await partners.forge(good, (j) => ({ ...j, version: 4 }));
  await t.rejects(partners.accept(again), /was revoked/);
});

void t.test(
  'cut off after any write: the old state or the new one, and it can be accepted again',
  async (t) => {
    const partners = await Partners.make(t);
    const { fleet } = partners;
    const server = await RepositorySim.start(t, fleet.dir);
    await partners.accept(await partners.submit('5.0.0'));
    const path = await partners.submit('5.1.0');
    const device = await deviceOf(fleet, server.url, { channel: 'acme/stable' });
    const first = await fleet.save();
    const count = new PowerCut(Infinity);
    await partners.accept(path, count);
    await first();
    const seen = new Set<string>();
    for (let n = 0; n <= count.operations; n++) {
      await partners.accept(path, new PowerCut(n)).catch(() => undefined);
      const source = await device.open();
      const offer = await source
        .check()
        .catch((e: unknown) => t.fail(`cut after ${n}: ${String(e)}`));
      if (typeof offer === 'object') {
        seen.add(offer.bundle.version);
        await source.download(offer).catch((e: unknown) => t.fail(`cut after ${n}: ${String(e)}`));
        if (offer.bundle.version === '5.0.0') await partners.accept(path);
      }
      const after = await fleet.open();
      await after.commit(planRefresh(after, false));
      const again = await (await device.open()).check();
      if (again.bundle.version !== '5.1.0') t.fail(`cut after ${n}: not accepted afterwards`);
      await first();
      await rm(device.stateDir, { recursive: true });
    }
    t.same([...seen].sort(), ['5.0.0', '5.1.0']);
  },
);

void t.test('the commands', async (t) => {
  // They read the system's clock.
  const partners = await Partners.make(t, Date.now());
  const { fleet } = partners;
  await partners.copy();
  const out: string[] = [];
  const err: string[] = [];
  const io = {
    stdout: { write: (s: string) => out.push(s) },
    stderr: { write: (s: string) => err.push(s) },
    env: { KIKITORI_FLEET_PASSPHRASE: passphrase },
  };
  const tar = await bundleTar(fleet.folder, '7.0.0');
  const submission = join(fleet.folder, 'out.tar');
  const theirs = (...argv: string[]) => main(['fleet', ...argv, '--fleet', partners.dir], io);
  const ours = (...argv: string[]) => main(['fleet', ...argv, '--fleet', fleet.dir], io);
  t.equal(
    await theirs('publish', tar, '--channel', 'acme/stable', '--as', 'acme'),
    2,
    'no --submit',
  );
  t.equal(
    await theirs('publish', tar, '--channel', 'acme/stable'),
    2,
    'that is the way of the owner',
  );
  const as = ['--as', 'acme', '--submit', submission];
  t.equal(await theirs('publish', tar, '--channel', 'stable', ...as), 2);
  t.equal(await theirs('publish', tar, '--channel', 'acme/stable', ...as), 0);
  t.match(out.at(-1), /signed tiny 7\.0\.0 .*nothing is published yet/);
  t.equal(await ours('accept'), 2);
  t.equal(await ours('accept', tar), 1);
  t.equal(await ours('accept', submission, '--json'), 0, err.join(''));
  t.match(JSON.parse(out.at(-1) ?? ''), { publisher: 'acme', version: 1 });
  t.equal(await ours('accept', submission), 1, 'once');
  await partners.copy();
  t.equal(await theirs('rollout', 'acme/stable', '--percent', '5', ...as), 0);
  t.equal(await ours('accept', submission), 0);
  await partners.copy();
  t.equal(await theirs('revoke', 'tiny@7.0.0', ...as), 0);
  t.match(out.at(-1), /aborted: acme\/stable/);
  t.equal(await ours('accept', submission), 0);
  await partners.copy();
  t.equal(await theirs('refresh', ...as), 0);
  t.equal(await ours('accept', submission), 0);
  t.match(out.at(-1), /nothing in it is new but its date/);
  io.env.KIKITORI_FLEET_PASSPHRASE = 'a wrong passphrase';
  await partners.copy();
  t.equal(await theirs('refresh', ...as), 1);
  t.match(err.at(-1), /wrong passphrase/);
});
