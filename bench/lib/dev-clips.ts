import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface SpokenClip {
  readonly file: string;
  readonly seconds: number;
  readonly speaker: string;
  readonly words: readonly string[];
}

/**
 * Clips with a text of a set of DATA/clips.tsv, spread over its people: the first of each, then the second of each. `known`: whether
 * of dev/ also people who are in train/ too.
 */
export async function spokenClips(
  data: string,
  set: string,
  {
    fits = () => true,
    known = false,
  }: { readonly fits?: (clip: SpokenClip) => boolean; readonly known?: boolean } = {},
): Promise<SpokenClip[]> {
  const lines = (await readFile(join(data, 'clips.tsv'), 'utf8')).split('\n');
  const trained = new Set(
    lines.filter((l) => l.startsWith('train/')).map((l) => l.split('\t')[2] ?? ''),
  );
  const bySpeaker = new Map<string, SpokenClip[]>();
  for (const line of lines) {
    const [file = '', seconds, speaker = '', , text = ''] = line.split('\t');
    if (!known && set.startsWith('dev/') && trained.has(speaker)) continue;
    if (!file.startsWith(`${set}/`) || text.trim() === '') continue;
    const clip = { file, seconds: Number(seconds), speaker, words: text.trim().split(/\s+/) };
    if (fits(clip)) bySpeaker.set(speaker, [...(bySpeaker.get(speaker) ?? []), clip]);
  }
  const people = [...bySpeaker.values()];
  const longest = Math.max(0, ...people.map((p) => p.length));
  return Array.from({ length: longest }, (_, i) => people.flatMap((p) => p.slice(i, i + 1))).flat();
}
