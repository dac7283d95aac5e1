import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Metadata, Root, Snapshot, TargetFile, Timestamp } from '@tufjs/models';
import { Updater } from 'tuf-js';
import { nameOfKind, openBundle, type BundleKind } from '../../bundle/index.js';
import type { Clock } from '../../runtime/clock.js';
import { codeOf, messageOf } from '../../runtime/errors.js';
import { withLock } from '../../runtime/lock.js';
import { channelNamePattern, parseChannelFile, type ChannelFile } from '../channel.js';
import type { BundleSource, Offer, Wanted } from '../source.js';
import { download } from './download.js';
import { translate, UpdateError } from './errors.js';
import { MetadataFetcher } from './fetcher.js';
import { realFiles, type Files } from './files.js';
import { bundleLimits, metadataLimits, type Limits } from './http.js';
import { bundleTarget, channelTarget, publisherOf } from './names.js';
import { baseOf, checkUrl, isJson, parseRoot, rootFault, issuedAtMs } from './root.js';

export interface TrustedSourceOptions {
  /** Root of trust that was installed with the agent; read, never written. */
  readonly rootPath: string;
  /** A folder of this class alone; everything in it may be torn or deleted at any time. */
  readonly stateDir: string;
  /** http(s)://host/path of the folder that holds metadata/ and targets/. */
  readonly url: string;
  readonly channel: string;
  /** Of the bundles that are taken; others are refused before they are fetched. Absent: 'model'. */
  readonly kind?: BundleKind;
  readonly clock: Clock;
  /** PEM of the authority that signed the server's certificate; else the system's. */
  readonly ca?: string;
  /** Must stay free on the disk beside a downloaded bundle. */
  readonly reserveBytes?: number;
  /** Version that bundles are checked against; this agent's unless a test says otherwise. */
  readonly agentVersion?: string;
  readonly limits?: { readonly metadata?: Partial<Limits>; readonly bundle?: Partial<Limits> };
  readonly retryMs?: number;
  readonly files?: Files;
}

/** What tuf-js knows and does not show: time is a parameter here, and the trusted metadata is asked. */
interface Inside {
  readonly trustedSet: {
    referenceTime: Date;
    readonly root: Metadata<Root>;
    readonly timestamp?: Metadata<Timestamp>;
    readonly snapshot?: Metadata<Snapshot>;
  };
}

/** The publisher's clock may be ahead of ours by this. */
const clockToleranceMs = 10 * 60_000;
const channelBytesMax = 256 * 1024;
const defaultReserveBytes = 16 * 1024 * 1024;

/**
 * Where updates come from. Nothing is handed out that is not signed by the installed root's heirs:
 * `check` takes the newest metadata and says what the channel wants, `download` fetches it. Everything
 * they throw is an UpdateError with a stable code; whatever is thrown, the state folder stays usable.
 */
export class TrustedSource implements BundleSource {
  private session: { updater: Updater; fetcher: MetadataFetcher } | undefined;
  private readonly files: Files;
  private readonly metadataDir: string;
  private readonly workDir: string;

  private constructor(
    private readonly options: TrustedSourceOptions,
    private readonly installedRoot: Buffer,
  ) {
    this.files = options.files ?? realFiles;
    this.metadataDir = join(options.stateDir, 'metadata');
    this.workDir = join(options.stateDir, 'work');
  }

  static async open(options: TrustedSourceOptions): Promise<TrustedSource> {
    checkUrl(options.url);
    if (!channelNamePattern.test(options.channel))
      throw new UpdateError('no-channel', {
        where: options.channel,
        what: 'this is no name of a channel',
      });
    const where = options.rootPath;
    const root = await realFiles.read(where).catch((cause: unknown) => {
      throw new UpdateError('bad-root', { where, what: messageOf(cause), cause });
    });
    if (root === undefined)
      throw new UpdateError('bad-root', {
        where,
        what: 'no such file',
        hint: 'copy root.json of the fleet there (docs/fleet.md)',
      });
    const fault = rootFault(root);
    if (fault !== undefined) throw new UpdateError('bad-root', { where, what: fault });
    return new TrustedSource(options, root);
  }

  /** Newest trusted metadata, and with it what the channel wants. */
  async check(signal?: AbortSignal): Promise<Offer> {
    return this.refreshed(signal, (updater, fetcher) => this.fetchChannel(updater, fetcher));
  }

