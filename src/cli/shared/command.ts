import { parseArgs, type ParseArgsConfig } from 'node:util';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { nearest } from '../../runtime/nearest.js';
import { inHome } from '../../runtime/paths.js';
import type { Signals } from '../../runtime/signals.js';

/** What a subcommand may touch of the outside; tests give their own. */
export interface Io {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Caught since the process began; without them the daemon catches its own. */
  readonly signals?: Signals;
}

/** One subcommand: resolves to its exit status; may throw KikitoriError instead. */
export type CommandRun = (argv: readonly string[], io: Io) => Promise<number>;

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * parseArgs with our errors: exit status 2, the nearest known option, the usage line as the hint. `most`: how
 * many arguments that are no options a command takes; one that it would not look at is refused.
 */
export function parse<T extends Options>(
  argv: readonly string[],
  options: T,
  usage: string,
  { most = 0 }: { readonly most?: number } = {},
) {
  const config = { args: [...argv], options, allowPositionals: true } as const;
  const { tokens } = parseArgs({ ...config, strict: false, tokens: true });
  const faults = tokens.flatMap((token) => {
    if (token.kind !== 'option' || Object.hasOwn(options, token.name)) return [];
    return [unknownOption(token.rawName, options)];
  });
  const positionals = tokens.filter((token) => token.kind === 'positional');
  const known = Object.keys(options);
  for (const { value } of faults.length === 0 ? positionals.slice(most) : []) {
    const near = nearest(value, known);
    const as = near === undefined ? '' : ` (did you mean --${near}?)`;
    const taken = most === 0 ? 'no arguments are' : most === 1 ? 'one is' : `${most} are`;
    faults.push(`unexpected argument ${quoted(value)}${as}; ${taken} taken`);
  }
  if (faults.length > 0) throw usageError(faults.join('; '), usage);
  try {
    return parseArgs({ ...config, strict: true });
  } catch (error) {
    throw usageError(messageOf(error).replace(/\.?\n/g, '; '), usage);
  }
}

function unknownOption(rawName: string, options: Options): string {
  // An odd name may be anything, also a secret that was not quoted.
  if (!/^--?[a-z][a-z0-9-]*$/i.test(rawName)) return 'there is no such option';
  const near = nearest(rawName.replace(/^-+/, ''), Object.keys(options));
  return `unknown option ${rawName}${near === undefined ? '' : `, did you mean --${near}?`}`;
}

/** A word of the command line in an error, where it can be no address and no password. */
export function quoted(text: string): string {
  return /^[\p{L}\p{N} ._,+=~/-]{0,120}$/u.test(text)
    ? JSON.stringify(text)
    : `(${text.length} characters that are not shown)`;
}

/** "unknown: model inspekt, did you mean model inspect?" */
export function unknownAction(
  command: string,
  given: string | undefined,
  known: readonly string[],
  usage: string,
): KikitoriError {
  if (given === undefined) return usageError(`${command} what? One of: ${known.join(', ')}`, usage);
  const near = nearest(given, known);
  const as = near === undefined ? '' : `, did you mean ${command} ${near}?`;
  const name = /^[\w-]+$/.test(given) ? given : quoted(given);
  return usageError(`unknown: ${command} ${name}${as}`, usage);
}

/** Options of the commands that read the daemon's configuration. */
export const configOptions = {
  config: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h' },
} as const;

/** The configuration file: as named, else as the environment says; undefined: defaults alone. */
export function configPath(named: string | undefined, { env }: Io): string | undefined {
  if (named === '')
    throw new KikitoriError('--config is empty', { kind: 'usage', expected: 'a file' });
  const path = named ?? (env['KIKITORI_CONFIG'] || undefined);
  return path === undefined ? undefined : inHome(path, env);
}

/** A number given as an option. */
export function numberOption(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number)) {
    throw new KikitoriError(`--${name} is ${quoted(value)}`, {
      kind: 'usage',
      expected: 'a number',
    });
  }
  return number;
}

/** `--channel` as the daemon's capture.channel has it: from 0, and -1 mixes all. */
export function channelOption(value: string | undefined): number | 'mix' | undefined {
  const channel = numberOption('channel', value);
  if (channel === undefined) return undefined;
  if (!Number.isInteger(channel) || channel < -1 || channel > 31)
    throw new KikitoriError(`--channel is ${quoted(value ?? '')}`, {
      kind: 'usage',
      expected: 'a channel from 0 to 31, or -1 for all of them mixed',
    });
  return channel === -1 ? 'mix' : channel;
}

export function usageError(what: string, usage: string): KikitoriError {
  return new KikitoriError(what, { kind: 'usage', hint: `usage: ${usage}` });
}

/** One JSON object a line on stdout: the contract of --json. */
export function jsonLine(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value)}\n`);
}
