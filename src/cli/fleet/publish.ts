import {
  initFleet,
  planPublication,
  planRefresh,
  planRevocation,
  planRollout,
  readChannel,
} from '../../fleet/index.js';
import { systemClock } from '../../runtime/clock.js';
import { KikitoriError } from '../../runtime/errors.js';
import { channelNamePattern, type ChannelFile } from '../../update/index.js';
import { jsonLine, numberOption, parse, usageError, type CommandRun } from '../shared/command.js';
import { common, fleetDir, listOption, openRepository, submitOptions, warn } from './common.js';
import { autoRollout, brokerOptions } from './watch.js';
import { passphraseFrom } from './passphrase.js';
import { checkSubmit, commitOrSubmit } from './submit.js';

export const init: CommandRun = async (argv, io) => {
  const usage =
    'kikitori fleet init DIR [--root-keys 3] [--root-threshold 2] [--channels stable,beta] [--passphrase-file FILE] [--json]';
  const { values, positionals } = parse(
    argv,
    {
      ...common,
      'root-keys': { type: 'string', default: '3' },
      'root-threshold': { type: 'string', default: '2' },
      channels: { type: 'string', default: 'stable' },
    },
    usage,
    { most: 1 },
  );
  const dir = positionals[0] ?? values.fleet;
  if (dir === undefined || positionals.length > 1) throw usageError('which folder?', usage);
  const made = await initFleet({
    dir,
    rootKeys: numberOption('root-keys', values['root-keys']) ?? 3,
    rootThreshold: numberOption('root-threshold', values['root-threshold']) ?? 2,
    channels: listOption(values.channels) ?? ['stable'],
    passphrase: passphraseFrom(values['passphrase-file'], io, true),
    clock: systemClock,
  });
  if (values.json === true) jsonLine(io, { dir, ...made });
  else
    io.stdout.write(
      [
        `${dir}: a new fleet`,
        `  serve     ${dir}/repository (upload metadata/timestamp.json last)`,
        `  install   ${made.root} on each board, read-only`,
        `  put away  ${dir}/keys/root-*.key.json: each on its own medium, none on this computer`,
        '',
      ].join('\n'),
    );
  return 0;
};

export const publish: CommandRun = async (argv, io) => {
  const usage =
    'kikitori fleet publish FILE.tar|DIR --channel NAME [--rollout PERCENT] [--groups a,b] [--downgrade [--as-version V]] [--as PUBLISHER --submit FILE.tar] [--fleet DIR] [--keys DIR] [--json]';
  const { values, positionals } = parse(
    argv,
    {
      ...common,
      ...submitOptions,
      channel: { type: 'string' },
      rollout: { type: 'string', default: '100' },
      groups: { type: 'string' },
      downgrade: { type: 'boolean', default: false },
      'as-version': { type: 'string' },
    },
    usage,
    { most: 1 },
  );
  const [bundle] = positionals;
  if (bundle === undefined || values.channel === undefined || positionals.length > 1)
    throw usageError('a bundle and --channel are needed', usage);
  checkSubmit(values, usage);
  const repository = await openRepository(values, io);
  const { edit, channel } = await planPublication(repository, {
    bundle,
    channel: values.channel,
    percent: percentOption('rollout', values.rollout) ?? 100,
    groups: listOption(values.groups) ?? [],
    downgrade: values.downgrade === true,
    asVersion: values['as-version'],
  });
  const where = await commitOrSubmit(repository, edit, values, io);
  if (values.json === true) jsonLine(io, channel);
  else
    io.stdout.write(
      `${where === '' ? 'published' : 'signed'} ${channel.bundle.name} ${channel.bundle.version} to ${channel.channel}: ${shown(channel.rollout)} (deployment ${channel.deployment})${where}\n`,
    );
  return 0;
};

export const rollout: CommandRun = async (argv, io) => {
  const usage =
    'kikitori fleet rollout CHANNEL [--percent N] [--groups a,b] [--pause | --resume | --abort] [--as PUBLISHER --submit FILE.tar] [--fleet DIR] [--json], or CHANNEL --auto STAGES.yaml --broker URL';
  const { values, positionals } = parse(
    argv,
    {
      ...common,
      ...submitOptions,
      percent: { type: 'string' },
      groups: { type: 'string' },
      pause: { type: 'boolean', default: false },
      resume: { type: 'boolean', default: false },
      abort: { type: 'boolean', default: false },
      ...brokerOptions,
      auto: { type: 'string' },
      after: { type: 'string' },
      every: { type: 'string', default: '30' },
    },
    usage,
    { most: 1 },
  );
  const [name] = positionals;
  const words: [boolean | undefined, ChannelFile['rollout']['state']][] = [
    [values.pause, 'paused'],
    [values.resume, 'running'],
    [values.abort, 'aborted'],
  ];
  const states = words.filter(([given]) => given === true).map(([, state]) => state);
  const change = {
    ...(values.percent === undefined ? {} : { percent: percentOption('percent', values.percent) }),
    ...(values.groups === undefined ? {} : { groups: listOption(values.groups) }),
    ...(states[0] === undefined ? {} : { state: states[0] }),
  };
  if (name === undefined || positionals.length > 1 || states.length > 1)
    throw usageError('one channel, and at most one of --pause, --resume, --abort', usage);
  checkSubmit(values, usage);
  if (values.auto !== undefined) {
    if (Object.keys(change).length > 0 || values.as !== undefined)
      throw usageError('--auto goes alone', usage);
    const everyMs = 1000 * (numberOption('every', values.every) ?? 30);
    return autoRollout(name, { ...values, auto: values.auto, every: Math.max(200, everyMs) }, io);
  }
  if (Object.keys(change).length === 0) throw usageError('nothing to change', usage);
  const repository = await openRepository(values, io);
  const { edit, channel } = await planRollout(repository, name, change);
  const where = await commitOrSubmit(repository, edit, values, io);
  if (values.json === true) jsonLine(io, channel);
  else io.stdout.write(`${name}: ${channel.deployment}, ${shown(channel.rollout)}${where}\n`);
  return 0;
};

