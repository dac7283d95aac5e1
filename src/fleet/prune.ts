import { join } from 'node:path';
import type { Files } from '../update/trust/index.js';
import type { Places, State } from './load.js';
import type { TargetsJson } from './metadata.js';

/** A device that is in the middle of a check is at most a few versions behind. */
const keptVersions = 10;

/**
 * Removes metadata and channel files that nothing recent names, so that a repository that is refreshed
 * each day for years stays small. Roots stay for ever (a board may wake after years), and bundles stay
 * until they are revoked.
 */
export async function prune(places: Places, state: State, files: Files): Promise<void> {
  const current = new Map<string, number>([['snapshot', state.snapshot.json.version]]);
  current.set('targets', state.targets.json.version);
  for (const [name, file] of state.delegated) current.set(name, file.json.version);
  const named = new Set<string>();
  for (const name of await files.list(places.metadata)) {
    const match = /^(\d+)\.(.+)\.json$/.exec(name);
    const path = join(places.metadata, name);
    if (name.startsWith('.')) await files.remove(path);
    const newest = current.get(match?.[2] ?? '');
    if (match === null || newest === undefined) continue;
    if (Number(match[1]) <= newest - keptVersions) await files.remove(path);
    else if (match[2] !== 'snapshot')
      for (const file of channelFiles(await files.read(path))) named.add(file);
  }
  const owners = ['', ...state.delegated.keys()];
  for (const owner of owners) {
    const folder = join(places.targets, owner, 'channels');
    for (const name of await files.list(folder))
      if (!named.has(join(owner, 'channels', name))) await files.remove(join(folder, name));
  }
}

/** Names on disk of the channel files in a list of targets. */
function channelFiles(bytes: Buffer | undefined): string[] {
  if (bytes === undefined) return [];
  const { signed } = JSON.parse(bytes.toString('utf8')) as { signed: TargetsJson };
  return Object.entries(signed.targets).flatMap(([path, target]) => {
    const parts = path.split('/');
    const file = parts.pop() ?? '';
    return parts.at(-1) === 'channels' ? [join(...parts, `${target.hashes.sha256}.${file}`)] : [];
  });
}