  /**
   * A bundle that somebody outside names, as the newest trusted metadata describes it: only where it lies
   * and which it is are asked of them. A channel that has aborted it, or means it as a downgrade, is heeded.
   */
  async find(wanted: Wanted, signal?: AbortSignal): Promise<Offer> {
    return this.refreshed(signal, async (updater, fetcher) => {
      const bundle = await this.fetchNamed(updater, wanted);
      const channel = await this.fetchChannel(updater, fetcher).catch((error: unknown) => {
        if (codeOf(error) === 'no-channel') return undefined;
        throw error;
      });
      const meant = channel?.bundle.path === bundle.path ? channel : undefined;
      return {
        format: 1,
        channel: this.options.channel,
        deployment: wanted.deployment,
        bundle,
        rollout: { percent: 100, groups: [], state: aborted(meant) ? 'aborted' : 'running' },
        downgrade: meant?.downgrade === true,
        publishedAt: new Date(this.options.clock.now()).toISOString(),
      };
    });
  }

  private refreshed<T>(
    signal: AbortSignal | undefined,
    look: (updater: Updater, fetcher: MetadataFetcher) => Promise<T>,
  ): Promise<T> {
    return this.exclusively(async () => {
      const root = await this.prepareWork();
      const fetcher = this.fetcher(signal);
      let updater: Updater | undefined;
      try {
        updater = this.updater(fetcher);
        const inside = insideOf(updater);
        inside.trustedSet.referenceTime = new Date(this.options.clock.now());
        await this.checkClock(await this.seenMs(root));
        try {
          await updater.refresh();
          const found = await look(updater, fetcher);
          const issuedMs = issuedAtMs(inside.trustedSet.timestamp);
          await this.checkClock(issuedMs);
          this.session = { updater, fetcher };
          await this.keepSeen(inside.trustedSet.root, issuedMs);
          return found;
        } finally {
          // Whatever tuf-js wrote there it had verified: a new root counts even if the rest failed.
          await this.keepWork();
        }
      } catch (error) {
        throw translate(error, this.options.url, fetcher.fault);
      }
    });
  }

  /**
   * Fetches a bundle that the repository vouches for, goes on where an earlier call was cut off, and
   * resolves to the path of a file whose signature, length, hash and content have been checked. The
   * file is the caller's to move away; else it stays until another bundle is fetched.
   */
  async download(
    { bundle }: Offer,
    onProgress: (bytesDone: number) => void = () => undefined,
    signal?: AbortSignal,
  ): Promise<string> {
    const { session } = this;
    if (session === undefined) throw new UpdateError('not-signed', { where: bundle.path });
    return this.exclusively(async () => {
      const info = await this.targetInfo(session.updater, session.fetcher, bundle.path);
      if (info === undefined) throw new UpdateError('not-signed', { where: bundle.path });
      const sha256 = info.hashes['sha256'];
      if (sha256 !== bundle.sha256 || info.length !== bundle.bytes)
        throw new UpdateError('mismatch', {
          where: bundle.path,
          what: 'channel and target disagree',
        });
      const { clock, ca, stateDir, retryMs = 1000 } = this.options;
      const path = await download({
        url: this.targetUrl(info),
        sha256,
        bytes: info.length,
        folder: join(stateDir, 'staging'),
        files: this.files,
        clock,
        limits: { ...bundleLimits, ...this.options.limits?.bundle },
        retryMs,
        reserveBytes: this.options.reserveBytes ?? defaultReserveBytes,
        ca,
        signal,
        onProgress,
      });
      await this.checkBundle(path, bundle);
      return path;
    });
  }

  private async checkBundle(path: string, wanted: Offer['bundle']): Promise<void> {
    let fault: string | undefined;
    try {
      const { manifest } = await openBundle(path, this.options.agentVersion);
      const kind = manifest.kind ?? 'model';
      if (kind !== this.kind) fault = `it is ${nameOfKind[kind]}`;
      else if (manifest.name !== wanted.name || manifest.version !== wanted.version)
        fault = `it is ${manifest.name} ${manifest.version}`;
    } catch (error) {
      fault = messageOf(error);
    }
    if (fault === undefined) return;
    await this.files.remove(path).catch(() => undefined);
    throw new UpdateError('bad-bundle', { where: wanted.path, what: fault });
  }

