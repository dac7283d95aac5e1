/** What the service may do with a file, also when root asks: the service is another user. */
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';

const serviceUser = 'kikitori';

export type Right = 'read' | 'write' | 'execute';

const bits = { read: 4, write: 2, execute: 1 } as const;
const modes = { read: constants.R_OK, write: constants.W_OK, execute: constants.X_OK } as const;

interface User {
  readonly uid: number;
  readonly gids: readonly number[];
}

/** Rejects with why not, as the system says it. */
export async function demand(path: string, right: Right): Promise<void> {
  await access(path, modes[right]);
  const user = process.getuid?.() === 0 ? await service() : null;
  if (user === null || permits(await stat(path), right, user)) return;
  throw Object.assign(new Error(`the service's user ${serviceUser} may not ${right} it`), {
    code: 'EACCES',
  });
}

export function permits(
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
  right: Right,
  user: User,
): boolean {
  const shift = uid === user.uid ? 6 : user.gids.includes(gid) ? 3 : 0;
  return ((mode >> shift) & bits[right]) !== 0;
}

/** Null where it is not installed as a service. */
async function service(): Promise<User | null> {
  const fields = async (path: string) =>
    (await readFile(path, 'utf8')).split('\n').map((line) => line.split(':'));
  try {
    const found = (await fields('/etc/passwd')).find(([name]) => name === serviceUser);
    if (found === undefined) return null;
    const groups = (await fields('/etc/group'))
      .filter(([, , , members = '']) => members.split(',').includes(serviceUser))
      .map(([, , gid]) => Number(gid));
    return { uid: Number(found[2]), gids: [Number(found[3]), ...groups] };
  } catch {
    return null;
  }
}
