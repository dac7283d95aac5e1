import { createHash } from 'node:crypto';
import { Metadata, MetadataKind, Signature } from '@tufjs/models';
import type { Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import type { PublicKey, Signer } from './keys.js';

export const topRoles = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type TopRole = (typeof topRoles)[number];
export const isTopRole = (role: string): role is TopRole =>
  (topRoles as readonly string[]).includes(role);

export interface RoleKeys {
  readonly keyids: readonly string[];
  readonly threshold: number;
}

interface Common {
  readonly spec_version: string;
  readonly version: number;
  readonly expires: string;
  /** Ours: lets a device notice a clock that is behind. Signed like everything else. */
  readonly issued_at: string;
}

export interface RootJson extends Common {
  readonly _type: 'root';
  readonly consistent_snapshot: true;
  readonly keys: Readonly<Record<string, PublicKey>>;
  readonly roles: Readonly<Record<TopRole, RoleKeys>>;
}

export interface TargetJson {
  readonly length: number;
  readonly hashes: { readonly sha256: string };
  readonly custom?: Readonly<Record<string, unknown>>;
}

export interface DelegatedJson extends RoleKeys {
  readonly name: string;
  readonly terminating: true;
  readonly paths: readonly string[];
}

export interface TargetsJson extends Common {
  readonly _type: 'targets';
  readonly targets: Readonly<Record<string, TargetJson>>;
  readonly delegations?: {
    readonly keys: Readonly<Record<string, PublicKey>>;
    readonly roles: readonly DelegatedJson[];
  };
}

export interface FileMeta {
  readonly version: number;
  readonly length: number;
  readonly hashes: { readonly sha256: string };
}

export interface SnapshotJson extends Common {
  readonly _type: 'snapshot';
  readonly meta: Readonly<Record<string, FileMeta>>;
}

export interface TimestampJson extends Common {
  readonly _type: 'timestamp';
  readonly meta: { readonly 'snapshot.json': FileMeta };
}

export type AnyJson = RootJson | TargetsJson | SnapshotJson | TimestampJson;
type MetadataOf<T extends AnyJson> = T extends RootJson
  ? Metadata<Root>
  : T extends TargetsJson
    ? Metadata<Targets>
    : T extends SnapshotJson
      ? Metadata<Snapshot>
      : Metadata<Timestamp>;

/** One metadata file: what it says, its bytes, and the parsed form that can verify and be verified. */
export interface SignedFile<T extends AnyJson> {
  readonly json: T;
  readonly bytes: Buffer;
  readonly metadata: MetadataOf<T>;
}

const kindOf = {
  root: MetadataKind.Root,
  targets: MetadataKind.Targets,
  snapshot: MetadataKind.Snapshot,
  timestamp: MetadataKind.Timestamp,
} as const;

/** Signs with every signer given; @tufjs/models makes the canonical bytes. */
export function signJson<T extends AnyJson>(json: T, signers: readonly Signer[]): SignedFile<T> {
  const metadata = fromJson({ signed: json, signatures: [] }, json._type);
  for (const signer of signers)
    metadata.sign((data) => new Signature({ keyID: signer.keyId, sig: signer.sign(data) }), true);
  const bytes = Buffer.from(`${JSON.stringify(metadata.toJSON(), null, 1)}\n`);
  return { json, bytes, metadata: metadata as MetadataOf<T> };
}

/** Parses without trusting: the caller verifies. Throws what JSON and the models throw. */
export function parseSigned<T extends AnyJson>(bytes: Buffer, type: T['_type']): SignedFile<T> {
  const document = JSON.parse(bytes.toString('utf8')) as { signed: T };
  return { json: document.signed, bytes, metadata: fromJson(document, type) as MetadataOf<T> };
}

function fromJson(document: object, type: AnyJson['_type']) {
  // fromJSON is overloaded by kind; one cast here instead of four copies of every caller.
  const parse = Metadata.fromJSON.bind(Metadata) as (
    kind: MetadataKind,
    data: object,
  ) => Metadata<Root | Targets | Snapshot | Timestamp>;
  return parse(kindOf[type], structuredClone(document));
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function fileMeta(version: number, bytes: Uint8Array): FileMeta {
  return { version, length: bytes.length, hashes: { sha256: sha256Hex(bytes) } };
}

export const specVersion = '1.0.31';

/** TUF dates have seconds, no fraction. */
export function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
