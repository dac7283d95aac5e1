/** A real fleet folder made by src/fleet, cheap to make, with the means to misuse its keys. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Bundle, sha256, storedFiles, writeBundle } from '../../src/bundle/index.js';
import {
  changedRoot,
  generateKey,
  initFleet,
  keyFileName,
  planPublication,
  Repository,
  writeKey,
} from '../../src/fleet/index.js';
import { parseSealedKey, unseal, type SealedKey, type Signer } from '../../src/fleet/keys.js';
import type { AnyJson } from '../../src/fleet/metadata.js';
import { signJson } from '../../src/fleet/metadata.js';
import type { PublishOptions } from '../../src/fleet/publish.js';
import type { Settings } from '../../src/fleet/settings.js';
import type { Clock } from '../../src/runtime/clock.js';
import type { ChannelFile } from '../../src/update/index.js';
import {
  bundleTarget,
  channelTarget,
  realFiles,
  TrustedSource,
  type Files,
  type TrustedSourceOptions,
} from '../../src/update/trust/index.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { tinyBundle } from './tiny-checkpoint.js';

export const passphrase = 'a passphrase of tests';
/** scrypt at its cheapest: what it costs a thief is no matter of these tests. */
export const cheap = 2;

/** A wall clock that is set by hand; timers are real. */
export class WallClock implements Clock {
  constructor(public nowMs = Date.UTC(2026, 10, 24, 12)) {}
  now = () => this.nowMs;
  monotonic = () => performance.now();
  after = (ms: number, callback: () => void) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  };
  addDays(days: number): void {
    this.nowMs += days * 86_400_000;
  }
}

/** A folder that ends with the test; in memory where there is such a place, since these tests fsync a lot. */
export async function testFolder(t: Test): Promise<string> {
  const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = await mkdtemp(join(base, 'kikitori-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Asks, and takes what is offered. */
export const update = async (source: TrustedSource) => source.download(await source.check());

/** One digest over every file of a folder: nothing at all has changed. */
export async function digestOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const path of entries
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name))
    .sort())
    hash.update(path).update(await readFile(path));
  return hash.digest('hex');
}

let packed: Promise<ReadonlyMap<string, Uint8Array>> | undefined;

async function packOnce(): Promise<ReadonlyMap<string, Uint8Array>> {
  const { path, folder } = await tinyBundle();
  const files = await storedFiles(await Bundle.open(path));
  await rm(folder, { recursive: true });
  return files;
}

/** The tiny bundle as a .tar, under any version. */
export async function bundleTar(
  folder: string,
  version: string,
  name = 'tiny',
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const files = new Map(await (packed ??= packOnce()));
  const manifest = JSON.parse(
    Buffer.from(files.get('manifest.json') ?? []).toString('utf8'),
  ) as Record<string, unknown>;
  files.set('manifest.json', Buffer.from(JSON.stringify({ ...manifest, name, version, ...more })));
  const path = join(folder, `${name}-${version}.tar`);
  await writeBundle(path, files);
  return path;
}

export class FleetSim {
  readonly clock = new WallClock();
  /** The same deployments in every run, and with them the same boards in each step. */
  private readonly random = randomFrom(1);
  private constructor(readonly folder: string) {}

  get dir(): string {
    return join(this.folder, 'fleet');
  }

  static async make(
    t: Test,
    options: {
      expiresDays?: Partial<Settings['expiresDays']>;
      channels?: string[];
      rootThreshold?: number;
      /** For tests in which the system's clock is used beside this one. */
      nowMs?: number;
    } = {},
  ): Promise<FleetSim> {
    const fleet = new FleetSim(await testFolder(t));
    if (options.nowMs !== undefined) fleet.clock.nowMs = options.nowMs;
    await initFleet({
      dir: fleet.dir,
      rootKeys: 2,
      rootThreshold: options.rootThreshold ?? 2,
      channels: options.channels ?? ['stable'],
      expiresDays: options.expiresDays,
      passphrase: async () => passphrase,
      clock: fleet.clock,
      cost: cheap,
    });
    return fleet;
  }

  open(files?: Files, keyFolders: string[] = []): Promise<Repository> {
    return Repository.open({
      dir: this.dir,
      keyFolders,
      passphrase: async () => passphrase,
      clock: this.clock,
      random: this.random,
      files,
    });
  }

  async publish(version: string, more: Partial<PublishOptions> = {}): Promise<ChannelFile> {
    const repository = await this.open();
    const { edit, channel } = await planPublication(repository, {
      bundle: more.bundle ?? (await bundleTar(this.folder, version)),
      channel: 'stable',
      percent: 100,
      groups: [],
      downgrade: false,
      ...more,
    });
    await repository.commit(edit);
    return channel;
  }

