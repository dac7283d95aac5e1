/** Files of a bundle that are stored packed, and what the manifest says of them (docs/adr/0051-packed-files.md, 0053). */
import { packed, unpackedAside } from '../runtime/brotli.js';
import { messageOf } from '../runtime/errors.js';
import { atLeast } from './manifest-kinds.js';
import { asNibbles, fromNibbles, type MatrixPlace } from './nibbles.js';
import { sha256 } from './sha256.js';

interface Digest {
  readonly sha256: string;
  readonly bytes: number;
}

interface Packed extends Digest {
  readonly encoding: 'br';
  /** What brotli got was no file, but its shorter form (nibbles.ts), of `filteredBytes`. Both or none are there. */
  readonly filter?: 'nibbles';
  readonly filteredBytes?: number;
}

/** What a manifest says of one file. */
export interface FileEntry extends Digest {
  /** The file is stored as `NAME.br`, these bytes of brotli. Absent: stored as it is. */
  readonly packed?: Packed;
}

/** The first agents that read packed files, and filtered ones. */
const packedSince = '0.11.0';
const filteredSince = '0.12.0';
/** Smaller files are left as they are: little is gained. */
const worthBytes = 32 * 1024;
/** What saves less than this share is left as it is: the lexicon is packed inside. */
const worthShare = 1 / 16;

export const storedName = (name: string, entry: FileEntry): string =>
  entry.packed === undefined ? name : `${name}.br`;

/** Sum and size of what is stored, packed or not. */
export const storedDigest = (entry: FileEntry): Digest => entry.packed ?? entry;

/** What is wrong with a file's bytes, if anything. */
export function differs(
  name: string,
  bytes: Uint8Array,
  { sha256: wanted, bytes: length }: Digest,
): string | undefined {
  if (bytes.length !== length)
    return `${name} has ${bytes.length} bytes, the manifest says ${length}`;
  const digest = sha256(bytes);
  return digest === wanted
    ? undefined
    : `${name} has SHA-256 ${digest}, the manifest says ${wanted}`;
}

/** The file itself, of the bytes that are stored for it and were compared; a text says what is wrong. */
export async function opened(
  name: string,
  entry: FileEntry,
  stored: Uint8Array,
): Promise<Uint8Array | string> {
  if (entry.packed === undefined) return stored;
  const { filter, filteredBytes = entry.bytes } = entry.packed;
  try {
    const open = await unpackedAside(stored, filteredBytes);
    const bytes = filter === 'nibbles' ? fromNibbles(open, entry.bytes) : open;
    return differs(name, bytes, entry) ?? bytes;
  } catch (error) {
    return `${storedName(name, entry)} ${messageOf(error)}`;
  }
}

/**
 * Files by name -> what the manifest is to say of them, the oldest agent for it, and what is stored by which name.
 * `matrices`: where files hold weights in 4 bits.
 */
export function pack(
  files: ReadonlyMap<string, Uint8Array>,
  minAgent: string,
  matrices: ReadonlyMap<string, readonly MatrixPlace[]> = new Map(),
): {
  readonly entries: Readonly<Record<string, FileEntry>>;
  readonly minAgent: string;
  readonly stored: Map<string, Uint8Array>;
} {
  const entries: Record<string, FileEntry> = {};
  const stored = new Map<string, Uint8Array>();
  for (const [name, bytes] of files) {
    const places = matrices.get(name) ?? [];
    const short = places.length > 0 ? asNibbles(bytes, places) : bytes;
    const small = bytes.length < worthBytes ? bytes : packed(short);
    const entry: FileEntry = {
      ...digestOf(bytes),
      ...(small.length > bytes.length * (1 - worthShare)
        ? {}
        : { packed: { encoding: 'br', ...filteredAs(bytes, short), ...digestOf(small) } }),
    };
    entries[name] = entry;
    stored.set(storedName(name, entry), entry.packed === undefined ? bytes : small);
  }
  const needed = Object.values(entries).map((entry) => readSince(entry));
  return {
    entries,
    minAgent: needed.reduce((a, b) => (atLeast(a, b) ? a : b), minAgent),
    stored,
  };
}

const filteredAs = (bytes: Uint8Array, short: Uint8Array) =>
  short === bytes ? {} : { filter: 'nibbles' as const, filteredBytes: short.length };

const readSince = ({ packed: how }: FileEntry): string =>
  how === undefined ? '0.0.0' : how.filter === undefined ? packedSince : filteredSince;

const digestOf = (bytes: Uint8Array): Digest => ({ sha256: sha256(bytes), bytes: bytes.length });
