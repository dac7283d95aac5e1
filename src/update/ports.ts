import type { WantedLanguageModel } from '../bundle/index.js';
import type { Clock } from '../runtime/clock.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import type { Log } from '../runtime/log.js';
import type { Disk } from './disk.js';
import type { Device } from './eligibility.js';
import type { Fault } from './machine.js';
import type { Place } from './slots.js';
import type { BundleSource } from './source.js';
import type { UpdateStatus } from './status.js';
import type { TrialRules } from './trial.js';
import type { UpdateTrigger } from './trigger.js';
import type { MaintenanceWindow } from './window.js';

/** What hears, and where it lies. */
export interface Hears {
  readonly place: Place;
  readonly name: string;
  readonly version: string;
}

/** `ours`: something of this device is wrong, not the bundle. */
export type PortFault = Fault & { readonly ours: boolean };

/** What the updater wants of the agent. */
export interface Hearing {
  /** Tries a bundle in a process of its own; null when nothing speaks against it. */
  probe(path: string, signal: AbortSignal): Promise<PortFault | null>;
  /** Opens a bundle, with the site's grammar, beside the one that hears. Rejects with a FaultError or a KikitoriError. */
  prepare(place: Place, path: string): Promise<void>;
  /** The prepared one hears as soon as nobody is speaking; no audio is lost. */
  switchOver(): Hears;
  discard(): Promise<void>;
}

/** A fault of a bundle, or of this device, with its code. */
export class FaultError extends Error {
  constructor(readonly fault: PortFault) {
    super(fault.detail);
    this.name = 'FaultError';
  }
}

export function faultOf(error: unknown): PortFault {
  if (error instanceof FaultError) return error.fault;
  const ours = error instanceof KikitoriError && error.kind === 'storage';
  return { reason: ours ? 'storage' : 'does-not-load', detail: messageOf(error), ours };
}

/** An update that has begun: another waits, so that a trial says something. */
export interface UnderWay {
  readonly what: string;
  /** It is being opened, or on trial. */
  readonly changing: boolean;
}

export interface UpdaterOptions {
  /** state/slots and state/update. */
  readonly slotsFolder: string;
  readonly stateFolder: string;
  readonly factoryPath: string;
  /** Null: no repository is configured, or updates are off. */
  readonly source: BundleSource | null;
  /** What says which bundle to try; without one the channel is asked now and then. */
  readonly trigger?: UpdateTrigger;
  readonly hearing: Hearing;
  /** Another update of this board. Absent or null: there is none. */
  readonly beside?: () => UnderWay | null;
  /** Why the language model that a bundle wants is not here; absent or null: it is, or no free words are heard. */
  readonly lacks?: (wanted: WantedLanguageModel) => string | null;
  readonly device: Device;
  readonly pin: string;
  readonly window: MaintenanceWindow | null;
  readonly checkEveryMs: number;
  readonly tickMs: number;
  readonly rules: TrialRules;
  /** Another one after every start of the board. */
  readonly bootId: string;
  readonly onStatus: (status: UpdateStatus) => void;
  readonly onEvent: (
    event: 'model-committed' | 'model-rolled-back',
    data: Readonly<Record<string, unknown>>,
  ) => void;
  readonly disk?: Disk;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}
