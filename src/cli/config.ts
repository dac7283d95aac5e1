import {
  ConfigError,
  environmentName,
  expectation,
  keysOf,
  loadConfig,
  referenceMarkdown,
  schema,
  unknownVariables,
} from '../config/index.js';
import { configOptions, configPath, jsonLine, parse, usageError, type Io } from './command.js';

const usage = 'kikitori config check|show|schema [--config FILE] [--json]';

export async function configCommand(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, configOptions, usage);
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const path = configPath(values.config ?? positionals[1], io);
  switch (positionals[0]) {
    case 'check':
      return check(path, values.json === true, io);
    case 'show': {
      const config = loadConfig(path, io.env);
      if (values.json === true) jsonLine(io, config);
      else io.stdout.write(`${JSON.stringify(config, null, 2)}\n`);
      return 0;
    }
    case 'schema':
      if (values.json === true) {
        for (const { path: at, key } of keysOf(schema))
          jsonLine(io, {
            path: at,
            default: key.default,
            doc: key.doc,
            expected: expectation(key),
            environment: environmentName(at),
          });
      } else io.stdout.write(referenceMarkdown());
      return 0;
    default:
      throw usageError(`unknown: config ${positionals[0] ?? ''}`, usage);
  }
}

function check(path: string | undefined, json: boolean, io: Io): number {
  const file = path ?? 'defaults and environment';
  for (const name of unknownVariables(io.env))
    io.stderr.write(`warning: $${name} is no key of the configuration\n`);
  try {
    loadConfig(path, io.env);
  } catch (error) {
    if (!json || !(error instanceof ConfigError)) throw error;
    jsonLine(io, { file, good: false, faults: error.faults });
    return error.exitStatus;
  }
  if (json) jsonLine(io, { file, good: true, faults: [] });
  else io.stdout.write(`${file}: good\n`);
  return 0;
}