export const revoke: CommandRun = async (argv, io) => {
  const usage =
    'kikitori fleet revoke NAME@VERSION|SHA256|PATH [--as PUBLISHER --submit FILE.tar] [--fleet DIR] [--json]';
  const { values, positionals } = parse(argv, { ...common, ...submitOptions }, usage, {
    most: 1,
  });
  const [which] = positionals;
  if (which === undefined || positionals.length > 1) throw usageError('which bundle?', usage);
  checkSubmit(values, usage);
  const repository = await openRepository(values, io);
  const { edit, path, sha256, aborted } = await planRevocation(repository, which);
  const where = await commitOrSubmit(repository, edit, values, io);
  if (where === '') await repository.files.remove(repository.filePath(path, sha256));
  if (values.json === true) jsonLine(io, { revoked: path, aborted });
  else
    io.stdout.write(
      `${where === '' ? 'revoked' : 'signed: without'} ${path}${aborted.length === 0 ? '' : `; aborted: ${aborted.join(', ')}`}; boards that run it need a newer bundle${where}\n`,
    );
  return 0;
};

export const list: CommandRun = async (argv, io) => {
  const { values } = parse(argv, common, 'kikitori fleet list [--fleet DIR] [--json]');
  const repository = await openRepository(values, io);
  const channels = await Promise.all(
    repository.settings.channels.map(async (name) => ({
      name,
      now: await readChannel(repository, name),
    })),
  );
  const bundles = ['', ...repository.state.delegated.keys()].flatMap((publisher) =>
    Object.entries(repository.targetsOf(publisher))
      .filter(([, target]) => target.custom !== undefined)
      .map(([path, target]) => ({ path, bytes: target.length, ...target.custom })),
  );
  const { root, targets, snapshot, timestamp } = repository.state;
  const expires = Object.fromEntries(
    [root, targets, snapshot, timestamp].map(({ json }) => [json._type, json.expires]),
  );
  warn(repository, io);
  if (values.json === true)
    jsonLine(io, { channels, bundles, expires, warnings: repository.warnings() });
  else
    io.stdout.write(
      [
        ...channels.map(({ name, now }) =>
          now === undefined
            ? `${name}  nothing published`
            : `${name}  ${now.bundle.name} ${now.bundle.version}  ${shown(now.rollout)}  ${now.deployment}${now.downgrade ? '  (downgrade)' : ''}`,
        ),
        '',
        ...bundles.map(({ path, bytes }) => `${path}  ${(bytes / 1e6).toFixed(2)} MB`),
        '',
        ...Object.entries(expires).map(([role, date]) => `${role.padEnd(9)}  expires ${date}`),
        '',
      ].join('\n'),
    );
  return 0;
};

export const refresh: CommandRun = async (argv, io) => {
  const usage =
    'kikitori fleet refresh [--root] [--as PUBLISHER --submit FILE.tar] [--fleet DIR] [--keys DIR] [--json]';
  const { values } = parse(
    argv,
    { ...common, ...submitOptions, root: { type: 'boolean', default: false } },
    usage,
  );
  checkSubmit(values, usage);
  const repository = await openRepository(values, io);
  if (values.as !== undefined) {
    const targets = repository.targetsOf(values.as);
    const edit = { targets: new Map([[values.as, { targets }]]) };
    const where = await commitOrSubmit(repository, edit, values, io);
    if (values.json === true) jsonLine(io, { submitted: values.submit });
    else io.stdout.write(`the list of ${values.as} is signed again${where}\n`);
    return 0;
  }
  const after = await repository.commit(planRefresh(repository, values.root === true));
  warn(after, io);
  const { expires } = after.state.timestamp.json;
  if (values.json === true) jsonLine(io, { timestampExpires: expires, warnings: after.warnings() });
  else io.stdout.write(`signed again; the next refresh is due before ${expires}\n`);
  return 0;
};

export const channel: CommandRun = async (argv, io) => {
  const usage = 'kikitori fleet channel add NAME [--fleet DIR]';
  const { values, positionals } = parse(argv, common, usage, { most: 2 });
  const [verb, name, more] = positionals;
  if (verb !== 'add' || name === undefined || more !== undefined)
    throw usageError('add which channel?', usage);
  if (!channelNamePattern.test(name))
    throw new KikitoriError(`"${name}" cannot be a channel`, {
      kind: 'usage',
      expected: 'small letters, digits, dashes; publisher/name for a second publisher',
    });
  const repository = await openRepository(values, io);
  const { settings, places, files } = repository;
  if (!settings.channels.includes(name)) {
    const next = { ...settings, channels: [...settings.channels, name] };
    await files.replace(places.settings, Buffer.from(`${JSON.stringify(next, null, 1)}\n`));
  }
  warn(repository, io);
  if (values.json === true) jsonLine(io, { dir: fleetDir(values, io), added: name });
  else io.stdout.write(`${name}: may be published to\n`);
  return 0;
};

/** `5` and `5%` are the same. */
function percentOption(name: string, value: string | undefined): number | undefined {
  return numberOption(name, value?.replace(/%$/, ''));
}

function shown({
  percent,
  groups,
  state,
}: {
  percent: number;
  groups: readonly string[];
  state: string;
}): string {
  return `${state} at ${percent} %${groups.length === 0 ? '' : ` and groups ${groups.join(', ')}`}`;
}
