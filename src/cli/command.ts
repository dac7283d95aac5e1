import { parseArgs, type ParseArgsConfig } from 'node:util';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import type { Signals } from '../runtime/signals.js';

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

/** parseArgs with our error: exit status 2, the usage line as the hint. */
export function parse<T extends Options>(argv: readonly string[], options: T, usage: string) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new KikitoriError(messageOf(error), { kind: 'usage', hint: `usage: ${usage}` });
  }
}

/** Options of the commands that read the daemon's configuration. */
export const configOptions = {
  config: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h' },
} as const;

/** The configuration file: as named, else as the environment says; undefined: defaults alone. */
export function configPath(named: string | undefined, { env }: Io): string | undefined {
  return named ?? env['KIKITORI_CONFIG'];
}

/** A number given as an option. */
export function numberOption(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number)) {
    throw new KikitoriError(`--${name} is "${value}"`, { kind: 'usage', expected: 'a number' });
  }
  return number;
}

export function usageError(what: string, usage: string): KikitoriError {
  return new KikitoriError(what, { kind: 'usage', hint: `usage: ${usage}` });
}

/** One JSON object a line on stdout: the contract of --json. */
export function jsonLine(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value)}\n`);
}
