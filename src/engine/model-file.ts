import { readFile, stat } from 'node:fs/promises';
import { isModelFile } from '../language/trie-file.js';
import { TrieModel } from '../language/trie-model.js';
import { fileFault, KikitoriError, messageOf } from '../runtime/errors.js';

/** A larger file is none of ours: 60 million n-grams. */
const bytesMax = 512 * 1024 * 1024;

/** A whole file of `kikitori lm`. `wanted` is said of one that is missing or something else. */
export async function readModelFile(
  path: string,
  wanted: { readonly expected: string; readonly hint?: string },
): Promise<{ readonly model: TrieModel; readonly file: Buffer }> {
  const refused = (what: string, said: { readonly expected: string; readonly hint?: string }) =>
    new KikitoriError(what, { kind: 'input', where: path, ...said });
  let file: Buffer;
  try {
    const { size } = await stat(path);
    if (size > bytesMax) throw refused(`it has ${size} bytes`, { expected: `at most ${bytesMax}` });
    file = await readFile(path);
  } catch (error) {
    const { expected } = wanted;
    throw error instanceof KikitoriError ? error : refused(fileFault(error), { expected });
  }
  if (!isModelFile(file)) throw refused('it is no language model', wanted);
  try {
    return { model: new TrieModel(file), file };
  } catch (error) {
    throw refused(messageOf(error), { expected: 'a whole file of "kikitori lm"' });
  }
}
