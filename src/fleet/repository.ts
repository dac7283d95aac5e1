import { dirname, join } from 'node:path';
import type { Clock } from '../runtime/clock.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { withLock } from '../runtime/lock.js';
import { realFiles, type Files } from '../update/trust/index.js';
import { expiryWarnings, type ExpiryWarning } from './expiry.js';
import { Keyring, type Passphrase } from './keyring.js';
import type { Signer } from './keys.js';
import { loadState, placesIn, versionsOf, type Places, type State } from './load.js';
import { fileMeta, isoSeconds, sha256Hex, signJson, specVersion } from './metadata.js';
import type { AnyJson, FileMeta, RootJson, SignedFile, SnapshotJson } from './metadata.js';
import type { TargetsJson, TimestampJson, TopRole } from './metadata.js';
import { prune } from './prune.js';
import { defaultSettings, parseSettings, type Settings } from './settings.js';

export interface RepositoryOptions {
  readonly dir: string;
  /** Folders with private keys, beside dir/keys. */
  readonly keyFolders?: readonly string[];
  readonly passphrase: Passphrase;
  readonly clock: Clock;
  /** 0..1, for names that must be unique. */
  readonly random: () => number;
  readonly files?: Files;
  /** A second publisher works on a copy of the repository, without the owner's settings and keys. */
  readonly as?: string;
}

/** What one command changes; everything in it becomes visible at once, or nothing. */
export interface Edit {
  /** New target files by target path. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
  /** New lists by role: 'targets' or a second publisher. */
  readonly targets?: ReadonlyMap<string, Pick<TargetsJson, 'targets' | 'delegations'>>;
  /** A list that its second publisher has signed elsewhere; it is verified and passed on. */
  readonly accept?: { readonly name: string; readonly file: SignedFile<TargetsJson> };
  readonly root?: Pick<RootJson, 'keys' | 'roles'>;
  /** Roles to sign again with a new date though nothing in them changed. */
  readonly renew?: ReadonlySet<TopRole>;
  readonly settings?: Settings;
}

const dayMs = 86_400_000;
const clockToleranceMs = 10 * 60_000;

export class Repository {
  private constructor(
    private readonly options: RepositoryOptions,
    readonly places: Places,
    readonly files: Files,
    readonly keyring: Keyring,
    readonly state: State,
    readonly settings: Settings,
  ) {}

  static async open(options: RepositoryOptions): Promise<Repository> {
    const files = options.files ?? realFiles;
    const places = placesIn(options.dir);
    const keyring = new Keyring(
      [places.keys, ...(options.keyFolders ?? [])],
      options.passphrase,
      files,
    );
    const state = await loadState(places, files);
    const bytes = await files.read(places.settings);
    if (bytes === undefined && options.as !== undefined)
      return new Repository(options, places, files, keyring, state, {
        ...defaultSettings,
        channels: channelsIn(state.delegated.get(options.as)?.json),
      });
    if (bytes === undefined)
      throw new KikitoriError('it is missing', { kind: 'config', where: places.settings });
    const settings = parseSettings(bytes.toString('utf8'), places.settings);
    return new Repository(options, places, files, keyring, state, settings);
  }

  /** The second publisher that works here; undefined for the owner. */
  get as(): string | undefined {
    return this.options.as;
  }

  get clock(): Clock {
    return this.options.clock;
  }

  get random(): () => number {
    return this.options.random;
  }

  warnings(): ExpiryWarning[] {
    return expiryWarnings(this.state, this.options.clock.now());
  }

  /** The list of targets of the owner ('') or of a second publisher. */
  targetsOf(publisher: string): TargetsJson['targets'] {
    const file = publisher === '' ? this.state.targets : this.state.delegated.get(publisher);
    return file?.json.targets ?? {};
  }

  /** Bytes of a target that the repository vouches for, checked. */
  async targetBytes(path: string): Promise<Buffer> {
    const publisher = path.split('/').length === 3 ? (path.split('/')[0] ?? '') : '';
    const target = this.targetsOf(publisher)[path];
    const where = target === undefined ? path : this.filePath(path, target.hashes.sha256);
    const bytes = target === undefined ? undefined : await this.files.read(where);
    if (bytes === undefined || sha256Hex(bytes) !== target?.hashes.sha256)
      throw new KikitoriError('it is missing or damaged', { kind: 'input', where });
    return bytes;
  }

