import type { Clock } from '../runtime/clock.js';
import { codeOf } from '../runtime/errors.js';
import type { Decision } from './policy.js';
import type { Wanted } from './source.js';
import type { UpdateStatus } from './status.js';

/** When a tried bundle may become the current one. held: not yet. open: in this board's own window. forced: at once. */
export type Gate = 'held' | 'open' | 'forced';

/** What a trigger may do to the board. */
export interface Board {
  readonly status: UpdateStatus;
  /** What the channel offers, taken by the channel's rules. Rejects with a KikitoriError. */
  check(): Promise<Decision>;
  /**
   * One bundle by name, taken if the repository vouches for it. Rejects with a KikitoriError; `elsewhere`: one that
   * `isElsewhere` holds of is no fault of this board, and not shown.
   */
  take(wanted: Wanted, more?: { readonly elsewhere?: boolean }): Promise<Decision>;
  gate(gate: Gate): void;
  /** Stops what is under way; a trial is rolled back. */
  abort(): Promise<void>;
  /** Shown beside the state; '' takes it back. */
  complain(reason: string, error: string): void;
  /** The trigger was asked, and answered. */
  answered(): void;
}

/** The repository vouches for it as another kind, or not in what this board follows: another board may have it. */
export function isElsewhere(error: unknown): boolean {
  return ['wrong-kind', 'not-signed'].includes(codeOf(error) ?? '');
}

/**
 * Something outside tells this board which bundle to try, and hears how it went. It decides when, never
 * what may run: every bundle comes out of the signed repository.
 */
export interface UpdateTrigger {
  /** Holds until the trigger has spoken, also after a restart in the middle. */
  readonly firstGate: Gate;
  begin(board: Board): void;
  /** The state has changed. Returns at once. */
  heard(status: UpdateStatus): void;
  /** A person wants it asked now; absent when the channel itself is what to ask. */
  readonly ask?: () => Promise<void>;
  stop(): Promise<void>;
}

/** After a start the repository is asked within this. */
const firstCheckMsMax = 300_000;

/** The channel of the repository is the trigger: asked now and then. */
export class PollTrigger implements UpdateTrigger {
  readonly firstGate = 'open';
  private cancel: () => void = () => undefined;

  constructor(
    private readonly options: { clock: Clock; random: () => number; checkEveryMs: number },
  ) {}

  begin(board: Board): void {
    const { clock, random, checkEveryMs } = this.options;
    const checkForEver = () => {
      // Its failure is shown by the board.
      void board.check().catch(() => undefined);
      this.cancel = clock.after(checkEveryMs * (0.9 + 0.2 * random()), checkForEver);
    };
    this.cancel = clock.after(random() * Math.min(checkEveryMs, firstCheckMsMax), checkForEver);
  }

  heard(): void {
    // Boards report over MQTT.
  }

  async stop(): Promise<void> {
    this.cancel();
  }
}
