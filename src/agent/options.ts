import type { Config, Environment } from '../config/index.js';
import type { Clock } from '../runtime/clock.js';
import type { Unasked } from '../runtime/lock.js';
import type { Log } from '../runtime/log.js';
import type { ServiceNotifier } from '../runtime/notify.js';
import type { EarlyKind, NeighbourKind } from '../neighbours/index.js';
import type { BundleSource } from '../update/index.js';

/** What the agent is given by whoever starts it. */
export interface AgentOptions {
  readonly config: Config;
  readonly env: Environment;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Lines of the log that could not be written. */
  readonly logDropped?: () => number;
  /** The run before did not end as it was asked to: it is told. */
  readonly before?: Unasked | null;
  readonly notifier: ServiceNotifier;
  /** The end of the process is wanted: a start is given up, in order. */
  readonly stop?: AbortSignal;
  /** Called when a file or standard input is over, or could not be read. */
  readonly onEnd: (error?: unknown) => void;
  /** Ends the process to be started again; absent when nobody would start it. */
  readonly onRestart?: () => void;
  /** Where bundles come from; without one the configuration says. */
  readonly source?: BundleSource;
  /** Who may stand beside it; absent: all that this program knows. */
  readonly neighbours?: readonly (NeighbourKind | EarlyKind)[];
  /** The program that tries a bundle, if not this one. */
  readonly probeCommand?: readonly string[];
}
