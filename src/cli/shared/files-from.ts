import { readFile } from 'node:fs/promises';
import { TextDecoder } from 'node:util';
import { fileFault, KikitoriError } from '../../runtime/errors.js';

/** A list of files is not longer: some hundred thousand names. */
const listBytesMax = 64 * 1024 * 1024;

/**
 * The names that a list holds, or standard input for "-": with a NUL behind each (find -print0), or one a
 * line where there is no NUL in it. Empty names are passed over.
 */
export async function filesFrom(list: string): Promise<string[]> {
  const where = list === '-' ? 'standard input' : list;
  const bytes = list === '-' ? await standardInput() : await listFile(list);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new KikitoriError('a name in it is not UTF-8', { kind: 'input', where });
  }
  const names = text.includes('\0') ? text.split('\0') : text.split(/\r?\n/);
  return names.filter((name) => name !== '');
}

async function listFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new KikitoriError(fileFault(error), {
      kind: 'input',
      where: path,
      expected: 'a list of files, one a line, or - for standard input',
    });
  }
}

async function standardInput(): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of process.stdin) {
    parts.push(part as Buffer);
    bytes += (part as Buffer).length;
    if (bytes > listBytesMax)
      throw new KikitoriError(`a list of more than ${listBytesMax} bytes`, {
        kind: 'input',
        where: 'standard input',
      });
  }
  return Buffer.concat(parts);
}
