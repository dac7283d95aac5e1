/** Joins the update stage to the agent: what the updater decides, the ear does. */
import { join } from 'node:path';
import { recognizerOptions, siteOf } from './board.js';
import { LanguageHearing, LanguageUpdates } from './language-updates.js';
import { modelSelfTest, Probe, siteKinds } from './probe.js';
import { Turn } from './turn.js';
import { hawkbitOf, languageFolder, languageRepositoryOf, repositoryOf } from './update-sources.js';
import type { Config } from '../config/index.js';
import type { Ear, Ready } from './ear.js';
import { Engine, type Site } from '../engine/engine.js';
import { freeWordsFor, type FreeWords } from '../engine/free-words.js';
import type { Clock } from '../runtime/clock.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { collectGarbage } from '../runtime/garbage.js';
import { bootId } from '../runtime/lock.js';
import type { Log } from '../runtime/log.js';
import {
  FaultError,
  parseWindow,
  Updater,
  type BundleSource,
  type Hearing,
  type Hears,
  type Place,
  type PortFault,
  type UpdaterOptions,
  type UpdateStatus,
} from '../update/index.js';
import type { HawkbitTrigger } from '../update/hawkbit/index.js';

export interface UpdatesOptions {
  /** As it is now: sentences may have been changed by a request. */
  readonly config: () => Config;
  /** Null: the signed repository that the configuration names, if any. */
  readonly source: BundleSource | null;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Of model bundles, and of language models. */
  readonly onStatus: (topic: 'update' | 'language', status: UpdateStatus) => void;
  readonly onEvent: (name: UpdateEventName, data: Readonly<Record<string, unknown>>) => void;
  /** Called when what hears changes between two utterances. */
  readonly replace: (next: Ready) => void;
  /** The program that tries a bundle; tests give one that fails. */
  readonly probeCommand?: readonly string[];
}

type UpdateEventName =
  | 'model-committed'
  | 'model-rolled-back'
  | 'language-model-committed'
  | 'language-model-rolled-back';

/** Trials are looked at, and windows and unwritten journals, this often. */
const tickMs = 10_000;

/** Opens a bundle and compiles the site's sentences against it, with any words where they are heard. */
export async function openReady(
  config: Config,
  modelPath: string,
  site: Site = siteOf(config),
): Promise<Ready> {
  const engine = await openEngine(config, modelPath, site);
  try {
    return await readyWith(config, engine, await engine.compile());
  } catch (error) {
    await engine.close();
    throw error;
  }
}

const openEngine = (config: Config, modelPath: string, site: Site) =>
  Engine.open({
    modelPath,
    ...site,
    ...(config.grammar.wordsPath === '' ? {} : { wordsPath: config.grammar.wordsPath }),
    threads: config.recognizer.threads,
    warp: config.recognizer.warp,
  });

async function readyWith(
  config: Config,
  engine: Engine,
  grammar: Ready['grammar'],
): Promise<Ready> {
  // Also what is made for each utterance, such as a wake phrase, must fit.
  engine.recognizer(grammar, recognizerOptions(config, engine));
  return { engine, grammar };
}

export class Updates {
  private readonly places = new WeakMap<Engine, Place>();
  private ear: Ear | null = null;

  private constructor(
    private readonly options: UpdatesOptions,
    private readonly updater: Updater,
    private readonly hearing: EarHearing,
    /** Undefined: no free words are heard. */
    readonly language: LanguageUpdates | undefined,
    private readonly turn: Turn,
  ) {}

  static async open(options: UpdatesOptions): Promise<Updates> {
    const { log } = options;
    const { update, state, model, recognizer } = options.config();
    const turn = new Turn();
    const ref: { language?: LanguageUpdates; updater?: Updater } = {};
    const hearing = new EarHearing({ ...options, turn, language: () => ref.language });
    if (update.hawkbit.url !== '' && update.url === '' && options.source === null)
      log.warn(
        { event: 'hawkbit.no-repository' },
        'update.hawkbit.url is set and update.url is not: hawkBit says which bundle, the signed repository has it',
      );
    const hawkbit = update.hawkbit.url === '' ? undefined : await hawkbitOf(options);
    const updater = await Updater.open({
      ...commonOf(options),
      slotsFolder: join(state.dir, 'slots'),
      stateFolder: join(state.dir, 'update'),
      factoryPath: model.path,
      source: update.enabled ? (options.source ?? repositoryOf(options)) : null,
      ...(hawkbit === undefined ? {} : { trigger: hawkbit }),
      hearing,
      beside: () => ref.language?.underWay ?? null,
      lacks: (wanted) => ref.language?.lacks(wanted) ?? null,
      pin: update.pin,
      onStatus: (status) => options.onStatus('update', status),
      onEvent: options.onEvent,
      log,
    });
    ref.updater = updater;
    if (recognizer.mode === 'dictation')
      ref.language = await openLanguage(options, turn, {
        beside: () => updater.underWay,
        onSwitched: () => updater.forget(),
        ...(hawkbit === undefined ? {} : { hawkbit }),
      });
    const updates = new Updates(options, updater, hearing, ref.language, turn);
    hearing.onOpened = (engine, place) => updates.places.set(engine, place);
    return updates;
  }