  /** Signs everything in memory first; then writes in the order of dependence, the timestamp last. */
  async commit(edit: Edit): Promise<Repository> {
    this.checkDates(edit);
    const plan = await this.plan(edit);
    const done = await withLock(this.places.dir, async () => {
      const now = await this.files.read(join(this.places.metadata, 'timestamp.json'));
      if (now?.equals(this.state.timestamp.bytes) !== true) throw this.overtaken();
      for (const [path, bytes] of plan.writes) {
        // Readable by a web server that runs as somebody else.
        await this.files.makeFolder(dirname(path), 0o755);
        await this.files.replace(path, bytes, 0o644);
      }
      const next = await Repository.open(this.options);
      // Cleaning up is no part of the change: what is left now goes with the next one.
      await prune(next.places, next.state, this.files).catch(() => undefined);
      return next;
    });
    if (done === undefined) throw this.overtaken();
    return done.value;
  }

  private overtaken(): KikitoriError {
    return new KikitoriError('another command is changing this repository', {
      kind: 'storage',
      where: this.places.dir,
      hint: 'run it again; nothing was changed',
    });
  }

  private checkDates(edit: Edit): void {
    const now = this.options.clock.now();
    const { root, timestamp } = this.state;
    if (now < Date.parse(timestamp.json.issued_at) - clockToleranceMs)
      throw new KikitoriError(
        `the clock of this computer is before the last publication (${timestamp.json.issued_at})`,
        { kind: 'device', hint: 'set it; devices would refuse what is signed with this date' },
      );
    const renewsRoot = edit.root !== undefined || edit.renew?.has('root') === true;
    if (!renewsRoot && now >= Date.parse(root.json.expires))
      throw new KikitoriError(`the root of trust expired on ${root.json.expires}`, {
        kind: 'input',
        where: this.places.root,
        hint: 'run `kikitori fleet refresh --root` with the root keys; devices take the new root by themselves',
      });
  }

  private async plan(edit: Edit): Promise<{ writes: [string, Uint8Array][] }> {
    const { state } = this;
    const root = await this.planRoot(edit);
    const targets = await this.planTargets(edit, root.file);
    const meta: Record<string, FileMeta> = { ...state.snapshot.json.meta };
    const writes: [string, Uint8Array][] = [];
    for (const [path, bytes] of edit.files ?? [])
      writes.push([this.filePath(path, sha256Hex(bytes)), bytes]);
    for (const [role, file] of targets) {
      meta[`${role}.json`] = fileMeta(file.json.version, file.bytes);
      writes.push([this.metadataPath(role, file.json.version), file.bytes]);
    }
    const owner = targets.get('targets') ?? state.targets;
    const onlyRoot = targets.size === 0 && !this.needs('snapshot', edit, root.file);
    let snapshot = state.snapshot;
    if (!onlyRoot) {
      const json = { _type: 'snapshot', ...(await this.common('snapshot', 'snapshot')), meta };
      snapshot = await this.signed<SnapshotJson>(json as SnapshotJson, 'snapshot', root.file);
      writes.push([this.metadataPath('snapshot', snapshot.json.version), snapshot.bytes]);
    }
    const stamp: TimestampJson = {
      _type: 'timestamp',
      ...(await this.common('timestamp', 'timestamp')),
      version: state.timestamp.json.version + 1,
      meta: { 'snapshot.json': fileMeta(snapshot.json.version, snapshot.bytes) },
    };
    const timestamp = await this.signed<TimestampJson>(stamp, 'timestamp', root.file);
    writes.push([join(this.places.metadata, 'timestamp.json'), timestamp.bytes]);
    if (root.changed) {
      // With the old keys at hand the rest is valid under both roots and goes first; without them
      // (a lost key) the root must go first, and devices fail for the moment between.
      const old = this.state.root.metadata;
      const bridged =
        signedUnder(old, 'timestamp', timestamp) &&
        signedUnder(old, 'snapshot', snapshot) &&
        signedUnder(old, 'targets', owner);
      const entry: [string, Uint8Array] = [
        this.metadataPath('root', root.file.json.version),
        root.file.bytes,
      ];
      if (bridged) writes.push(entry);
      else writes.unshift(entry);
      writes.push([this.places.root, root.file.bytes]);
    }
    if (edit.settings !== undefined)
      writes.unshift([
        this.places.settings,
        Buffer.from(`${JSON.stringify(edit.settings, null, 1)}\n`),
      ]);
    return { writes };
  }

  private async planRoot(edit: Edit): Promise<{ file: SignedFile<RootJson>; changed: boolean }> {
    const old = this.state.root;
    if (edit.root === undefined && edit.renew?.has('root') !== true)
      return { file: old, changed: false };
    const json: RootJson = {
      ...old.json,
      ...edit.root,
      ...(await this.common('root', 'root')),
      // Roots are numbered without gaps: devices ask for each.
      version: old.json.version + 1,
    };
    const before = old.json.roles.root;
    const after = json.roles.root;
    const signers = new Map<string, Signer>();
    for (const { keyids, threshold } of [before, after])
      for (const s of await this.keyring.signers('root', keyids, threshold))
        signers.set(s.keyId, s);
    const file = signJson(json, [...signers.values()]);
    old.metadata.verifyDelegate('root', file.metadata);
    file.metadata.verifyDelegate('root', file.metadata);
    return { file, changed: true };
  }