  private async fetchChannel(updater: Updater, fetcher: MetadataFetcher): Promise<ChannelFile> {
    const { channel } = this.options;
    const target = channelTarget(channel);
    const info = await infoOf(updater, target);
    if (info === undefined) throw new UpdateError('no-channel', { where: channel });
    if (info.length > channelBytesMax)
      throw new UpdateError('too-long', { where: target, what: `${info.length} bytes` });
    const bytes = await fetcher.downloadBytes(this.targetUrl(info), info.length);
    await info.verify(Readable.from([bytes]));
    const file = parseVerified(bytes, target);
    if (file.channel !== channel)
      throw new UpdateError('malformed', { where: target, what: `it is of ${file.channel}` });
    this.checkKind(file.bundle, channel);
    return file;
  }

  private get kind(): BundleKind {
    return this.options.kind ?? 'model';
  }

  private checkKind({ name, kind = 'model' }: Offer['bundle'], where: string): void {
    if (kind === this.kind) return;
    throw new UpdateError('wrong-kind', { where, what: `${name} is ${nameOfKind[kind]}` });
  }

  /** By the name of its file, else by what its name is made of. */
  private async fetchNamed(updater: Updater, wanted: Wanted): Promise<Offer['bundle']> {
    const publisher = publisherOf(this.options.channel);
    const made = bundleTarget(publisher, wanted);
    const given = made.replace(/[^/]*$/, () => wanted.file);
    for (const path of new Set([given, made])) {
      if (!/^[A-Za-z0-9][\w./-]*\.tar$/.test(path) || path.includes('..')) continue;
      const info = await infoOf(updater, path);
      if (info?.hashes['sha256'] !== wanted.sha256) continue;
      const said = (info.custom ?? {}) as Readonly<Record<string, unknown>>;
      const { name, version, minAgent, kind, languageModel } = said;
      const about = { path, sha256: wanted.sha256, bytes: info.length };
      const offered = { ...about, name, version, minAgent, kind, languageModel };
      const { channel } = this.options;
      // The same strictness as for what a channel offers.
      const { bundle } = parseVerified(
        Buffer.from(JSON.stringify({ ...anyChannel, channel, bundle: offered })),
        path,
      );
      this.checkKind(bundle, path);
      return bundle;
    }
    throw new UpdateError('not-signed', { where: given });
  }

  private async targetInfo(updater: Updater, fetcher: MetadataFetcher, path: string) {
    try {
      return await updater.getTargetInfo(path);
    } catch (error) {
      throw translate(error, this.options.url, fetcher.fault);
    }
  }

  /** Consistent snapshot: targets/<folder>/<sha256>.<file>, so that a name is one content for ever. */
  private targetUrl(info: TargetFile): string {
    const parts = info.path.split('/').map(encodeURIComponent);
    const file = parts.pop();
    return [baseOf(this.options.url), 'targets', ...parts, `${info.hashes['sha256']}.${file}`].join(
      '/',
    );
  }

  private fetcher(signal: AbortSignal | undefined): MetadataFetcher {
    const { clock, ca, limits, retryMs = 1000 } = this.options;
    return new MetadataFetcher({
      clock,
      ca,
      signal,
      retryMs,
      limits: { ...metadataLimits, ...limits?.metadata },
    });
  }

  private updater(fetcher: MetadataFetcher): Updater {
    return new Updater({
      metadataDir: this.workDir,
      metadataBaseUrl: `${baseOf(this.options.url)}/metadata`,
      fetcher,
      config: { maxRootRotations: 256, maxDelegations: 32 },
    });
  }

  /**
   * tuf-js writes in place and not durably: it works in a copy that is thrown away. Torn metadata is
   * left out (it is fetched again); a torn or missing root gives way to the installed one.
   */
  private async prepareWork(): Promise<Metadata<Root>> {
    await this.files.remove(this.workDir);
    await this.files.makeFolder(this.workDir);
    await this.files.makeFolder(this.metadataDir);
    let root = this.installedRoot;
    for (const name of await this.files.list(this.metadataDir)) {
      const path = join(this.metadataDir, name);
      const bytes = await this.files.read(path);
      if (bytes === undefined) continue;
      if (name.startsWith('.') || !isJson(bytes)) await this.files.remove(path);
      else if (name !== 'root.json') await this.files.replace(join(this.workDir, name), bytes);
      else if (rootFault(bytes) !== undefined) await this.files.remove(path);
      else if (parseRoot(bytes).signed.version > parseRoot(root).signed.version) root = bytes;
    }
    await this.files.replace(join(this.workDir, 'root.json'), root);
    return parseRoot(root);
  }

