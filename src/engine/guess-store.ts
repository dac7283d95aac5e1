import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Guesses, parseGuesses, type Lexicon } from '../recognizer/lexicon/index.js';
import { atomicWrite, makeFolder } from '../runtime/atomic-write.js';
import { agentVersion } from '../runtime/version.js';

/** A file for each of so many lexicons: the one that hears, and one that is tried or was before. */
const filesMax = 2;
/** 130,000 words are 4 MB. */
const bytesMax = 16 * 1024 * 1024;

/** Rules may guess otherwise in another version. */
const nameFor = ({ sha256 }: Lexicon) => `${agentVersion}-${sha256.slice(0, 16)}.txt`;

/** What was guessed before with this lexicon. What cannot be read is guessed again. */
export async function readGuesses(folder: string, lexicon: Lexicon): Promise<Guesses> {
  const path = join(folder, nameFor(lexicon));
  try {
    if ((await stat(path)).size > bytesMax) return new Guesses(lexicon);
    const text = await readFile(path, 'utf8');
    return new Guesses(lexicon, parseGuesses(text, lexicon.units.length));
  } catch {
    return new Guesses(lexicon);
  }
}

/**
 * Keeps them for the next start, if there is anything new, and forgets those of lexicons that have left. A disk that does not
 * take them costs the next start some seconds, and nothing else.
 */
export async function writeGuesses(
  folder: string,
  lexicon: Lexicon,
  guesses: Guesses,
): Promise<void> {
  if (guesses.unchanged) return;
  const own = nameFor(lexicon);
  const text = guesses.toString();
  if (text.length > bytesMax) return;
  try {
    await makeFolder(folder);
    await atomicWrite(join(folder, own), text);
    const others = (await readdir(folder)).filter((name) => name.endsWith('.txt') && name !== own);
    const aged = await Promise.all(
      others.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })),
    );
    aged.sort((a, b) => b.at - a.at);
    for (const { name } of aged.slice(filesMax - 1)) await rm(join(folder, name), { force: true });
  } catch {
    // It is known to work without.
  }
}
