import { access, constants, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isBundlePath, readModelFile } from '../../engine/model-file.js';
import { gramsOf, readArpa } from '../../language/build/arpa.js';
import { GramsModel, type Grams } from '../../language/build/grams.js';
import { shapeOf, trieFile, type WriteOptions } from '../../language/build/write-trie.js';
import type { LanguageManifest } from '../../bundle/index.js';
import type { ListedModel } from '../../language/model.js';
import { isModelFile } from '../../language/trie-file.js';
import type { TrieModel } from '../../language/trie-model.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { fileFault, KikitoriError, messageOf } from '../../runtime/errors.js';
import { quoted, usageError, type Io } from '../shared/command.js';
import { linesOf } from './lines.js';

export interface OpenedModel {
  readonly model: ListedModel;
  /** Its n-grams, exact or as the file rounds them. */
  readonly grams: () => Grams;
  /** Undefined: it came from an ARPA file. */
  readonly trie?: TrieModel;
  readonly bytes: number;
  /** Of a bundle. */
  readonly manifest?: LanguageManifest | undefined;
}

/** A model of `lm build`, a bundle of `lm pack`, or an ARPA file, packed with gzip or not. */
export async function openModel(path: string, zeroBackOffs = false): Promise<OpenedModel> {
  const expected = 'a model of "lm build", or an ARPA file';
  if (await isBundlePath(path)) {
    const { model: trie, file, manifest } = await readModelFile(path, { expected });
    return { model: trie, grams: () => gramsOf(trie), trie, bytes: file.length, manifest };
  }
  let begin: Buffer;
  let bytes: number;
  try {
    const file = await open(path);
    try {
      bytes = (await file.stat()).size;
      begin = (await file.read(Buffer.alloc(16), 0, 16, 0)).buffer;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new KikitoriError(fileFault(error), { kind: 'input', where: path, expected });
  }
  if (!isModelFile(begin)) {
    const grams = await readArpa(linesOf(path), path, { zeroBackOffs });
    return { model: new GramsModel(grams), grams: () => grams, bytes };
  }
  const { model: trie } = await readModelFile(path, { expected });
  return { model: trie, grams: () => gramsOf(trie), trie, bytes };
}

/** Before hours of work: can the file be written at all? Returns its name. */
export async function outOption(value: string | undefined, usage: string): Promise<string> {
  if (value === undefined || value === '') throw usageError('--out is missing', usage);
  const folder = dirname(value);
  try {
    await access(folder, constants.W_OK);
  } catch (error) {
    throw cannotWrite(value, error);
  }
  return value;
}

/** Whole or not at all. */
export async function writeWhole(out: string, file: Uint8Array): Promise<void> {
  try {
    await atomicWrite(out, file, 0o644);
  } catch (error) {
    throw cannotWrite(out, error);
  }
}

const cannotWrite = (where: string, error: unknown) =>
  new KikitoriError(`it cannot be written (${messageOf(error)})`, {
    kind: 'storage',
    where,
    expected: 'a file in a folder that is there and has room',
  });

/** Writes the model and says what it is. */
export async function saveModel(
  grams: Grams,
  out: string,
  options: WriteOptions,
  io: Io,
): Promise<void> {
  const file = trieFile(grams, options);
  await writeWhole(out, file);
  io.stdout.write(`${out}: ${inWords(shapeOf(grams, options).counts, file.length)}\n`);
}

export function inWords(counts: readonly number[], bytes: number): string {
  const all = counts.reduce((sum, count) => sum + count, 0);
  const names = counts.map((count, i) => `${count} ${i + 1}-grams`).filter((_, i) => counts[i]);
  return `${names.join(', ')}; ${bytes} bytes, ${(bytes / all).toFixed(2)} an n-gram`;
}

/** "6000000", "6MB", "500 kB". */
export function bytesOption(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?(k|m|)b?$/i.exec(value) ?? [];
  const factor = { '': 1, k: 1e3, m: 1e6 }[unit.toLowerCase()] ?? 1;
  if (number === undefined || !(Number(number) * factor >= 1))
    throw new KikitoriError(`--bytes is ${quoted(value)}`, {
      kind: 'usage',
      expected: 'a size: 6000000 or 6MB',
    });
  return Math.floor(Number(number) * factor);
}

/** A whole number of an option, within limits. */
export function wholeOption(
  name: string,
  value: string | undefined,
  standard: number,
  [from, to]: readonly [number, number],
): number {
  const number = value === undefined || value.trim() === '' ? NaN : Number(value);
  if (value === undefined) return standard;
  if (!Number.isInteger(number) || number < from || number > to)
    throw new KikitoriError(`--${name} is ${quoted(value)}`, {
      kind: 'usage',
      expected: `a whole number from ${from} to ${to}`,
    });
  return number;
}
