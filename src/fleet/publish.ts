import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  atLeast,
  kindOf,
  manifestText,
  nameOfKind,
  openBundle,
  sha256,
  storedFiles,
  writeBundle,
  type Bundle,
  type LanguageBundle,
} from '../bundle/index.js';
import { KikitoriError } from '../runtime/errors.js';
import { channelNamePattern, parseChannelFile, type ChannelFile } from '../update/index.js';
import { bundleTarget, channelTarget, publisherOf } from '../update/trust/index.js';
import type { TargetJson } from './metadata.js';
import type { Edit, Repository } from './repository.js';

export interface PublishOptions {
  /** A .tar, or a bundle folder, which is packed. */
  readonly bundle: string;
  readonly channel: string;
  readonly percent: number;
  readonly groups: readonly string[];
  /** Go back on purpose: the old network under a new version number. */
  readonly downgrade: boolean;
  /** The new version number of a downgrade; else the next patch of the highest published. */
  readonly asVersion?: string;
}

type Offered = ChannelFile['bundle'];

/** What a publication would change; the caller commits it. */
export interface Publication {
  readonly edit: Edit;
  readonly channel: ChannelFile;
  /** Role that signs: 'targets' or a second publisher. */
  readonly role: string;
}

/** Everything about a publication that can be wrong is thrown here, before anything is written. */
export async function planPublication(
  repository: Repository,
  o: PublishOptions,
): Promise<Publication> {
  checkChannel(repository, o.channel);
  checkPercent(o.percent);
  checkGroups(o.groups);
  const publisher = publisherOf(o.channel);
  const known = repository.targetsOf(publisher);
  const before = await readChannel(repository, o.channel);
  const { bundle, bytes } = await readOrRepack(o, known);
  const { name, version, minAgent } = bundle.manifest;
  const more = moreOf(bundle);
  const offered: Offered = {
    path: bundleTarget(publisher, { name, version, sha256: sha256(bytes) }),
    name,
    version,
    sha256: sha256(bytes),
    bytes: bytes.length,
    minAgent,
    ...more,
  };
  refuseOtherKind(before, offered);
  refuseRevoked(repository, offered, bundle.sha256);
  refuseSameVersion(offered, known);
  if (before !== undefined && before.bundle.name === name && !o.downgrade)
    refuseOlder(before, offered, o.channel);
  const now = new Date(repository.clock.now());
  const channel: ChannelFile = {
    format: 1,
    channel: o.channel,
    deployment: deploymentId(o.channel, now, repository.random),
    bundle: offered,
    rollout: { percent: o.percent, groups: o.groups, state: 'running' },
    downgrade: o.downgrade,
    publishedAt: now.toISOString(),
  };
  const channelBytes = encodeChannel(channel);
  // What a board would not understand must not get as far as a board.
  parseChannelFile(channelBytes.toString('utf8'), channelTarget(o.channel));
  const role = publisher === '' ? 'targets' : publisher;
  const targets: Record<string, TargetJson> = {
    ...known,
    [offered.path]: {
      length: bytes.length,
      hashes: { sha256: offered.sha256 },
      custom: { name, version, manifestSha256: bundle.sha256, minAgent, ...more },
    },
    [channelTarget(o.channel)]: targetOf(channelBytes),
  };
  const files = new Map([
    [offered.path, bytes],
    [channelTarget(o.channel), channelBytes],
  ]);
  return { edit: { files, targets: new Map([[role, { targets }]]) }, channel, role };
}

/** What is said of a bundle beside its name and version; nothing for a model bundle that wants nothing. */
export function moreOf(bundle: Bundle | LanguageBundle): Pick<Offered, 'kind' | 'languageModel'> {
  const { manifest } = bundle;
  if (kindOf(bundle) !== 'model') return { kind: kindOf(bundle) };
  const { languageModel } = manifest as Bundle['manifest'];
  return languageModel === undefined ? {} : { languageModel };
}

/** Boards that follow a channel take one kind from it. */
function refuseOtherKind(before: ChannelFile | undefined, { name, kind = 'model' }: Offered): void {
  const { kind: was = 'model' } = before?.bundle ?? { kind };
  if (was === kind) return;
  throw new KikitoriError(
    `${name} is ${nameOfKind[kind]}, and ${before?.channel} offers another kind`,
    {
      kind: 'input',
      expected: nameOfKind[was],
      hint: 'make a channel of its own: `kikitori fleet channel add NAME`',
    },
  );
}

export function encodeChannel(channel: ChannelFile): Buffer {
  return Buffer.from(`${JSON.stringify(channel, null, 1)}\n`);
}

export function targetOf(bytes: Uint8Array): TargetJson {
  return { length: bytes.length, hashes: { sha256: sha256(bytes) } };
}

/** What a channel says now; undefined when nothing was published to it. */
export async function readChannel(
  repository: Repository,
  channel: string,
): Promise<ChannelFile | undefined> {
  const path = channelTarget(channel);
  if (repository.targetsOf(publisherOf(channel))[path] === undefined) return undefined;
  return parseChannelFile((await repository.targetBytes(path)).toString('utf8'), path);
}

