import { readFile } from 'node:fs/promises';
import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';
import { decodeText } from '../runtime/text-file.js';

/** A text file that an operator named; missing, unreadable or no UTF-8 is said in words. */
export async function readText(path: string, what: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new KikitoriError(
      codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error),
      {
        kind: 'input',
        where: path,
        expected: what,
        cause: error,
      },
    );
  }
  return decodeText(bytes, path);
}
