/**
 * The lexicons that tests share. Making one takes seconds and gives the same bytes every time, so it is made once
 * and kept in node_modules/.cache until the code that makes it changes.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Lexicon } from '../../src/recognizer/index.js';

export const units =
  '<blank> AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH'.split(
    ' ',
  );

const root = fileURLToPath(new URL('../../', import.meta.url));
const cache = join(root, 'node_modules/.cache/lexicons');
const made = new Map<string, Uint8Array>();

/** Of all that the bytes are made of. */
function ingredients(): string {
  const folders = ['src/recognizer/lexicon', 'src/runtime'];
  const paths = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort()
      .map((name) => join(folder, name)),
  );
  paths.push('test/sim/make-lexicon.ts', 'test/sim/lexicons.ts');
  paths.push('node_modules/cmu-pronouncing-dictionary/package.json');
  const hash = createHash('sha256');
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  return hash.digest('hex').slice(0, 16);
}

export type LexiconName = 'tiny' | 'full';

/** Not from the cache: a process of its own, so that the dictionary is not loaded into every test. */
export function madeAnew(name: LexiconName): Uint8Array {
  const loader = new URL('../../scripts/lib/transpiled.js', import.meta.url).href;
  const script = fileURLToPath(new URL('make-lexicon.ts', import.meta.url));
  return execFileSync(process.execPath, ['--import', loader, script, name], {
    // Where tap measures coverage, its own transpiler is not handed on to this process: ours is wanted here.
    env: { ...process.env, NODE_OPTIONS: '', _TAPJS_PROCESSINFO_COVERAGE_: '0' },
    maxBuffer: 64 << 20,
  });
}

function kept(name: LexiconName): Uint8Array {
  const known = made.get(name);
  if (known !== undefined) return known;
  const path = join(cache, name);
  const mark = Buffer.from(ingredients());
  let bytes: Uint8Array | undefined;
  try {
    const file = readFileSync(path);
    if (file.subarray(0, mark.length).equals(mark)) bytes = file.subarray(mark.length);
  } catch {
    // not made yet
  }
  if (bytes === undefined) {
    bytes = madeAnew(name);
    mkdirSync(cache, { recursive: true });
    writeFileSync(`${path}.${process.pid}`, Buffer.concat([mark, bytes]));
    renameSync(`${path}.${process.pid}`, path);
  }
  made.set(name, bytes);
  return bytes;
}

/** The words that tests say, and letter-to-sound rules learnt from them. */
export const tinyLexiconBytes = (): Uint8Array => kept('tiny');
export const tinyLexicon = (): Lexicon => Lexicon.read(tinyLexiconBytes(), 'tiny');

/** Every word of the dictionary, and no letter-to-sound rules, whose training takes seconds. */
export const fullLexicon = (): Lexicon => Lexicon.read(kept('full'), 'full');
