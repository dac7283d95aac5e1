import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { codeOf, KikitoriError } from './errors.js';

/**
 * Runs `action` while no other process on this machine works on the same folder. The lock is a name
 * in the kernel (an abstract unix socket), which vanishes with its process: there is no stale lock
 * file after a power cut. Resolves to undefined, without having run the action, when somebody holds it.
 */
export async function withLock<T>(
  folder: string,
  action: () => Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  const name = createHash('sha256')
    .update(await realpath(folder))
    .digest('hex');
  const server = createServer((socket) => socket.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(`\0kikitori-${name.slice(0, 40)}`, resolve);
    });
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') return undefined;
    throw new KikitoriError('cannot be locked', { kind: 'storage', where: folder, cause: error });
  }
  try {
    return { value: await action() };
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
