import { join } from 'node:path';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import type { Files } from '../update/trust/index.js';
import { parseSigned, topRoles, type SignedFile } from './metadata.js';
import type { RootJson, SnapshotJson, TargetsJson, TimestampJson } from './metadata.js';

/** Everything that the newest timestamp vouches for, verified. */
export interface State {
  readonly root: SignedFile<RootJson>;
  readonly timestamp: SignedFile<TimestampJson>;
  readonly snapshot: SignedFile<SnapshotJson>;
  readonly targets: SignedFile<TargetsJson>;
  /** Second publishers that have published, by name. */
  readonly delegated: ReadonlyMap<string, SignedFile<TargetsJson>>;
}

/** Places in a fleet folder; only repository/ is ever uploaded. */
export function placesIn(dir: string) {
  const repository = join(dir, 'repository');
  return {
    dir,
    repository,
    metadata: join(repository, 'metadata'),
    targets: join(repository, 'targets'),
    keys: join(dir, 'keys'),
    settings: join(dir, 'fleet.json'),
    /** Copy of the newest root, for installing on devices. */
    root: join(dir, 'root.json'),
  };
}

export type Places = ReturnType<typeof placesIn>;

/** Versions present of a numbered metadata file, ascending; also those that no timestamp names yet. */
export async function versionsOf(files: Files, metadata: string, role: string): Promise<number[]> {
  const versions: number[] = [];
  for (const name of await files.list(metadata)) {
    const match = /^(\d+)\.(.+)\.json$/.exec(name);
    if (match !== null && match[2] === role) versions.push(Number(match[1]));
  }
  return versions.sort((a, b) => a - b);
}

/**
 * Reads a repository as strictly as a device would, so that nothing is signed on top of what somebody
 * else has changed. Only one kindness: what the root before the newest one vouches for is accepted,
 * since a change of keys may have been cut off between root and the rest; signing again mends it.
 */
export async function loadState(places: Places, files: Files): Promise<State> {
  const { metadata } = places;
  const damaged = (name: string, what: string) =>
    new KikitoriError(`the repository is damaged: ${what}`, {
      kind: 'input',
      where: join(metadata, name),
      hint: 'take the folder from your backup or from the web server; nothing was changed',
    });
  const read = async (name: string): Promise<Buffer> => {
    const bytes = await files.read(join(metadata, name));
    if (bytes === undefined) throw damaged(name, 'it is missing');
    return bytes;
  };
  const guarded = <T>(name: string, action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw damaged(name, messageOf(error));
    }
  };
  const rootVersions = await versionsOf(files, metadata, 'root');
  const newest = rootVersions.at(-1);
  if (newest === undefined) {
    throw new KikitoriError('there is no repository here', {
      kind: 'input',
      where: places.dir,
      hint: 'make one with `kikitori fleet init DIR`, or name it with --fleet DIR',
    });
  }
  const roots: SignedFile<RootJson>[] = [];
  for (const version of rootVersions.slice(-2).reverse()) {
    const name = `${version}.root.json`;
    const bytes = await read(name);
    roots.push(
      guarded(name, () => {
        const root = parseSigned<RootJson>(bytes, 'root');
        root.metadata.verifyDelegate('root', root.metadata);
        return root;
      }),
    );
  }
  const [root] = roots;
  if (root === undefined) throw damaged(`${newest}.root.json`, 'it is missing');
  const vouched = (
    role: (typeof topRoles)[number],
    name: string,
    file: SignedFile<TargetsJson> | SignedFile<SnapshotJson> | SignedFile<TimestampJson>,
  ) =>
    guarded(name, () => {
      try {
        root.metadata.verifyDelegate(role, file.metadata);
      } catch (error) {
        const before = roots[1];
        if (before === undefined) throw error;
        before.metadata.verifyDelegate(role, file.metadata);
      }
    });
  const stampBytes = await read('timestamp.json');
  const timestamp = guarded('timestamp.json', () =>
    parseSigned<TimestampJson>(stampBytes, 'timestamp'),
  );
  vouched('timestamp', 'timestamp.json', timestamp);
  const stamped = timestamp.json.meta['snapshot.json'];
  const snapshotName = `${stamped.version}.snapshot.json`;
  const snapshotBytes = await read(snapshotName);
  guarded(snapshotName, () => timestamp.metadata.signed.snapshotMeta.verify(snapshotBytes));
  const snapshot = guarded(snapshotName, () =>
    parseSigned<SnapshotJson>(snapshotBytes, 'snapshot'),
  );
  vouched('snapshot', snapshotName, snapshot);
  const loaded = new Map<string, SignedFile<TargetsJson>>();
  for (const [file, meta] of Object.entries(snapshot.json.meta)) {
    const name = `${meta.version}.${file}`;
    const bytes = await read(name);
    guarded(name, () => snapshot.metadata.signed.meta[file]?.verify(bytes));
    loaded.set(
      file.replace(/\.json$/, ''),
      guarded(name, () => parseSigned<TargetsJson>(bytes, 'targets')),
    );
  }
  const targets = loaded.get('targets');
  if (targets === undefined) throw damaged(snapshotName, 'it names no targets');
  vouched('targets', `${targets.json.version}.targets.json`, targets);
  loaded.delete('targets');
  for (const [role, file] of loaded) {
    // A publisher that was removed or got other keys stays listed (devices insist on that) and counts no more.
    try {
      targets.metadata.verifyDelegate(role, file.metadata);
    } catch {
      loaded.delete(role);
    }
  }
  return { root, timestamp, snapshot, targets, delegated: loaded };
}
