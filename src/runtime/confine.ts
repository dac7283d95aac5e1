/** A program that may read what is named and compute, and nothing else: bin/confine.pl, by seccomp and Landlock. */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { confinePath } from './paths.js';

/** Essential on Debian; elsewhere it may be missing, and then nothing is confined. */
const perl = '/usr/bin/perl';
/** More are not looked through for links. */
const entriesMax = 10_000;

/** Says to the program what it was confined by: "seccomp landlock", less, or ''. */
export const confinedName = 'KIKITORI_CONFINED';

export const canConfine = () => process.platform === 'linux' && existsSync(perl);

/** The same program, confined where this system can do it. `read`: files and folders besides those of the system. */
export function confined(command: readonly string[], read: readonly string[]): readonly string[] {
  if (!canConfine()) return command;
  const all = new Set([dirname(dirname(process.execPath)), ...read.flatMap(withTargets)]);
  return [perl, confinePath, ...[...all].flatMap((path) => ['--read', path]), '--', ...command];
}

/** A folder's links lead out of it: Kubernetes mounts a folder of nothing else. */
function withTargets(path: string): string[] {
  const targets: string[] = [];
  try {
    if (!statSync(path).isDirectory()) return [path];
    const entries = readdirSync(path, { recursive: true, withFileTypes: true });
    for (const entry of entries.slice(0, entriesMax))
      if (entry.isSymbolicLink()) targets.push(realpathSync(join(entry.parentPath, entry.name)));
  } catch {
    // Whoever reads it says what is wrong with it.
  }
  return [path, ...targets];
}

/** Of the daemon's own variables: secrets, the service manager's socket, and options of Node that name further files. */
const own = /^(CREDENTIALS_DIRECTORY|NOTIFY_SOCKET|WATCHDOG_\w+|NODE_OPTIONS|KIKITORI_\w+)$/;

export const withoutOwn = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !own.test(name)));