  private async planTargets(
    edit: Edit,
    root: SignedFile<RootJson>,
  ): Promise<Map<string, SignedFile<TargetsJson>>> {
    const planned = new Map<string, SignedFile<TargetsJson>>();
    const changes = new Map(edit.targets);
    if (!changes.has('targets') && this.needs('targets', edit, root))
      changes.set('targets', this.state.targets.json);
    for (const [role, change] of changes) {
      const old = role === 'targets' ? this.state.targets : this.state.delegated.get(role);
      const json: TargetsJson = {
        ...old?.json,
        ...change,
        _type: 'targets',
        ...(await this.common(role, 'targets')),
      };
      planned.set(
        role,
        role === 'targets'
          ? await this.signed<TargetsJson>(json, 'targets', root)
          : await this.signedByPublisher(role, json),
      );
    }
    if (edit.accept !== undefined) planned.set(edit.accept.name, edit.accept.file);
    return planned;
  }

  /** Signs for a second publisher whose keys are here. */
  async signedByPublisher(role: string, json: TargetsJson): Promise<SignedFile<TargetsJson>> {
    const delegated = this.state.targets.json.delegations?.roles.find((r) => r.name === role);
    if (delegated === undefined)
      throw new KikitoriError(`there is no second publisher "${role}"`, {
        kind: 'input',
        hint: 'add it with `kikitori fleet delegate add`',
      });
    const { keyids, threshold } = delegated;
    const file = signJson(json, await this.keyring.signers(role, keyids, threshold));
    this.state.targets.metadata.verifyDelegate(role, file.metadata);
    return file;
  }

  /** Next version of a list of targets, its dates, and its format: for one who signs elsewhere. */
  async common(name: string, kind: TopRole) {
    const now = this.options.clock.now();
    const versions = await versionsOf(this.files, this.places.metadata, name);
    return {
      spec_version: specVersion,
      version: (versions.at(-1) ?? 0) + 1,
      expires: isoSeconds(now + this.settings.expiresDays[kind] * dayMs),
      issued_at: isoSeconds(now),
    };
  }

  /** A role must be signed again when asked, or when the (new) root does not accept what is there. */
  private needs(role: 'targets' | 'snapshot', edit: Edit, root: SignedFile<RootJson>): boolean {
    return edit.renew?.has(role) === true || !signedUnder(root.metadata, role, this.state[role]);
  }

  /** Signed by the keys of the root to come, and by those of the root so far as far as they are here. */
  private async signed<T extends AnyJson>(
    json: T,
    role: Exclude<TopRole, 'root'>,
    root: SignedFile<RootJson>,
  ): Promise<SignedFile<T>> {
    const { keyids, threshold } = root.json.roles[role];
    const signers = await this.keyring.signers(role, keyids, threshold);
    const before = this.state.root.json.roles[role].keyids.filter((id) => !keyids.includes(id));
    if (before.length > 0) signers.push(...(await this.keyring.signers(role, before, 0)));
    const file = signJson(json, signers);
    try {
      root.metadata.verifyDelegate(role, file.metadata);
    } catch (error) {
      throw new KikitoriError(`${role} could not be signed: ${messageOf(error)}`, {
        kind: 'input',
      });
    }
    return file;
  }

  filePath(target: string, sha256: string): string {
    const parts = target.split('/');
    const file = parts.pop() ?? '';
    return join(this.places.targets, ...parts, `${sha256}.${file}`);
  }

  private metadataPath(role: string, version: number): string {
    return join(this.places.metadata, `${version}.${role}.json`);
  }
}

/** The channels that a second publisher's list has, by their names: acme/channels/stable.json -> acme/stable. */
function channelsIn(list: TargetsJson | undefined): string[] {
  return Object.keys(list?.targets ?? {}).flatMap((path) => {
    const match = /^([^/]+)\/channels\/([^/]+)\.json$/.exec(path);
    return match === null ? [] : [`${match[1]}/${match[2]}`];
  });
}

function signedUnder(
  root: SignedFile<RootJson>['metadata'],
  role: TopRole,
  file: SignedFile<TargetsJson> | SignedFile<SnapshotJson> | SignedFile<TimestampJson>,
): boolean {
  try {
    root.verifyDelegate(role, file.metadata);
    return true;
  } catch {
    return false;
  }
}
