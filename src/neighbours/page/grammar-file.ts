/** The file of sentences, read and changed from the page: saved only when it compiles, the old one kept beside it. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { compileGrammar, GrammarError, type Lexicon } from '../../recognizer/index.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { codeOf, fileFault, KikitoriError, messageOf } from '../../runtime/errors.js';
import { defaultGrammarPath } from '../../runtime/paths.js';
import { decodeText } from '../../runtime/text-file.js';

/** Larger files are edited elsewhere. */
export const grammarBytesMax = 256 * 1024;
const faultsShown = 50;

export interface Place {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface GrammarText {
  readonly name: string;
  /** Null where it cannot be shown. */
  readonly text: string | null;
  /** Of what was read: saved is only over the same. */
  readonly sha256: string | null;
  /** Why it cannot be changed here, for people. */
  readonly readOnly?: string;
}

export type Checked =
  | {
      readonly ok: true;
      readonly sentences: number;
      readonly warnings: readonly Place[];
    }
  | { readonly ok: false; readonly faults: readonly Place[]; readonly more: number };

export type Saved =
  | Checked
  /** Not saved, for a reason that is not in the text. */
  | { readonly ok: false; readonly refused: string };

export interface GrammarHouse {
  readonly path: string;
  readonly phonesMax: number;
  readonly lexicon: Lexicon;
  /** Takes the file over; resolves with what is wrong, or null. */
  readonly reload: () => Promise<string | null>;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export async function readGrammar(path: string): Promise<GrammarText> {
  const name = basename(path);
  const refused = (readOnly: string): GrammarText => ({ name, text: null, sha256: null, readOnly });
  try {
    const { size } = await folderless(path);
    if (size > grammarBytesMax)
      return refused(
        `${name} has ${Math.round(size / 1024)} kB; up to ${grammarBytesMax / 1024} kB are edited here. Use an editor on the board.`,
      );
    const text = decodeText(await readFile(path), name);
    const why = await whyReadOnly(path);
    return { name, text, sha256: sha256(text), ...(why === null ? {} : { readOnly: why }) };
  } catch (error) {
    return refused(
      error instanceof KikitoriError ? messageOf(error) : `${name}: ${fileFault(error)}`,
    );
  }
}

async function folderless(path: string): Promise<{ readonly size: number }> {
  const found = await stat(path);
  if (found.isDirectory())
    throw new KikitoriError(
      'grammar.path is a folder of several files. Edit them on the board; the page edits one file',
      { kind: 'input' },
    );
  return found;
}

async function whyReadOnly(path: string): Promise<string | null> {
  if (path === defaultGrammarPath)
    return 'These are the example sentences that came with kikitori. Name a file of your own in grammar.path to change it here.';
  const real = await realpath(path);
  // It is replaced by renaming, so the folder must be writable too.
  for (const place of [real, dirname(real)]) {
    try {
      await access(place, constants.W_OK);
    } catch (error) {
      const why =
        codeOf(error) === 'EROFS'
          ? 'is read-only for the daemon'
          : 'may not be written by the daemon';
      return `${place} ${why}. docs/page.md says how to allow it.`;
    }
  }
  return null;
}

/** What compiling says, without saving. */
export function checkGrammar(
  text: string,
  { path, phonesMax, lexicon }: Pick<GrammarHouse, 'path' | 'phonesMax' | 'lexicon'>,
): Checked {
  try {
    const { sentences, warnings } = compileGrammar(text, {
      file: basename(path),
      lexicon,
      phonesMax,
    });
    return { ok: true, sentences, warnings: warnings.slice(0, faultsShown) };
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    const sorted = [...error.faults].sort((a, b) => a.line - b.line || a.column - b.column);
    const faults = sorted.slice(0, faultsShown);
    return { ok: false, faults, more: sorted.length - faults.length };
  }
}

/** `before`: the sha256 of what was edited; somebody may have changed the file meanwhile. */
export async function saveGrammar(
  text: string,
  before: string,
  house: GrammarHouse,
): Promise<Saved> {
  const refused = (why: string) => ({ ok: false as const, refused: why });
  const old = await readGrammar(house.path);
  if (old.text === null || old.readOnly !== undefined)
    return refused(old.readOnly ?? 'the file cannot be read');
  if (old.sha256 !== before)
    return refused(
      'The file has changed since it was opened here. Copy what you wrote, load it again, and put your change in.',
    );
  const checked = checkGrammar(text, house);
  if (!checked.ok) return checked;
  const path = await realpath(house.path);
  const mode = (await stat(path)).mode & 0o777;
  try {
    await atomicWrite(`${path}.before`, old.text, mode);
    await atomicWrite(path, text, mode);
  } catch (error) {
    return refused(
      `It could not be written (${messageOf(error)}). The old sentences are still used.`,
    );
  }
  const why = await house.reload();
  if (why === null) return checked;
  // Compiled it did: a bundle that waits to take over may say no where this one said yes.
  await atomicWrite(path, old.text, mode);
  return refused(`The device did not take them: ${why}. The old file is back.`);
}
