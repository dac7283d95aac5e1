import { withoutAddresses } from './address.js';

/**
 * One error class for everything an operator may read: what is wrong, where, what was expected,
 * what to do. `kind` decides the exit status: 'usage' and 'config' 2, all others 1.
 */
export type ErrorKind =
  'usage' | 'config' | 'input' | 'bundle' | 'grammar' | 'device' | 'network' | 'storage';

export interface ErrorDetail {
  readonly kind: ErrorKind;
  /** File, topic, device or key; with line and column where they exist. */
  readonly where?: string;
  readonly expected?: string;
  /** What the reader can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class KikitoriError extends Error {
  readonly kind: ErrorKind;
  readonly where?: string;
  readonly expected?: string;
  readonly hint?: string;

  constructor(what: string, detail: ErrorDetail) {
    super(
      KikitoriError.sentence(what, detail),
      detail.cause === undefined ? {} : { cause: detail.cause },
    );
    this.name = 'KikitoriError';
    this.kind = detail.kind;
    this.where = detail.where === undefined ? undefined : withoutAddresses(detail.where);
    this.expected = detail.expected;
    this.hint = detail.hint;
  }

  /** Exit status of a command that ends with this error. */
  get exitStatus(): 1 | 2 {
    return this.kind === 'usage' || this.kind === 'config' ? 2 : 1;
  }

  private static sentence(what: string, { where, expected, hint }: ErrorDetail): string {
    const parts = [where === undefined || where === '' ? what : `${where}: ${what}`];
    if (expected !== undefined) parts.push(`expected ${expected}`);
    if (hint !== undefined) parts.push(hint);
    // Each alone: an @ in one says nothing of the others.
    return parts.map(withoutAddresses).join('; ');
  }
}

/** The message of anything that was thrown, without what addresses in it may hold; never empty. */
export function messageOf(error: unknown): string {
  // Already clean, and a list of its parts.
  if (error instanceof KikitoriError) return error.message;
  // What Node throws when every address of a host was tried has no message of its own.
  if (error instanceof AggregateError && error.message === '' && error.errors.length > 0)
    return [...new Set(error.errors.map(messageOf))].join('; ');
  const text =
    error instanceof Error ? error.message || codeOf(error) || error.name : String(error);
  return withoutAddresses(text);
}

const fileFaults: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of its path is no folder',
  EISDIR: 'this is a folder, not a file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'no file has so long a name',
  ERR_INVALID_ARG_VALUE: 'no file has such a name',
  EMFILE: 'too many files are open',
  EIO: 'the disk fails',
};

/** Why a file cannot be read, in words and without its name. */
export function fileFault(error: unknown): string {
  return (
    fileFaults[codeOf(error) ?? ''] ?? `it cannot be read (${codeOf(error) ?? messageOf(error)})`
  );
}

/** The system error code (ENOENT, ENOSPC, ...) of anything that was thrown, if it has one. */
export function codeOf(error: unknown): string | undefined {
  if (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    typeof error.code === 'string'
  ) {
    return error.code;
  }
  return undefined;
}
