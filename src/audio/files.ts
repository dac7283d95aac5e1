import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileFault, KikitoriError } from '../runtime/errors.js';

/** By their names: what in a folder is taken for audio. */
export const soundFileName =
  /\.(wav|wave|w64|flac|opus|ogg|oga|mp3|m4a|aac|aif|aiff|au|amr|caf|wma|webm|wv)$/i;

/** A file as it is named; of a folder, every sound file anywhere in it, sorted. Links to folders are not followed. */
export async function soundFilesOf(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    // With types: without them links to folders are followed, also round and round.
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((e) => !e.isDirectory() && soundFileName.test(e.name))
      .map((e) => join(e.parentPath, e.name))
      .sort();
    if (files.length > 0) return files;
  } catch (error) {
    throw new KikitoriError(fileFault(error), {
      kind: 'input',
      where: path,
      expected: 'a recording, or a folder of some',
    });
  }
  throw new KikitoriError('there are no recordings in it', { kind: 'input', where: path });
}
