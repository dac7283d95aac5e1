import { readFile, stat } from 'node:fs/promises';
import { LanguageBundle, languageModelName, type LanguageManifest } from '../bundle/index.js';
import { isModelFile } from '../language/trie-file.js';
import { TrieModel } from '../language/trie-model.js';
import { fileFault, KikitoriError, messageOf } from '../runtime/errors.js';

/** A larger file is none of ours: 60 million n-grams. */
const bytesMax = 512 * 1024 * 1024;

export interface ReadModel {
  readonly model: TrieModel;
  readonly file: Uint8Array;
  /** Of a bundle; undefined: it is a file alone, without a name. */
  readonly manifest?: LanguageManifest;
}

/** A folder or a .tar is a bundle; all else has to be a file of `kikitori lm`. */
export async function isBundlePath(path: string): Promise<boolean> {
  return (
    path.endsWith('.tar') ||
    (await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    ))
  );
}

/** A whole file of `kikitori lm`, or the one of a bundle. `wanted` is said of one that is missing or something else. */
export async function readModelFile(
  path: string,
  wanted: { readonly expected: string; readonly hint?: string },
): Promise<ReadModel> {
  if (await isBundlePath(path)) return readFromBundle(path);
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

async function readFromBundle(path: string): Promise<ReadModel> {
  const bundle = await LanguageBundle.open(path);
  const file = bundle.file(languageModelName);
  try {
    return { model: new TrieModel(file), file, manifest: bundle.manifest };
  } catch (error) {
    throw new KikitoriError(`${languageModelName}: ${messageOf(error)}`, {
      kind: 'bundle',
      where: path,
      expected: 'a whole file of "kikitori lm"',
    });
  }
}
