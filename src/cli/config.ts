import { environmentName, expectation, keysOf, loadConfig, schema } from '../config/index.js';
import { jsonLine, parse, usageError, type Io } from './command.js';

const usage = 'kikitori config check|show|schema [--config FILE] [--json]';

/** The schema as Markdown: docs/configuration.md is this text. */
export function referenceTable(): string {
  const rows = [...keysOf(schema)].map(
    ({ path, key }) =>
      `| \`${path}\` | \`${JSON.stringify(key.default)}\` | ${key.doc} | ${expectation(key)} | \`${environmentName(path)}\` |`,
  );
  return `| key | default | what | expected | environment |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
}

export async function configCommand(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(
    argv,
    {
      config: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
    usage,
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const path = values.config ?? positionals[1];
  switch (positionals[0]) {
    case 'check':
      loadConfig(path, io.env);
      io.stdout.write(`${path ?? 'defaults and environment'}: good\n`);
      return 0;
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
      } else io.stdout.write(referenceTable());
      return 0;
    default:
      throw usageError(`unknown: config ${positionals[0] ?? ''}`, usage);
  }
}
