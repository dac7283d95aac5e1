import { KikitoriError } from '../runtime/errors.js';
import type { PublicKey, SealedKey } from './keys.js';
import {
  isTopRole,
  topRoles,
  type DelegatedJson,
  type RootJson,
  type TopRole,
} from './metadata.js';
import type { Edit, Repository } from './repository.js';

export interface KeyChange {
  readonly role: string;
  /** Keys that join the role. */
  readonly add?: readonly PublicKeyWithId[];
  /** Key ids (or beginnings of them) that leave it: what they sign counts no more. */
  readonly remove?: readonly string[];
  readonly threshold?: number;
}

export interface PublicKeyWithId {
  readonly keyId: string;
  readonly public: PublicKey;
}

export const withId = (key: SealedKey): PublicKeyWithId => key;

/** A new root with other keys in one role; pure. */
export function changedRoot(root: RootJson, change: KeyChange): Pick<RootJson, 'keys' | 'roles'> {
  const { role } = change;
  if (!isTopRole(role))
    throw new KikitoriError(`there is no role "${role}"`, {
      kind: 'usage',
      expected: topRoles.join(', '),
    });
  const leaving = (change.remove ?? []).map((start) => fullKeyId(root.roles[role].keyids, start));
  const keyids = [
    ...root.roles[role].keyids.filter((id) => !leaving.includes(id)),
    ...(change.add ?? []).map((k) => k.keyId),
  ];
  const threshold = change.threshold ?? root.roles[role].threshold;
  if (threshold < 1 || threshold > keyids.length)
    throw new KikitoriError(
      `${role} would have ${keyids.length} key(s) and need ${threshold} signature(s)`,
      {
        kind: 'usage',
        hint: 'add a key first (`fleet key add`), or rotate, or lower it with --threshold',
      },
    );
  const roles = { ...root.roles, [role]: { keyids, threshold } };
  const used = new Set(topRoles.flatMap((r: TopRole) => roles[r].keyids));
  const all: Record<string, PublicKey> = { ...root.keys };
  for (const key of change.add ?? []) all[key.keyId] = key.public;
  const keys = Object.fromEntries(Object.entries(all).filter(([id]) => used.has(id)));
  return { keys, roles };
}

function fullKeyId(keyIds: readonly string[], start: string): string {
  const found = keyIds.filter((id) => start.length >= 6 && id.startsWith(start));
  const [id] = found;
  if (id === undefined || found.length > 1)
    throw new KikitoriError(`"${start}" names ${found.length} keys of this role`, {
      kind: 'input',
      expected: `at least 6 first digits of one of ${keyIds.map((k) => k.slice(0, 12)).join(', ')}`,
    });
  return id;
}

export const publisherNamePattern = /^[a-z][a-z0-9-]{0,31}$/;

/** A second publisher: its keys may sign `<name>/bundles/*` and `<name>/channels/*`, and nothing else. */
export function planDelegation(
  repository: Repository,
  name: string,
  keys: readonly PublicKeyWithId[],
  threshold: number,
): Edit {
  const reserved = [...topRoles, 'bundles', 'channels'] as readonly string[];
  if (!publisherNamePattern.test(name) || reserved.includes(name))
    throw new KikitoriError(`"${name}" cannot be the name of a publisher`, {
      kind: 'usage',
      expected: 'small letters, digits and dashes, and none of the words that TUF uses',
    });
  if (threshold < 1 || threshold > keys.length)
    throw new KikitoriError(`a threshold of ${threshold} with ${keys.length} key(s)`, {
      kind: 'usage',
    });
  const old = repository.state.targets.json.delegations;
  const others = (old?.roles ?? []).filter((r) => r.name !== name);
  const role: DelegatedJson = {
    name,
    keyids: keys.map((k) => k.keyId),
    threshold,
    terminating: true,
    paths: [`${name}/bundles/*`, `${name}/channels/*`],
  };
  const all = { ...old?.keys, ...Object.fromEntries(keys.map((k) => [k.keyId, k.public])) };
  return delegationEdit(repository, all, [...others, role]);
}

export function planUndelegation(repository: Repository, name: string): Edit {
  const old = repository.state.targets.json.delegations;
  if (old?.roles.some((r) => r.name === name) !== true)
    throw new KikitoriError(`there is no second publisher "${name}"`, { kind: 'input' });
  return delegationEdit(
    repository,
    old.keys,
    old.roles.filter((r) => r.name !== name),
  );
}

function delegationEdit(
  repository: Repository,
  keys: Readonly<Record<string, PublicKey>>,
  roles: readonly DelegatedJson[],
): Edit {
  const used = new Set(roles.flatMap((r) => r.keyids));
  const { targets } = repository.state.targets.json;
  const delegations = {
    keys: Object.fromEntries(Object.entries(keys).filter(([id]) => used.has(id))),
    roles,
  };
  return { targets: new Map([['targets', { targets, delegations }]]) };
}

/** Roles to renew at a refresh: the short-lived ones always, the others when their date comes near. */
export function planRefresh(repository: Repository, root: boolean): Edit {
  const near = new Set(repository.warnings().map((w) => w.role));
  const renew = new Set<TopRole>(['snapshot', 'timestamp']);
  if (near.has('targets')) renew.add('targets');
  if (root) renew.add('root');
  return { renew };
}
