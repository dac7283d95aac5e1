import { existsSync, readFileSync } from 'node:fs';
import { codeOf, fileFault, KikitoriError } from '../runtime/errors.js';

/** A secret, read when it is used. Never kept, never printed. `key` says where it is named. */
export function readSecret(path: string, key = 'a key ...File'): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    // Where there is no such file, its name may be the secret itself.
    const there = existsSync(path);
    const what =
      codeOf(error) === 'ENOENT' || !there ? 'there is no such secret' : fileFault(error);
    throw new KikitoriError(there ? `${path}: ${what}` : what, {
      kind: 'config',
      where: key,
      expected: 'a file, or the name of a systemd credential',
    });
  }
}
