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
    this.where = detail.where;
    this.expected = detail.expected;
    this.hint = detail.hint;
  }

  /** Exit status of a command that ends with this error. */
  get exitStatus(): 1 | 2 {
    return this.kind === 'usage' || this.kind === 'config' ? 2 : 1;
  }

  private static sentence(what: string, { where, expected, hint }: ErrorDetail): string {
    const parts = [where === undefined ? what : `${where}: ${what}`];
    if (expected !== undefined) parts.push(`expected ${expected}`);
    if (hint !== undefined) parts.push(hint);
    return parts.join('; ');
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