  /** What is to hear first: the current bundle, or the best one that can be opened. */
  async openCurrent(): Promise<Ready> {
    const config = this.options.config();
    const { language } = this;
    const opened: { engine?: Engine; ready?: Ready } = {};
    await this.updater.openCurrent(async (place, path) => {
      // Sentences may have open slots: with a language model of its own updates they are compiled when that is known.
      if (language === undefined) opened.ready = await openReady(config, path);
      opened.engine = opened.ready?.engine ?? (await openEngine(config, path, siteOf(config)));
      this.places.set(opened.engine, place);
      return hearsOf(opened.engine, place);
    });
    const { engine, ready } = opened;
    if (engine === undefined) throw new Error('no bundle was opened');
    if (language === undefined && ready !== undefined) return ready;
    try {
      const grammar = await language?.openCurrent(engine);
      if (grammar === undefined) throw new Error('no sentences were compiled');
      this.tellLanguage(engine);
      return await readyWith(config, engine, grammar);
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /** What a person should know of the language model at the start. */
  private tellLanguage({ bundle: { manifest } }: Engine): void {
    const { log } = this.options;
    if (this.language?.path === '')
      log.warn(
        { event: 'dictation.no-model' },
        'there is no language model yet: nothing is heard until the channel brings one',
      );
    const wanted = manifest.languageModel;
    const why = wanted === undefined ? null : (this.language?.lacks(wanted) ?? null);
    if (why !== null)
      log.warn(
        { event: 'dictation.other-model', why },
        'the bundle was made for another language model',
      );
  }

  /** From now on bundles may be changed. */
  async begin(ear: Ear): Promise<void> {
    this.ear = ear;
    this.hearing.ear = ear;
    await this.updater.begin();
    await this.language?.begin(ear);
  }

  /** What the site gives to be heard, with the language model that hears. */
  siteOf(config: Config, mode = config.recognizer.mode): Site {
    return siteOf(config, mode, this.language?.path);
  }

  /** Whether sentences may have open slots: there is a language model for them, or one has come. */
  get hasFreeWords(): boolean {
    return this.siteOf(this.options.config()).freeWords !== undefined;
  }

  /** While nothing else changes what hears. */
  alone<T>(action: () => Promise<T>): Promise<T> {
    return this.turn.alone(action);
  }

  /** The end of this process is wanted: it is no crash, whatever may still happen. */
  async leave(): Promise<void> {
    await Promise.all([this.updater.leave(), this.language?.leave()]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.updater.stop(), this.language?.stop()]);
    await this.hearing.discard();
  }

  /** Nothing hears with it any more: its memory is given back, unless only its free words have changed. */
  retire({ engine }: Ready): void {
    const { log } = this.options;
    if ([this.ear?.engine, this.ear?.newest.engine].includes(engine)) return;
    engine.close().then(
      () => {
        collectGarbage();
        const rssMb = Math.round(process.memoryUsage.rss() / 1e6);
        log.info({ event: 'model.released', rssMb }, 'the memory of the old model was given back');
      },
      (error: unknown) => {
        log.warn(
          { event: 'model.close-failed', why: messageOf(error) },
          'the memory of the old model was not given back',
        );
      },
    );
  }

  request(payload: Readonly<Record<string, unknown>>) {
    return this.updater.request(payload);
  }

  get status(): UpdateStatus {
    return this.updater.status;
  }

  /** Of the language model; null where no channel brings any. */
  get languageStatus(): UpdateStatus | null {
    return this.language?.status ?? null;
  }

  /** When who says what to hear with last answered, Unix ms; null before the first time. */
  get lastCheckMs(): number | null {
    return this.updater.lastCheckMs;
  }

  rollback() {
    return this.updater.rollback();
  }

  heard(accepted: boolean, confidence: number): void {
    this.updater.heard(this.place, accepted, confidence);
    this.language?.heard(accepted, confidence);
  }

  audio(samples: Float32Array, rateHz: number, computeMs: number): void {
    this.updater.audio(this.place, samples, rateHz, computeMs);
    this.language?.audio(samples, rateHz, computeMs);
  }

  private get place(): Place {
    return (this.ear === null ? undefined : this.places.get(this.ear.engine)) ?? 'factory';
  }
}

function hearsOf({ bundle }: Engine, place: Place): Hears {
  const { name, version } = bundle.manifest;
  return { place, name, version };
}

/** The updater's view of the ear. */
class EarHearing implements Hearing {
  ear: Ear | null = null;
  onOpened: (engine: Engine, place: Place) => void = () => undefined;
  private prepared: { ready: Ready; place: Place } | null = null;