  /** In this order: every prefix of it is a state that a later refresh accepts. */
  private async keepWork(): Promise<void> {
    const order = ['root.json', 'timestamp.json', 'snapshot.json', 'targets.json'];
    const rank = (name: string) => (order.indexOf(name) + order.length + 1) % (order.length + 1);
    const names = (await this.files.list(this.workDir)).filter((n) => n.endsWith('.json'));
    for (const name of names.sort((a, b) => rank(a) - rank(b))) {
      const bytes = await this.files.read(join(this.workDir, name));
      const path = join(this.metadataDir, name);
      if (bytes === undefined || (await this.files.read(path))?.equals(bytes) === true) continue;
      await this.files.replace(path, bytes);
    }
  }

  private async checkClock(passedMs: number): Promise<void> {
    const now = this.options.clock.now();
    if (now >= passedMs - clockToleranceMs) return;
    const iso = (ms: number) => new Date(ms).toISOString();
    throw new UpdateError('clock-behind', { what: `${iso(now)}, signed was ${iso(passedMs)}` });
  }

  /**
   * The latest signed moment this device knows of. It counts only under the root it was seen with, so
   * that a stolen timestamp key cannot lock a fleet out for longer than until the key is revoked.
   */
  private async seenMs(root: Metadata<Root>): Promise<number> {
    const bytes = await this.files.read(join(this.options.stateDir, 'seen.json'));
    let seenMs = 0;
    try {
      const seen = JSON.parse(bytes?.toString('utf8') ?? '{}') as Record<string, unknown>;
      const { rootVersion, issuedMs } = seen;
      if (rootVersion === root.signed.version && typeof issuedMs === 'number') seenMs = issuedMs;
    } catch {
      // Torn: the root's own date remains.
    }
    return Math.max(seenMs, issuedAtMs(root));
  }

  private async keepSeen(root: Metadata<Root>, issuedMs: number): Promise<void> {
    const seen = JSON.stringify({ rootVersion: root.signed.version, issuedMs });
    const path = join(this.options.stateDir, 'seen.json');
    if ((await this.files.read(path))?.toString('utf8') !== seen)
      await this.files.replace(path, Buffer.from(seen));
  }

  private async exclusively<T>(action: () => Promise<T>): Promise<T> {
    const { stateDir } = this.options;
    try {
      await this.files.makeFolder(stateDir);
      const done = await withLock(stateDir, action);
      if (done === undefined) throw new UpdateError('busy', { where: stateDir });
      return done.value;
    } catch (error) {
      throw translate(error, stateDir, undefined);
    }
  }
}

/** Undefined also for a second publisher that has not published yet, at which tuf-js stumbles. */
async function infoOf(updater: Updater, path: string): Promise<TargetFile | undefined> {
  const [publisher = '', , file] = path.split('/');
  const { snapshot } = insideOf(updater).trustedSet;
  if (file !== undefined && snapshot?.signed.meta[`${publisher}.json`] === undefined)
    return undefined;
  return updater.getTargetInfo(path);
}

const aborted = (channel: ChannelFile | undefined) => channel?.rollout.state === 'aborted';

/** A frame for the facts about a bundle that no channel offers. */
const anyChannel = {
  format: 1,
  deployment: 'named',
  rollout: { percent: 100, groups: [], state: 'running' },
  downgrade: false,
  publishedAt: '1970-01-01T00:00:00Z',
};

function parseVerified(bytes: Buffer, where: string): ChannelFile {
  try {
    return parseChannelFile(bytes.toString('utf8'), where);
  } catch (error) {
    throw new UpdateError('malformed', { what: messageOf(error), cause: error });
  }
}

function insideOf(updater: Updater): Inside {
  const inside = updater as unknown as Inside;
  if (!(inside.trustedSet?.referenceTime instanceof Date))
    throw new Error('tuf-js has changed inside: time can no longer be given to it');
  return inside;
}
