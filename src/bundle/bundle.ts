import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { atomicWrite, syncFolder } from '../runtime/atomic-write.js';
import { codeOf, fileFault, KikitoriError, messageOf } from '../runtime/errors.js';
import { agentVersion } from '../runtime/version.js';
import { parseManifest, type Manifest } from './manifest.js';
import { differs, opened, storedDigest, storedName, type FileEntry } from './packed.js';
import { sha256 } from './sha256.js';

/** Bytes of all files together, as stored and as unpacked; more is refused before it is stored or unpacked. */
const bytesMax = 64 * 1024 * 1024;
/** Pieces of this size are given back to the system; smaller ones leave holes in the allocator. */
const readBytes = 1024 * 1024;
const nameAllowed = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** A model and all that belongs to it, checked. Nothing of an unchecked file is handed out. */
export class Bundle {
  private constructor(
    readonly path: string,
    readonly manifest: Manifest,
    /** SHA-256 of manifest.json, which names the SHA-256 of everything else: the bundle's identity. */
    readonly sha256: string,
    private readonly files: Map<string, Uint8Array>,
  ) {}

  /** Reads a folder or a .tar. Every file is checked against the manifest before this resolves. */
  static async open(path: string, version = agentVersion): Promise<Bundle> {
    return Bundle.of(
      path,
      await readChecked(path, (source) => parseManifest(source, path, version)),
    );
  }

  static of(path: string, { manifest, sha256: digest, files }: CheckedFiles<Manifest>): Bundle {
    return new Bundle(path, manifest, digest, files);
  }

  /** Gives the memory of a file back that is not needed any more. */
  forget(name: string): void {
    this.files.delete(name);
  }

  file(name: string): Uint8Array {
    return fileOf(this, this.files, name);
  }
}

export function fileOf(
  { path }: { readonly path: string },
  files: ReadonlyMap<string, Uint8Array>,
  name: string,
): Uint8Array {
  const bytes = files.get(name);
  if (bytes === undefined) throw damaged(path, `${name} is missing`);
  return bytes;
}

/** What any kind of bundle holds: its manifest, and every file that it names, compared with it. */
export interface CheckedFiles<M> {
  readonly manifest: M;
  /** Of manifest.json. */
  readonly sha256: string;
  readonly files: Map<string, Uint8Array>;
}

/** Reads a folder or a .tar; `parse` reads the manifest. */
export async function readChecked<M extends Pick<Manifest, 'files'>>(
  path: string,
  parse: (source: string) => M,
): Promise<CheckedFiles<M>> {
  const files = await readAll(path);
  const source = files.get('manifest.json');
  if (source === undefined) {
    throw new KikitoriError('there is no manifest.json in it', {
      kind: 'bundle',
      where: path,
      hint: 'this is no kikitori bundle',
    });
  }
  const manifest = parse(Buffer.from(source).toString('utf8'));
  refuseTooLarge(path, manifest.files);
  for (const [name, entry] of Object.entries(manifest.files)) {
    const bytes = await opened(name, entry, await storedFile(path, files, name, entry));
    if (typeof bytes === 'string') throw damaged(path, bytes);
    if (entry.packed !== undefined) files.delete(storedName(name, entry));
    files.set(name, bytes);
  }
  return { manifest, sha256: sha256(source), files };
}

/**
 * manifest.json and the files that it names as they are stored, compared with it: for whoever writes the bundle again.
 * What is packed stays so, to the byte.
 */
export async function storedFiles({
  path,
  manifest,
}: {
  readonly path: string;
  readonly manifest: Pick<Manifest, 'files'>;
}): Promise<Map<string, Uint8Array>> {
  const read = await readAll(path);
  const source = read.get('manifest.json');
  if (source === undefined) throw damaged(path, 'manifest.json is missing');
  const stored = new Map([['manifest.json', source]]);
  for (const [name, entry] of Object.entries(manifest.files))
    stored.set(storedName(name, entry), await storedFile(path, read, name, entry));
  return stored;
}

/** Nothing is unpacked that was not compared with the manifest. */
async function storedFile(
  path: string,
  read: ReadonlyMap<string, Uint8Array>,
  name: string,
  entry: FileEntry,
): Promise<Uint8Array> {
  const stored = storedName(name, entry);
  const bytes = read.get(stored) ?? (await readNamed(path, stored));
  const fault =
    bytes === undefined ? `${stored} is missing` : differs(stored, bytes, storedDigest(entry));
  if (bytes === undefined || fault !== undefined) throw damaged(path, fault ?? '');
  return bytes;
}

