/** Files of a bundle that are stored packed, and what the manifest says of them (docs/adr/0051-packed-files.md). */
import { packed, unpackedAside } from '../runtime/brotli.js';
import { messageOf } from '../runtime/errors.js';
import { atLeast } from './manifest-kinds.js';
import { sha256 } from './sha256.js';

interface Digest {
  readonly sha256: string;
  readonly bytes: number;
}

/** What a manifest says of one file. */
export interface FileEntry extends Digest {
  /** The file is stored as `NAME.br`, these bytes of brotli. Absent: stored as it is. */
  readonly packed?: Digest & { readonly encoding: 'br' };
}

/** The first agent that reads packed files. */
const packedSince = '0.11.0';
/** Smaller files are left as they are: little is gained. */
const worthBytes = 32 * 1024;
/** What saves less than this share is left as it is: the lexicon is packed inside. */
const worthShare = 1 / 16;

export const storedName = (name: string, entry: FileEntry): string =>
  entry.packed === undefined ? name : `${name}.br`;

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
  try {
    const bytes = await unpackedAside(stored, entry.bytes);
    return differs(name, bytes, entry) ?? bytes;
  } catch (error) {
    return `${storedName(name, entry)} ${messageOf(error)}`;
  }
}

/** Files by name -> what the manifest is to say of them, the oldest agent for it, and what is stored by which name. */
export function pack(
  files: ReadonlyMap<string, Uint8Array>,
  minAgent: string,
): {
  readonly entries: Readonly<Record<string, FileEntry>>;
  readonly minAgent: string;
  readonly stored: Map<string, Uint8Array>;
} {
  const entries: Record<string, FileEntry> = {};
  const stored = new Map<string, Uint8Array>();
  for (const [name, bytes] of files) {
    const short = bytes.length < worthBytes ? bytes : packed(bytes);
    const entry: FileEntry = {
      ...digestOf(bytes),
      ...(short.length > bytes.length * (1 - worthShare)
        ? {}
        : { packed: { encoding: 'br', ...digestOf(short) } }),
    };
    entries[name] = entry;
    stored.set(storedName(name, entry), entry.packed === undefined ? bytes : short);
  }
  const some = Object.values(entries).some((entry) => entry.packed !== undefined);
  return {
    entries,
    minAgent: some && !atLeast(minAgent, packedSince) ? packedSince : minAgent,
    stored,
  };
}

const digestOf = (bytes: Uint8Array): Digest => ({ sha256: sha256(bytes), bytes: bytes.length });
