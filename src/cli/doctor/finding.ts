/** One thing that was looked at, and what to do about it. */
export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly what: string;
  /** What to do about it. */
  readonly todo?: string;
}

export const ok = (check: string, what: string): Finding => ({ check, status: 'ok', what });
export const warning = (check: string, what: string, todo: string): Finding => ({
  check,
  status: 'warning',
  what,
  todo,
});
export const failed = (check: string, what: string, todo: string): Finding => ({
  check,
  status: 'failed',
  what,
  todo,
});
