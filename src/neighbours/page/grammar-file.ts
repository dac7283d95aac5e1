/** The file of sentences, read and changed from the page: saved only when it compiles, the old one kept beside it. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { codeOf, fileFault, KikitoriError, messageOf } from '../../runtime/errors.js';
import { defaultGrammarPath } from '../../runtime/paths.js';
import { decodeText } from '../../runtime/text-file.js';
import type { Checked, Refused } from './check-grammar.js';

/** Larger files are edited elsewhere. */
export const grammarBytesMax = 256 * 1024;

export interface GrammarText {
  readonly name: string;
  /** Null where it cannot be shown. */
  readonly text: string | null;
  /** Of what was read: saved is only over the same. */
  readonly sha256: string | null;
  /** Why it cannot be changed here, for people. */
  readonly readOnly?: string;
}

export interface GrammarHouse {
  readonly path: string;
  /** What compiling says, without saving. */
  readonly check: (text: string) => Promise<Checked | Refused>;
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

/** `before`: the sha256 of what was edited; somebody may have changed the file meanwhile. */
export async function saveGrammar(
  text: string,
  before: string,
  house: GrammarHouse,
): Promise<Checked | Refused> {
  const first = await editable(house.path, before);
  if (typeof first !== 'string') return first;
  const checked = await house.check(text);
  if (!checked.ok) return checked;
  // Checking takes its time.
  const old = await editable(house.path, before);
  if (typeof old !== 'string') return old;
  const path = await realpath(house.path);
  const mode = (await stat(path)).mode & 0o777;
  try {
    await atomicWrite(`${path}.before`, old, mode);
    await atomicWrite(path, text, mode);
  } catch (error) {
    return refused(
      `It could not be written (${messageOf(error)}). The old sentences are still used.`,
    );
  }
  const why = await house.reload();
  if (why === null) return checked;
  // Compiled it did: a bundle that waits to take over may say no where this one said yes.
  await atomicWrite(path, old, mode);
  return refused(`The device did not take them: ${why}. The old file is back.`);
}

/** The text that would be replaced. */
async function editable(path: string, before: string): Promise<string | Refused> {
  const { text, readOnly, sha256: now } = await readGrammar(path);
  if (text === null || readOnly !== undefined)
    return refused(readOnly ?? 'the file cannot be read');
  if (now !== before)
    return refused(
      'The file has changed since it was opened here. Copy what you wrote, load it again, and put your change in.',
    );
  return text;
}

const refused = (why: string): Refused => ({ ok: false, refused: why });