export function checkChannel({ settings, as }: Repository, channel: string): void {
  if (as !== undefined) return checkOwnChannel(as, channel);
  if (settings.channels.includes(channel)) return;
  throw new KikitoriError(`there is no channel "${channel}"`, {
    kind: 'usage',
    expected: settings.channels.join(', '),
    hint: `a new one is made by \`kikitori fleet channel add ${channel}\``,
  });
}

/** Whether the owner has such a channel is told when the submission is accepted. */
function checkOwnChannel(as: string, channel: string): void {
  if (channelNamePattern.test(channel) && publisherOf(channel) === as) return;
  throw new KikitoriError(`"${channel}" is no channel of ${as}`, {
    kind: 'usage',
    expected: `${as}/NAME`,
  });
}

export function checkPercent(percent: number): void {
  if (percent >= 0 && percent <= 100) return;
  throw new KikitoriError(`${percent} percent`, {
    kind: 'usage',
    expected: 'a number from 0 to 100',
  });
}

export function checkGroups(groups: readonly string[]): void {
  const wrong = groups.find((g) => !/^[\w.-]{1,64}$/.test(g));
  if (wrong === undefined) return;
  throw new KikitoriError(`the group ${JSON.stringify(wrong)}`, {
    kind: 'usage',
    expected: 'letters, digits, dots, dashes',
  });
}

/** stable-20261124T215306-4f2a: sorts by time, and two commands in one second differ. */
function deploymentId(channel: string, now: Date, random: () => number): string {
  const stamp = isoCompact(now);
  const tail = Math.floor(random() * 0x10000)
    .toString(16)
    .padStart(4, '0');
  return `${channel.replace('/', '.')}-${stamp}-${tail}`;
}

const isoCompact = (date: Date) => date.toISOString().replace(/[-:]|\.\d+Z$/g, '');

function refuseRevoked({ settings }: Repository, offered: Offered, manifestSha256: string): void {
  if (!settings.revoked.includes(manifestSha256)) return;
  throw new KikitoriError(`${offered.name} ${offered.version} was revoked`, {
    kind: 'input',
    hint: 'make a new version of it',
  });
}

function refuseSameVersion(offered: Offered, known: Readonly<Record<string, TargetJson>>): void {
  for (const [path, { custom, hashes }] of Object.entries(known)) {
    if (custom?.['name'] !== offered.name || custom['version'] !== offered.version) continue;
    if (hashes.sha256 === offered.sha256) continue;
    throw new KikitoriError(
      `another ${offered.name} ${offered.version} is published already (${path})`,
      {
        kind: 'input',
        hint: 'two contents with one version cannot be told apart: raise the version',
      },
    );
  }
}

function refuseOlder(before: ChannelFile, offered: Offered, channel: string): void {
  if (atLeast(offered.version, before.bundle.version)) return;
  throw new KikitoriError(
    `${offered.name} ${offered.version} is older than ${before.bundle.version}, which ${channel} offers`,
    {
      kind: 'input',
      hint: 'devices refuse lower versions; to go back on purpose use --downgrade, which publishes it under a new number',
    },
  );
}

/** Reads and checks the bundle; for a downgrade it gets a new number, and with it a new identity. */
async function readOrRepack(
  o: PublishOptions,
  known: Readonly<Record<string, TargetJson>>,
): Promise<{ bundle: Bundle | LanguageBundle; bytes: Uint8Array }> {
  const given = await openBundle(o.bundle);
  const isFolder = (await stat(o.bundle)).isDirectory();
  if (!o.downgrade && o.asVersion !== undefined)
    throw new KikitoriError('--as-version is for --downgrade only', { kind: 'usage' });
  if (!o.downgrade && !isFolder) return { bundle: given, bytes: await readFile(o.bundle) };
  const manifest = o.downgrade
    ? Buffer.from(
        manifestText({ ...given.manifest, version: o.asVersion ?? nextVersion(given, known) }),
      )
    : given.file('manifest.json');
  const files = await storedFiles(given);
  files.set('manifest.json', manifest);
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-publish-'));
  try {
    const path = join(folder, 'bundle.tar');
    await writeBundle(path, files);
    return { bundle: await openBundle(path), bytes: await readFile(path) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The patch after the highest version published under this name. */
function nextVersion(
  bundle: Bundle | LanguageBundle,
  known: Readonly<Record<string, TargetJson>>,
): string {
  let highest = bundle.manifest.version;
  for (const { custom } of Object.values(known)) {
    const version = custom?.['version'];
    if (custom?.['name'] === bundle.manifest.name && typeof version === 'string')
      if (atLeast(version, highest)) highest = version;
  }
  const [major = 0, minor = 0, patch = 0] = (highest.split('-')[0] ?? '').split('.').map(Number);
  return `${major}.${minor}.${patch + 1}`;
}
