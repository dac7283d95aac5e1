import type { Dirent, Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isRead, type GrammarFile, type GrammarSource } from '../recognizer/index.js';
import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';
import { readText } from './read-text.js';

/** A folder with more is not one of sentences. */
const filesMax = 5000;
const bytesMax = 32 * 1024 * 1024;
const depthMax = 16;

/** The sentences at a path: of a file its text, of a folder all its *.yaml and *.yml. What begins with a dot is not read. */
export async function readGrammar(path: string): Promise<GrammarSource> {
  const what = await stat(path).catch(() => undefined);
  if (what?.isDirectory() !== true) return readText(path, 'a file of sentences');
  const found = await new Folder(path).files();
  const files: GrammarFile[] = [];
  const wrong: string[] = [];
  for (const at of found)
    try {
      const name = join(path, at);
      files.push({ name, path: at, text: await readText(name, 'a file of sentences') });
    } catch (error) {
      wrong.push(messageOf(error));
    }
  if (wrong.length > 0) throw new KikitoriError(wrong.join('\n'), { kind: 'input' });
  return { files };
}

class Folder {
  private readonly found: string[] = [];
  private bytes = 0;

  constructor(private readonly root: string) {}

  /** Paths within the folder, sorted, with "/" between whatever the system. */
  async files(): Promise<readonly string[]> {
    const names = new Set((await this.entries('')).map(({ name }) => name));
    const wanted = names.has('intents.yaml') && names.has('sentences') ? isRead : () => true;
    await this.walk('', wanted, 0);
    if (this.found.length === 0)
      throw this.refused('there is no sentence file in this folder', '*.yaml or *.yml');
    return this.found.sort();
  }

  private async walk(
    folder: string,
    wanted: (path: string) => boolean,
    depth: number,
  ): Promise<void> {
    if (depth > depthMax) throw this.refused(`folders in folders, more than ${depthMax} deep`);
    for (const entry of await this.entries(folder)) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.name.startsWith('.') || !wanted(path)) continue;
      // Links are followed: a folder of Kubernetes has nothing else.
      const what = await this.stat(path);
      if (what?.isDirectory() === true) await this.walk(path, wanted, depth + 1);
      else if (what?.isFile() === true && /\.ya?ml$/i.test(entry.name)) this.add(path, what.size);
    }
  }

  private add(path: string, bytes: number): void {
    this.found.push(path);
    this.bytes += bytes;
    if (this.found.length > filesMax)
      throw this.refused(`more than ${filesMax.toLocaleString('en')} files of sentences`);
    if (this.bytes > bytesMax)
      throw this.refused(`more than ${bytesMax / 1024 / 1024} MiB of sentences`);
  }

  private async entries(folder: string): Promise<Dirent[]> {
    try {
      return await readdir(join(this.root, folder), { withFileTypes: true });
    } catch (error) {
      throw new KikitoriError(messageOf(error), {
        kind: 'input',
        where: join(this.root, folder),
        expected: 'a folder of sentences',
        cause: error,
      });
    }
  }

  private async stat(path: string): Promise<Stats | undefined> {
    try {
      return await stat(join(this.root, path));
    } catch (error) {
      // A link to nothing, or a file that went away since.
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  private refused(what: string, expected?: string): KikitoriError {
    return new KikitoriError(what, {
      kind: 'input',
      where: this.root,
      ...(expected === undefined ? {} : { expected }),
    });
  }
}
