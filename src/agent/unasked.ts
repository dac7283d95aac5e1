import type { Unasked } from '../runtime/lock.js';
import type { Log } from '../runtime/log.js';

/** A start that nobody asked for is news to whoever looks after the board. */
export function tellUnasked(
  { before, log }: { readonly before?: Unasked | null; readonly log: Log },
  tell: (data: { readonly after: Unasked }) => void,
): void {
  if (before === undefined || before === null) return;
  log.warn({ event: 'agent.restarted', after: before }, 'the run before did not end as asked');
  tell({ after: before });
}
