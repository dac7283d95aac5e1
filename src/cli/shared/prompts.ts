import { join } from 'node:path';
import type { Prompt, PromptSet } from '../../compress/report/index.js';
import { readText } from '../../engine/engine.js';
import { numberOption, usageError } from './command.js';

/** Options that name recordings with a text. */
export interface PromptOptions {
  readonly prompts?: string;
  readonly set: readonly string[];
  readonly only: string;
  readonly limit?: string;
}

const promptOf = ({ file, text, speaker }: Required<Prompt>): Prompt =>
  speaker === '' ? { file, text } : { file, text, speaker };

/** Sets of held-out prompts from a table of clips, `--limit` of each spread evenly. */
export async function promptsOf(
  { prompts: path, set, only, limit }: PromptOptions,
  usage: string,
): Promise<PromptSet[]> {
  if (path === undefined) return [];
  const source = await readText(path, 'tab-separated columns with "file" and "text"');
  const [header = [], ...rows] = source
    .split(/\r?\n/)
    .filter((l) => l !== '')
    .map((l) => l.split('\t'));
  const column = (name: string) => header.indexOf(name);
  if (column('file') < 0 || column('text') < 0) {
    throw usageError(`${path} has no columns "file" and "text"`, usage);
  }
  const clips = rows
    .map((cells) => ({
      file: cells[column('file')] ?? '',
      text: (cells[column('text')] ?? '').trim(),
      set: cells[column('set')] ?? '',
      speaker: cells[column('speaker')] ?? '',
    }))
    .filter((c) => c.text !== '' && c.file.startsWith(only));
  const most = numberOption('limit', limit) ?? Infinity;
  const folder = join(path, '..');
  return (set.length === 0 ? ['prompts'] : set).map((name) => {
    const all = set.length === 0 ? clips : clips.filter((c) => c.set === name);
    if (all.length === 0) throw usageError(`${path} has no clips of the set "${name}"`, usage);
    const every = Math.max(1, all.length / most);
    const count = Math.min(all.length, most);
    const prompts = Array.from({ length: count }, (_, i) => all[Math.floor(i * every)]).flatMap(
      (c) => (c === undefined ? [] : [promptOf(c)]),
    );
    return { name, folder, prompts };
  });
}
