import { readFile } from 'node:fs/promises';
import type { Passphrase } from '../../fleet/index.js';
import { fileFault, KikitoriError } from '../../runtime/errors.js';
import type { Io } from '../shared/command.js';

/**
 * From a file, else from the environment (KIKITORI_FLEET_PASSPHRASE_ROOT, ..._TARGETS, else
 * KIKITORI_FLEET_PASSPHRASE), else asked on the terminal. Never an option of its own: it would be
 * seen in the list of processes.
 */
export function passphraseFrom(file: string | undefined, io: Io, isNew = false): Passphrase {
  const asked = new Map<string, string>();
  return async (role, keyFile) => {
    if (file !== undefined) return fromFile(file);
    const name = `KIKITORI_FLEET_PASSPHRASE_${role.toUpperCase().replace(/-/g, '_')}`;
    const given = io.env[name] ?? io.env['KIKITORI_FLEET_PASSPHRASE'];
    if (given !== undefined) return given;
    if (!process.stdin.isTTY)
      throw new KikitoriError(`the passphrase of ${keyFile} is needed`, {
        kind: 'usage',
        hint: `set ${name} or KIKITORI_FLEET_PASSPHRASE, or use --passphrase-file FILE`,
      });
    // One passphrase a role: the second root key of a new fleet is not asked for again.
    const known = isNew ? asked.get(role) : undefined;
    if (known !== undefined) return known;
    const first = await ask(io, `passphrase for ${isNew ? `the ${role} key(s)` : keyFile}: `);
    if (isNew && (await ask(io, 'the same again: ')) !== first)
      throw new KikitoriError('the two passphrases differ', { kind: 'usage' });
    asked.set(role, first);
    return first;
  };
}

async function fromFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    // The name may be the passphrase itself.
    throw new KikitoriError(fileFault(error), { kind: 'usage', where: '--passphrase-file' });
  }
}

/** Reads one line without showing it. */
function ask(io: Io, question: string): Promise<string> {
  const { stdin } = process;
  io.stderr.write(question);
  stdin.setRawMode(true);
  stdin.resume();
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = () => {
      stdin.setRawMode(false);
      stdin.pause();
      stdin.off('data', onData);
      io.stderr.write('\n');
    };
    const onData = (bytes: Buffer) => {
      for (const letter of bytes.toString('utf8')) {
        if (letter === '\u0003') {
          end();
          reject(new KikitoriError('stopped', { kind: 'usage' }));
          return;
        }
        if (letter === '\r' || letter === '\n') {
          end();
          resolve(typed);
          return;
        }
        typed = letter === '\u007f' || letter === '\b' ? typed.slice(0, -1) : typed + letter;
      }
    };
    stdin.on('data', onData);
  });
}
