/**
 * What stands beside the daemon and is told what it hears: Home Assistant, a page, metrics. Types only. Each
 * neighbour is a folder here, off by default, and not even loaded when it is off.
 */
import type { Config } from '../config/index.js';
import type { Engine } from '../engine/engine.js';
import type {
  Answer,
  Context,
  Publisher,
  PublisherOptions,
  RetainOptions,
  Topics,
} from '../publish/index.js';
import type {
  GrammarDetails,
  Recognizer,
  RecognizerOptions,
  WholeAcoustic,
} from '../recognizer/index.js';
import type { Chunk, Heard, Partial } from '../records.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { UpdateStatus } from '../update/index.js';

export type { Context } from '../publish/index.js';

/** What of the daemon has a new value, to be read from the house when it is wanted. */
export type Changed = 'health' | 'info' | 'update';

/** The device's own MQTT connection; what is published here shares its limits and its will. */
export interface MqttPort {
  readonly topics: Topics;
  readonly connected: boolean;
  /** The newest value, now and after every connection; null takes it away from the broker, once. */
  retain(
    topic: string,
    payload: Readonly<Record<string, unknown>> | string | null,
    more?: RetainOptions,
  ): void;
  /** All retained topics of the device once more, for a subscriber that missed them. */
  retainedAgain(): void;
  /** Once, if there is a broker now, else never. */
  send(topic: string, payload: Readonly<Record<string, unknown>> | string): void;
  /** Subscribed now and after every connection; `onMessage` must not throw. */
  subscribe(
    filter: string,
    onMessage: (topic: string, payload: Buffer, retained: boolean) => void,
  ): void;
}

/** What is there from the start. */
export interface Ground {
  /** As it is now: sentences and thresholds may have been changed. */
  readonly config: () => Config;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** What a neighbour may see of the daemon, and ask of it. */
export interface House extends Ground {
  /** What hears now; another one after an update. Closed while in use it rejects. */
  readonly engine: () => Engine;
  readonly grammar: () => GrammarDetails;
  /** There is a language model for the open slots of sentences, from wherever. */
  readonly hasFreeWords: () => boolean;
  /** Hears as the microphone's does, with the site's thresholds, through the engine's network as `acoustic` gives it. */
  readonly recognizer: (acoustic: WholeAcoustic, more?: RecognizerOptions) => Recognizer;
  /** Resolves when no audio of the microphone waits: whoever wants the processor for long asks before each bit of work. */
  readonly spare: () => Promise<void>;
  /**
   * For who will make sounds, asked at its start. The function given back begins one: from then on the microphone's
   * audio is the room's noise, until the function which that gives is called and `tailMs` more.
   */
  readonly coverMicrophone: () => () => (tailMs: number) => void;
  /** The numbers of the health message, as they are now. */
  readonly health: () => Readonly<Record<string, unknown>>;
  /** The outbox and what became of its messages. */
  readonly letters: () => ReturnType<Publisher['stats']>;
  readonly info: () => Readonly<Record<string, unknown>>;
  readonly update: () => UpdateStatus;
  /** Of the language model; null where no channel brings any. */
  readonly languageUpdate: () => UpdateStatus | null;
  /** When the repository, or hawkBit, last answered, Unix ms; null before the first time. */
  readonly lastUpdateCheckMs: () => number | null;
  /** The requests of MQTT (docs/mqtt), by name; never rejects. */
  readonly ask: (name: string, payload?: Readonly<Record<string, unknown>>) => Promise<Answer>;
  readonly mqtt: MqttPort;
  /** How the broker is reached, for a connection of one's own. */
  readonly broker: () => PublisherOptions['link'];
}

/**
 * Told of everything as it happens. What it throws is logged and harms nobody; it must not wait, nor hold
 * anything that grows without a limit.
 */
export interface Neighbour {
  /** Audio before it goes through the network. */
  audio?(chunk: Chunk): void;
  /** Processor time that the last audio took. */
  computed?(processorMs: number): void;
  partial?(partial: Partial): void;
  /** Push-to-talk began. */
  pushToTalk?(): void;
  /** After an accepted command is safe on disk. */
  heard?(heard: Heard, context: Context): void;
  /** What is published on the topic `event`, and 'wake'. */
  event?(name: string, data: Readonly<Record<string, unknown>>): void;
  changed?(what: Changed): void;
  /** Within a second or two: the daemon is being stopped. */
  close(): Promise<void>;
}

/** One that is there before the model is loaded. */
export interface Begun {
  /** The house is ready. Rejects as that of a kind. */
  open(house: House): Promise<Neighbour>;
  /** Also when it was never opened. */
  close(): Promise<void>;
}

interface Kind {
  readonly name: string;
  readonly enabled: (config: Config) => boolean;
}

/** `open` rejects with a configuration error; anything else it must mend by itself, for ever. */
export interface NeighbourKind extends Kind {
  readonly open: (house: House) => Promise<Neighbour>;
}

/** For whoever must answer at once, from the start of the daemon on; `begin` rejects as `open`. */
export interface EarlyKind extends Kind {
  readonly begin: (ground: Ground) => Promise<Begun>;
}
