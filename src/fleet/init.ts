import { dirname, join } from 'node:path';
import type { Clock } from '../runtime/clock.js';
import { KikitoriError } from '../runtime/errors.js';
import { realFiles, type Files } from '../update/trust/index.js';
import { keyFileName, type Passphrase } from './keyring.js';
import { generateSigner, type PublicKey, type SealedKey, type Signer } from './keys.js';
import { placesIn } from './load.js';
import { fileMeta, isoSeconds, signJson, specVersion, topRoles } from './metadata.js';
import type { RootJson, SnapshotJson, TargetsJson, TimestampJson, TopRole } from './metadata.js';
import { defaultSettings, parseSettings, type Settings } from './settings.js';

export interface InitOptions {
  readonly dir: string;
  readonly rootKeys: number;
  readonly rootThreshold: number;
  readonly channels: readonly string[];
  readonly expiresDays?: Partial<Settings['expiresDays']>;
  readonly passphrase: Passphrase;
  readonly clock: Clock;
  readonly files?: Files;
  /** scrypt cost; tests make it small. */
  readonly cost?: number;
}

/** A new fleet folder: keys, settings and an empty, signed repository. All of it or nothing. */
export async function initFleet(o: InitOptions): Promise<{ root: string; keys: string[] }> {
  const files = o.files ?? realFiles;
  if (o.rootThreshold < 1 || o.rootThreshold > o.rootKeys)
    throw new KikitoriError(`a threshold of ${o.rootThreshold} with ${o.rootKeys} root key(s)`, {
      kind: 'usage',
      expected: 'a threshold from 1 to the number of root keys',
    });
  const settings: Settings = {
    ...defaultSettings,
    channels: o.channels,
    expiresDays: { ...defaultSettings.expiresDays, ...o.expiresDays },
  };
  parseSettings(JSON.stringify(settings), 'fleet init');
  if ((await files.list(o.dir)).length > 0)
    throw new KikitoriError('the folder is not empty', {
      kind: 'input',
      where: o.dir,
      hint: 'name a new folder; an existing fleet is never overwritten',
    });
  const building = `${dirname(join(o.dir, 'x'))}.new`;
  await files.remove(building);
  const places = placesIn(building);
  const nowMs = o.clock.now();
  const signers: Record<TopRole, Signer[]> = { root: [], targets: [], snapshot: [], timestamp: [] };
  const keyPaths: string[] = [];
  await files.makeFolder(places.metadata, 0o755);
  await files.makeFolder(places.targets, 0o755);
  await files.makeFolder(places.keys, 0o700);
  for (const role of topRoles) {
    for (let i = 0; i < (role === 'root' ? o.rootKeys : 1); i++) {
      const wanted = `${role}-${i + 1}`;
      const passphrase = await o.passphrase(role, `${wanted} (new)`);
      const made = await generateSigner(role, passphrase, isoSeconds(nowMs), o.cost);
      const { key } = made;
      const path = join(places.keys, keyFileName(key));
      await writeKey(files, path, key);
      keyPaths.push(join(placesIn(o.dir).keys, keyFileName(key)));
      signers[role].push(made.signer);
    }
  }
  for (const [path, bytes] of firstMetadata(signers, settings, o.rootThreshold, nowMs, places))
    await files.replace(path, bytes, 0o644);
  await files.replace(places.settings, Buffer.from(`${JSON.stringify(settings, null, 1)}\n`));
  await files.remove(o.dir);
  await files.rename(building, o.dir);
  return { root: placesIn(o.dir).root, keys: keyPaths };
}

export async function writeKey(files: Files, path: string, key: SealedKey): Promise<void> {
  await files.replace(path, Buffer.from(`${JSON.stringify(key, null, 1)}\n`), 0o600);
}

function firstMetadata(
  signers: Readonly<Record<TopRole, Signer[]>>,
  settings: Settings,
  threshold: number,
  nowMs: number,
  places: ReturnType<typeof placesIn>,
): [string, Buffer][] {
  const common = (role: TopRole) => ({
    spec_version: specVersion,
    version: 1,
    expires: isoSeconds(nowMs + settings.expiresDays[role] * 86_400_000),
    issued_at: isoSeconds(nowMs),
  });
  const keys: Record<string, PublicKey> = {};
  for (const role of topRoles) for (const s of signers[role]) keys[s.keyId] = s.public;
  const role = (name: TopRole) => ({
    keyids: signers[name].map((s) => s.keyId),
    threshold: name === 'root' ? threshold : 1,
  });
  const roles = {
    root: role('root'),
    targets: role('targets'),
    snapshot: role('snapshot'),
    timestamp: role('timestamp'),
  };
  const rootJson: RootJson = {
    _type: 'root',
    ...common('root'),
    consistent_snapshot: true,
    keys,
    roles,
  };
  const root = signJson(rootJson, signers.root);
  const targetsJson: TargetsJson = { _type: 'targets', ...common('targets'), targets: {} };
  const targets = signJson(targetsJson, signers.targets);
  const snapshotJson: SnapshotJson = {
    _type: 'snapshot',
    ...common('snapshot'),
    meta: { 'targets.json': fileMeta(1, targets.bytes) },
  };
  const snapshot = signJson(snapshotJson, signers.snapshot);
  const timestampJson: TimestampJson = {
    _type: 'timestamp',
    ...common('timestamp'),
    meta: { 'snapshot.json': fileMeta(1, snapshot.bytes) },
  };
  const timestamp = signJson(timestampJson, signers.timestamp);
  return [
    [join(places.metadata, '1.root.json'), root.bytes],
    [join(places.metadata, '1.targets.json'), targets.bytes],
    [join(places.metadata, '1.snapshot.json'), snapshot.bytes],
    [join(places.metadata, 'timestamp.json'), timestamp.bytes],
    [places.root, root.bytes],
  ];
}
