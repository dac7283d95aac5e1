/** What the driver goes by: how often it writes, and the events and actions that it treats in a way of their own. */
import type { Action, UpdateEvent } from './machine.js';

/** Trial statistics without a change of phase are written this often at most: flash wears out. */
export const saveEveryMs = 60_000;
/** The running time of a bundle that settles is written this often. */
export const livedEveryMs = 30 * 60_000;
/** Events that must wait when the disk takes no journal; after all others the device is in the new state anyhow. */
export const optional: ReadonlySet<UpdateEvent['type']> = new Set([
  'offered',
  'downloaded',
  'stored',
  'probed',
  'window-open',
  'prepared',
]);

/** What hears afterwards is another. */
export const changeovers: ReadonlySet<Action['type']> = new Set(['switch', 'return']);
