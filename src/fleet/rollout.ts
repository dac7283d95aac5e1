import { KikitoriError } from '../runtime/errors.js';
import { channelTarget, publisherOf } from '../update/trust/index.js';
import type { ChannelFile } from '../update/index.js';
import type { TargetJson } from './metadata.js';
import {
  checkChannel,
  checkGroups,
  checkPercent,
  encodeChannel,
  readChannel,
  targetOf,
} from './publish.js';
import type { Edit, Repository } from './repository.js';

export interface RolloutChange {
  readonly percent?: number;
  readonly groups?: readonly string[];
  readonly state?: ChannelFile['rollout']['state'];
}

/** Widens, narrows, pauses, resumes or ends the roll-out of a channel. The deployment stays the same one. */
export async function planRollout(
  repository: Repository,
  name: string,
  change: RolloutChange,
): Promise<{ edit: Edit; channel: ChannelFile }> {
  checkChannel(repository, name);
  if (change.percent !== undefined) checkPercent(change.percent);
  if (change.groups !== undefined) checkGroups(change.groups);
  const before = await readChannel(repository, name);
  if (before === undefined)
    throw new KikitoriError(`nothing was published to ${name} yet`, {
      kind: 'input',
      hint: 'use `kikitori fleet publish`',
    });
  if (before.rollout.state === 'aborted')
    throw new KikitoriError(`the roll-out ${before.deployment} was aborted for good`, {
      kind: 'input',
      hint: 'publish again: that is a new deployment',
    });
  const channel: ChannelFile = { ...before, rollout: { ...before.rollout, ...change } };
  return { edit: channelEdit(repository, [channel]), channel };
}

/** Writes channel files into the list of whoever owns them (all of one publisher). */
export function channelEdit(
  repository: Repository,
  channels: readonly ChannelFile[],
  without: ReadonlySet<string> = new Set(),
  publisher = publisherOf(channels[0]?.channel ?? ''),
): Edit {
  const targets: Record<string, TargetJson> = {};
  for (const [path, target] of Object.entries(repository.targetsOf(publisher)))
    if (!without.has(path)) targets[path] = target;
  const files = new Map<string, Uint8Array>();
  for (const channel of channels) {
    const bytes = encodeChannel(channel);
    files.set(channelTarget(channel.channel), bytes);
    targets[channelTarget(channel.channel)] = targetOf(bytes);
  }
  return { files, targets: new Map([[publisher === '' ? 'targets' : publisher, { targets }]]) };
}

/**
 * Takes a bundle back: it is vouched for no more, may never be published again, and roll-outs of it
 * are aborted. Boards that run it go on until something newer is published.
 */
export async function planRevocation(
  repository: Repository,
  which: string,
): Promise<{ edit: Edit; path: string; sha256: string; aborted: string[] }> {
  const publishers = ['', ...repository.state.delegated.keys()];
  const found = publishers.flatMap((publisher) =>
    Object.entries(repository.targetsOf(publisher))
      .filter(([path, { custom, hashes }]) => {
        const digest = custom?.['manifestSha256'];
        return (
          custom !== undefined && [path, nameOf(custom), hashes.sha256, digest].includes(which)
        );
      })
      .map(([path, target]) => ({ publisher, path, target })),
  );
  const [bundle] = found;
  if (bundle === undefined || found.length > 1)
    throw new KikitoriError(
      found.length > 1
        ? `"${which}" is published more than once`
        : `no bundle "${which}" is published`,
      {
        kind: 'input',
        expected: 'name@version, a SHA-256, or a path as `kikitori fleet list` shows it',
      },
    );
  const aborted: ChannelFile[] = [];
  for (const name of repository.settings.channels.filter(
    (c) => publisherOf(c) === bundle.publisher,
  )) {
    const channel = await readChannel(repository, name);
    if (channel?.bundle.path === bundle.path)
      aborted.push({ ...channel, rollout: { ...channel.rollout, state: 'aborted' } });
  }
  const edit = channelEdit(repository, aborted, new Set([bundle.path]), bundle.publisher);
  const digest = String(bundle.target.custom?.['manifestSha256']);
  return {
    edit: {
      ...edit,
      settings: { ...repository.settings, revoked: [...repository.settings.revoked, digest] },
    },
    path: bundle.path,
    sha256: bundle.target.hashes.sha256,
    aborted: aborted.map((c) => c.channel),
  };
}

const nameOf = (custom: Readonly<Record<string, unknown>>) =>
  `${String(custom['name'])}@${String(custom['version'])}`;
