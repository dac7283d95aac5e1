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

/** How this device proves to a broker who it is; '' is none. */
export interface BrokerSecrets {
  readonly passwordFile: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * Reads them anew each time, so that a renewed one needs no restart; one that is not there is thrown now, not later.
 * `section` says where they are named.
 */
export function brokerSecrets(named: BrokerSecrets, section: string) {
  const file = (key: keyof BrokerSecrets) =>
    named[key] === '' ? undefined : readSecret(named[key], `${section}.${key}`);
  const secrets = () => ({
    password: file('passwordFile'),
    ca: file('caFile'),
    cert: file('certFile'),
    key: file('keyFile'),
  });
  secrets();
  return secrets;
}