function refuseTooLarge(path: string, files: Readonly<Record<string, FileEntry>>): void {
  const total = Object.values(files).reduce(
    (sum, { bytes, packed }) => sum + bytes + (packed?.filteredBytes ?? 0),
    0,
  );
  if (total > bytesMax)
    throw damaged(path, `its files have ${total} bytes, at most ${bytesMax} are taken`);
}

function damaged(where: string, what: string): KikitoriError {
  return new KikitoriError(what, {
    kind: 'bundle',
    where,
    hint: 'the bundle is damaged: fetch it again',
  });
}

/** A folder yields manifest.json (the rest is read by name); a tar yields everything in it. */
async function readAll(path: string): Promise<Map<string, Uint8Array>> {
  try {
    if (!(await stat(path)).isDirectory()) return await readTar(path);
    const manifest = await readNamed(path, 'manifest.json');
    return new Map(manifest === undefined ? [] : [['manifest.json', manifest]]);
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    throw new KikitoriError(
      codeOf(error) === 'ENOENT' ? 'there is no such bundle' : messageOf(error),
      {
        kind: 'bundle',
        where: path,
        expected: 'a bundle folder or a .tar of one',
        cause: error,
      },
    );
  }
}

async function readNamed(folder: string, name: string): Promise<Uint8Array | undefined> {
  if (!nameAllowed.test(name))
    throw damaged(folder, `the file name ${JSON.stringify(name)} is not allowed`);
  try {
    const path = join(folder, name);
    const info = await stat(path);
    if (!info.isFile() || info.size > bytesMax) return undefined;
    return await readFile(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Plain files of a .tar by name; names, kinds and the sum of sizes are limited. */
export async function readTar(path: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  let total = 0;
  // A daemon's bundle is a folder.
  const { extract } = await import('tar-stream');
  const reader = extract();
  reader.on('entry', (header, stream, next) => {
    const stop = (what: string) => reader.destroy(damaged(path, what));
    // Destroying the reader reaches the entry too; unheard, that would end the whole process.
    stream.on('error', () => undefined);
    if (header.type !== 'file')
      return stop(`${header.name}: ${String(header.type)} entries are not allowed`);
    if (!nameAllowed.test(header.name))
      return stop(`the file name ${JSON.stringify(header.name)} is not allowed`);
    if (files.has(header.name)) return stop(`${header.name} is there twice`);
    total += header.size ?? 0;
    if (total > bytesMax) return stop(`more than ${bytesMax} bytes`);
    const parts: Buffer[] = [];
    stream.on('data', (part) => parts.push(part as Buffer));
    stream.on('end', () => {
      files.set(header.name, Buffer.concat(parts));
      next();
    });
  });
  try {
    await pipeline(createReadStream(path, { highWaterMark: readBytes }), reader);
  } catch (error) {
    if (error instanceof KikitoriError) throw error;
    throw new KikitoriError(`it cannot be read as a tar: ${messageOf(error)}`, {
      kind: 'bundle',
      where: path,
      expected: 'a bundle folder or a .tar of one',
      hint: 'either this is another kind of file, or the bundle is damaged: fetch it again',
    });
  }
  return files;
}

/** What lies at the path is replaced as a whole: only an empty folder or another bundle may be. */
async function refuseOtherFolder(path: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw new KikitoriError(fileFault(error), { kind: 'input', where: path, cause: error });
  }
  if (names.length > 0 && !names.includes('manifest.json'))
    throw new KikitoriError('this folder holds other files, which a bundle would replace', {
      kind: 'input',
      where: path,
      expected: 'a new name, an empty folder or a bundle',
    });
}

/** Writes a bundle atomically. A path that ends in .tar gives a tar with fixed times and owners: same input, same bytes. */
export async function writeBundle(
  to: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  // "ship/" is "ship".
  const path = resolve(to);
  if (path.endsWith('.tar')) {
    const { pack } = await import('tar-stream');
    const archive = pack();
    const parts: Buffer[] = [];
    const done = (async () => {
      for await (const part of archive) parts.push(part as Buffer);
    })();
    for (const [name, bytes] of files) {
      archive.entry({ name, mtime: new Date(0), uid: 0, gid: 0, mode: 0o644 }, Buffer.from(bytes));
    }
    archive.finalize();
    await done;
    await atomicWrite(path, Buffer.concat(parts), 0o644);
    return;
  }
  await refuseOtherFolder(path);
  const staging = `${path}.new`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  for (const [name, bytes] of files) await atomicWrite(join(staging, name), bytes, 0o644);
  const old = `${path}.old`;
  await rm(old, { recursive: true, force: true });
  await rename(path, old).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
  await rename(staging, path);
  await syncFolder(dirname(path));
  await rm(old, { recursive: true, force: true });
}