  /** Signs any bytes as a bundle, unchecked: a publisher who is careless, or whose keys were stolen. */
  async publishBytes(bytes: Uint8Array, change: (c: ChannelFile) => void = () => undefined) {
    const repository = await this.open();
    const name = 'evil';
    const bundle = { name, version: '9.0.0', sha256: sha256(bytes) };
    const channel: ChannelFile = {
      format: 1,
      channel: 'stable',
      deployment: 'evil-1',
      bundle: {
        path: bundleTarget('', bundle),
        ...bundle,
        bytes: bytes.length,
        minAgent: '0.1.0',
      },
      rollout: { percent: 100, groups: [], state: 'running' },
      downgrade: false,
      publishedAt: new Date(this.clock.now()).toISOString(),
    };
    change(channel);
    const file = Buffer.from(JSON.stringify(channel));
    const path = bundleTarget('', bundle);
    const target = (b: Uint8Array) => ({ length: b.length, hashes: { sha256: sha256(b) } });
    await repository.commit({
      files: new Map([
        [path, bytes],
        [channelTarget('stable'), file],
      ]),
      targets: new Map([
        [
          'targets',
          {
            targets: {
              ...repository.targetsOf(''),
              [path]: target(bytes),
              [channelTarget('stable')]: target(file),
            },
          },
        ],
      ]),
    });
    return channel;
  }

  /** A new key of that role among the fleet's own. */
  async newKey(role: string): Promise<SealedKey> {
    const key = await generateKey(role, passphrase, '2026-01-01T00:00:00Z', cheap);
    await writeKey(realFiles, join(this.dir, 'keys', keyFileName(key)), key);
    return key;
  }

  async rotateTimestampKey(): Promise<void> {
    const repository = await this.open();
    const add = [await this.newKey('timestamp')];
    const { json } = repository.state.root;
    const { keyids } = json.roles.timestamp;
    await repository.commit({
      root: changedRoot(json, { role: 'timestamp', add, remove: keyids }),
    });
  }

  async signers(role: string): Promise<Signer[]> {
    const folder = join(this.dir, 'keys');
    const signers: Signer[] = [];
    for (const name of await readdir(folder)) {
      if (!name.startsWith(`${role}-`) || !name.endsWith('.key.json')) continue;
      const path = join(folder, name);
      signers.push(
        await unseal(parseSealedKey(await readFile(path, 'utf8'), path), passphrase, path),
      );
    }
    return signers;
  }

  metadataPath(name: string): string {
    return join(this.dir, 'repository', 'metadata', name);
  }

  /** Writes a metadata file that says something else, signed by whom you like. */
  async forge<T extends AnyJson>(
    from: string,
    to: string,
    signers: readonly Signer[],
    change: (json: T) => Partial<T> = () => ({}),
  ): Promise<void> {
    const { signed } = JSON.parse(await readFile(this.metadataPath(from), 'utf8')) as { signed: T };
    const { bytes } = signJson<T>({ ...signed, ...change(signed) }, signers);
    await writeFile(this.metadataPath(to), bytes);
  }

  /** A copy of the repository as it is now, to be put back later. */
  async save(): Promise<() => Promise<void>> {
    const copy = await mkdtemp(join(this.folder, 'saved-'));
    const repository = join(this.dir, 'repository');
    await cp(repository, copy, { recursive: true });
    return async () => {
      await rm(repository, { recursive: true });
      await cp(copy, repository, { recursive: true });
    };
  }
}

let devices = 0;

/** A board with the root of trust of today, and a state folder of its own. */
export async function deviceOf(
  fleet: FleetSim,
  url: string,
  more: Partial<TrustedSourceOptions> = {},
): Promise<{
  open: (again?: Partial<TrustedSourceOptions>) => Promise<TrustedSource>;
  stateDir: string;
}> {
  const home = join(fleet.folder, `device-${++devices}`);
  const rootPath = `${home}-root.json`;
  await cp(join(fleet.dir, 'root.json'), rootPath);
  const stateDir = join(home, 'trust');
  const options: TrustedSourceOptions = {
    rootPath,
    stateDir,
    url,
    channel: 'stable',
    clock: fleet.clock,
    reserveBytes: 0,
    retryMs: 1,
    ...more,
  };
  return { stateDir, open: (again = {}) => TrustedSource.open({ ...options, ...again }) };
}
