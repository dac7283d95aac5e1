import {
  ConfigError,
  environmentName,
  expectation,
  keysOf,
  loadConfig,
  referenceMarkdown,
  schema,
  setsNothing,
  shownConfig,
  unknownVariables,
} from '../config/index.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import {
  configOptions,
  configPath,
  jsonLine,
  parse,
  unknownAction,
  usageError,
  type Io,
} from './shared/command.js';

const usage = `kikitori config check [--json] [FILE...]
       kikitori config show [--json] [FILE]
       kikitori config schema [--json]

check   says everything that is wrong, of every file
show    what would hold: file, environment and defaults; names, passwords and tokens are hidden
schema  every key

--config FILE is the same as FILE.`;

export async function configCommand(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, configOptions, usage, { most: Infinity });
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const [action, ...named] = positionals;
  const files = [...(values.config === undefined ? [] : [values.config]), ...named];
  const most = action === 'check' ? Infinity : action === 'show' ? 1 : 0;
  switch (action) {
    case 'check':
    case 'show':
    case 'schema':
      if (files.length > most)
        throw usageError(`${files.length} files, but config ${action} takes ${most}`, usage);
      break;
    default:
      throw unknownAction('config', action, ['check', 'show', 'schema'], usage);
  }
  const json = values.json === true;
  const paths = (files.length === 0 ? [undefined] : files).map((file) => configPath(file, io));
  if (action === 'schema') return describe(json, io);
  if (action === 'check') {
    for (const name of unknownVariables(io.env))
      io.stderr.write(`warning: $${name} is no key of the configuration\n`);
    // One file that is wrong is the command's own error.
    const [only] = paths;
    if (paths.length === 1) return check(only, json, io);
    return Math.max(...paths.map((path) => checkOfMany(path, json, io)));
  }
  const config = shownConfig(loadConfig(paths[0], io.env));
  if (json) jsonLine(io, config);
  else io.stdout.write(`${JSON.stringify(config, null, 2)}\n`);
  return 0;
}

function describe(json: boolean, io: Io): number {
  if (!json) {
    io.stdout.write(referenceMarkdown());
    return 0;
  }
  for (const { path, key } of keysOf(schema))
    jsonLine(io, {
      path,
      default: key.default,
      doc: key.doc,
      expected: expectation(key),
      environment: environmentName(path),
    });
  return 0;
}

function checkOfMany(path: string | undefined, json: boolean, io: Io): number {
  try {
    return check(path, json, io);
  } catch (error) {
    if (!(error instanceof KikitoriError)) throw error;
    if (json)
      jsonLine(io, { file: path, good: false, faults: [{ path: '', what: error.message }] });
    else io.stderr.write(`${messageOf(error)}\n`);
    return error.exitStatus;
  }
}

function check(path: string | undefined, json: boolean, io: Io): number {
  const file = path ?? 'defaults and environment';
  try {
    loadConfig(path, io.env);
  } catch (error) {
    if (!json || !(error instanceof ConfigError)) throw error;
    jsonLine(io, { file, good: false, faults: error.faults });
    return error.exitStatus;
  }
  if (path !== undefined && setsNothing(path))
    io.stderr.write(`warning: ${file} sets nothing: every key has its default\n`);
  if (json) jsonLine(io, { file, good: true, faults: [] });
  else io.stdout.write(`${file}: good\n`);
  return 0;
}
