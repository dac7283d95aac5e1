import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  changedRoot,
  generateKey,
  isTopRole,
  keyFileName,
  keyIdOf,
  parsePublicKey,
  planDelegation,
  planUndelegation,
  topRoles,
  writeKey,
  type SealedKey,
} from '../../fleet/index.js';
import { systemClock } from '../../runtime/clock.js';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { realFiles } from '../../update/trust/index.js';
import {
  jsonLine,
  numberOption,
  parse,
  usageError,
  type CommandRun,
  type Io,
} from '../shared/command.js';
import { common, openRepository, warn } from './common.js';
import { passphraseFrom } from './passphrase.js';

const usage = `kikitori fleet key list [--json]
       kikitori fleet key add ROLE [--threshold N] [--out DIR]
       kikitori fleet key remove ROLE ID [--threshold N]
       kikitori fleet key rotate ROLE [ID] [--out DIR]
       kikitori fleet key new --role NAME --out DIR     (for a second publisher, needs no fleet)`;

export const key: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      ...common,
      threshold: { type: 'string' },
      out: { type: 'string' },
      role: { type: 'string' },
    },
    usage,
    { most: 3 },
  );
  const [verb, role, id, more] = positionals;
  if (more !== undefined) throw usageError(`what is "${more}"?`, usage);
  const file = values['passphrase-file'];
  if (verb === 'new') {
    if (values.role === undefined || values.out === undefined)
      throw usageError('--role and --out are needed', usage);
    await mkdir(values.out, { recursive: true, mode: 0o700 });
    const { made, path } = await newKey(values.role, values.out, file, io);
    if (values.json === true) jsonLine(io, { path, keyId: made.keyId });
    else io.stdout.write(`${path}: keep it; its public half is in ${publicName(path)}\n`);
    return 0;
  }
  const repository = await openRepository(values, io);
  if (verb === 'list') return list(repository, values.json === true, io);
  if ((verb !== 'add' && verb !== 'remove' && verb !== 'rotate') || role === undefined)
    throw usageError('list, add, remove or rotate?', usage);
  if (!isTopRole(role))
    throw new KikitoriError(`there is no role "${role}"`, {
      kind: 'usage',
      expected: topRoles.join(', '),
    });
  const current = repository.state.root.json.roles[role].keyids;
  const leaving = verb === 'add' ? undefined : (id ?? (current.length === 1 ? current[0] : ''));
  if (leaving === '') throw usageError(`which of the ${current.length} ${role} keys?`, usage);
  const threshold = numberOption('threshold', values.threshold);
  // Told first whether the change is possible at all; only then a key is made.
  const probe = { keyId: 'f'.repeat(64), public: anyKey };
  const joining = verb === 'remove' ? [] : [probe];
  const remove = leaving === undefined ? [] : [leaving];
  changedRoot(repository.state.root.json, { role, add: joining, remove, threshold });
  const fresh =
    verb === 'remove'
      ? undefined
      : await newKey(role, values.out ?? repository.places.keys, file, io);
  const add = fresh === undefined ? [] : [fresh.made];
  try {
    const root = changedRoot(repository.state.root.json, { role, add, remove, threshold });
    const after = await (
      await openRepository({ ...values, keys: [...(values.keys ?? []), ...outOf(values.out)] }, io)
    ).commit({ root });
    warn(after, io);
    const now = after.state.root.json;
    if (values.json === true)
      jsonLine(io, { rootVersion: now.version, role, ...now.roles[role], file: fresh?.path });
    else
      io.stdout.write(
        `root ${now.version}: ${role} has ${now.roles[role].keyids.length} key(s), ${now.roles[role].threshold} needed${fresh === undefined ? '' : `; new: ${fresh.path}${role === 'root' ? ' (put it away like the others)' : ''}`}\n`,
      );
    return 0;
  } catch (error) {
    // A key that no root names is only litter.
    if (fresh !== undefined) {
      await realFiles.remove(fresh.path);
      await realFiles.remove(publicName(fresh.path));
    }
    throw error;
  }
};

const anyKey = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: '' } } as const;
const outOf = (out: string | undefined) => (out === undefined ? [] : [out]);
const publicName = (path: string) => path.replace(/\.key\.json$/, '.pub.json');

async function newKey(
  role: string,
  folder: string,
  file: string | undefined,
  io: Io,
): Promise<{ made: SealedKey; path: string }> {
  const passphrase = await passphraseFrom(file, io, true)(role, 'the new key');
  const made = await generateKey(role, passphrase, new Date(systemClock.now()).toISOString());
  const path = join(folder, keyFileName(made));
  await writeKey(realFiles, path, made);
  await realFiles.replace(publicName(path), Buffer.from(`${JSON.stringify(made.public)}\n`), 0o644);
  return { made, path };
}

async function list(
  repository: Awaited<ReturnType<typeof openRepository>>,
  json: boolean,
  io: Io,
): Promise<number> {
  const here = new Map((await repository.keyring.list()).map((f) => [f.key.keyId, f.path]));
  const { roles, expires } = repository.state.root.json;
  const { delegations } = repository.state.targets.json;
  const rows = [
    ...topRoles.map((name) => ({ name: name, ...roles[name] })),
    ...(delegations?.roles ?? []),
  ].flatMap(({ name, keyids, threshold }) =>
    keyids.map((keyId) => ({
      role: name,
      keyId,
      threshold,
      of: keyids.length,
      path: here.get(keyId),
    })),
  );
  warn(repository, io);
  if (json) for (const row of rows) jsonLine(io, row);
  else {
    for (const { role, keyId, threshold, of, path } of rows)
      io.stdout.write(
        `${role.padEnd(10)} ${keyId.slice(0, 12)}  ${threshold} of ${of}  ${path ?? 'private half not here'}\n`,
      );
    io.stdout.write(`root expires ${expires}\n`);
  }
  return 0;
}

export const delegate: CommandRun = async (argv, io) => {
  const usage =
    'kikitori fleet delegate add NAME --public FILE... [--threshold N] | remove NAME  [--fleet DIR] [--json]';
  const { values, positionals } = parse(
    argv,
    {
      ...common,
      public: { type: 'string', multiple: true },
      threshold: { type: 'string', default: '1' },
    },
    usage,
    { most: 2 },
  );
  const [verb, name, more] = positionals;
  if ((verb !== 'add' && verb !== 'remove') || name === undefined || more !== undefined)
    throw usageError('add or remove which publisher?', usage);
  const repository = await openRepository(values, io);
  let edit;
  if (verb === 'remove') edit = planUndelegation(repository, name);
  else {
    const keys = await Promise.all((values.public ?? []).map(readPublic));
    edit = planDelegation(repository, name, keys, numberOption('threshold', values.threshold) ?? 1);
  }
  warn(await repository.commit(edit), io);
  if (values.json === true) jsonLine(io, { [verb]: name });
  else
    io.stdout.write(
      verb === 'remove'
        ? `${name}: what it signs counts no more\n`
        : `${name}: may sign ${name}/bundles/* and ${name}/channels/*; make its channels with \`kikitori fleet channel add ${name}/NAME\`\n`,
    );
  return 0;
};

async function readPublic(path: string) {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new KikitoriError(messageOf(error), { kind: 'input', where: path });
  }
  const publicKey = parsePublicKey(text, path);
  return { keyId: keyIdOf(publicKey), public: publicKey };
}
