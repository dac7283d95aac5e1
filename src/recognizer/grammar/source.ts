import { createHash } from 'node:crypto';

/** A file of a grammar that has several. */
export interface GrammarFile {
  /** As it is named in faults. */
  readonly name: string;
  /** Within the folder, with "/" between. */
  readonly path: string;
  readonly text: string;
}

/** All files of a folder that are one grammar, in the order of their paths. */
export interface GrammarFolder {
  readonly files: readonly GrammarFile[];
}

export type GrammarSource = string | GrammarFolder;

/** Of a file its bytes; of a folder what its files are called and what stands in them. */
export function sha256Of(source: GrammarSource): string {
  const hash = createHash('sha256');
  if (typeof source === 'string') hash.update(source);
  else for (const { path, text } of source.files) hash.update(JSON.stringify([path, text]));
  return hash.digest('hex');
}