  private readonly prober: Probe;

  private giveTurn: () => void = () => undefined;

  constructor(
    private readonly options: UpdatesOptions & {
      readonly turn: Turn;
      readonly language: () => LanguageUpdates | undefined;
    },
  ) {
    this.prober = new Probe({
      ...options,
      selftest: (config, path) => modelSelfTest(config, path, options.language()?.path),
      runningPath: () => this.ear?.engine.bundle.path ?? null,
      runningRateHz: () => this.ear?.engine.bundle.manifest.features.sampleRateHz,
      compile: async () => {
        await this.ear?.engine.compile(this.site(), this.ear.grammar.freeWords);
      },
    });
  }

  probe(path: string, signal: AbortSignal): Promise<PortFault | null> {
    return this.prober.try(path, signal);
  }

  async prepare(place: Place, path: string): Promise<void> {
    await this.discard();
    this.giveTurn = await this.options.turn.take();
    let ready: Ready;
    try {
      ready = await openReady(this.options.config(), path, this.site());
    } catch (error) {
      this.giveTurn();
      if (!(error instanceof KikitoriError) || !siteKinds.includes(error.kind)) throw error;
      throw new FaultError(await this.prober.blame(error.message));
    }
    this.prepared = { ready, place };
    this.onOpened(ready.engine, place);
  }

  /** Of a dictation that ends with the next start the words stay, whatever the configuration says by now. */
  private site(): Site {
    const config = this.options.config();
    const path = this.options.language()?.path;
    const kept =
      this.ear?.mode === 'dictation' && config.recognizer.mode !== 'dictation'
        ? this.ear.grammar.freeWords
        : undefined;
    if (kept === undefined) return siteOf(config, undefined, path);
    return {
      ...siteOf(config, 'dictation', path),
      freeWords: (lexicon): Promise<FreeWords> => freeWordsFor(lexicon, kept),
    };
  }

  switchOver(): Hears {
    if (this.prepared === null) throw new Error('nothing is prepared');
    const { ready, place } = this.prepared;
    this.prepared = null;
    this.options.replace(ready);
    this.options.language()?.forget();
    this.giveTurn();
    return hearsOf(ready.engine, place);
  }

  async discard(): Promise<void> {
    const { prepared } = this;
    this.prepared = null;
    this.giveTurn();
    await prepared?.ready.engine.close();
  }
}

/** What the updates of both kinds share. */
function commonOf({ config, clock, random }: UpdatesOptions) {
  const { update, device } = config();
  return {
    device: { id: device.id, groups: update.groups.split(',').map((g) => g.trim()) },
    window: parseWindow(update.window),
    checkEveryMs: update.checkEveryMs,
    tickMs: Math.min(tickMs, Math.max(200, update.trial.durationMs / 10)),
    rules: { ...update.trial, realTimeFactor: update.limits.realTimeFactor },
    bootId: bootId(),
    ...{ clock, random },
  };
}

/** The operator's language model, and what a channel brings in its place. */
async function openLanguage(
  options: UpdatesOptions,
  turn: Turn,
  more: Pick<UpdaterOptions, 'beside'> & {
    readonly onSwitched: () => void;
    readonly hawkbit?: HawkbitTrigger;
  },
): Promise<LanguageUpdates> {
  const { update, recognizer } = options.config();
  const log = options.log.child({ of: 'language-model' });
  const hearing = new LanguageHearing({ ...options, log, turn, onSwitched: more.onSwitched });
  const { channel, pin, trigger } = update.language;
  if (channel === '') return new LanguageUpdates(hearing, null);
  const folder = languageFolder(options.config());
  const source = update.enabled ? languageRepositoryOf(options) : null;
  // It waits for every board that it may tell: for none that never asks.
  const assigned = trigger === 'hawkbit' && source !== null ? more.hawkbit?.beside() : undefined;
  const updater = await Updater.open({
    ...commonOf(options),
    slotsFolder: join(folder, 'slots'),
    stateFolder: join(folder, 'update'),
    factoryPath: recognizer.languageModelPath,
    source,
    ...(assigned === undefined ? {} : { trigger: assigned }),
    hearing,
    beside: more.beside,
    pin,
    onStatus: (status) => options.onStatus('language', status),
    onEvent: (name, data) => options.onEvent(`language-${name}`, data),
    log,
  });
  return new LanguageUpdates(hearing, updater);
}
