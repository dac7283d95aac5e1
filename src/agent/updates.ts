/** Joins the update stage to the agent: what the updater decides, the ear does. */
import { arch } from 'node:os';
import { join } from 'node:path';
import { recognizerOptions, siteOf } from './board.js';
import { Probe, siteKinds } from './probe.js';
import type { Config } from '../config/index.js';
import type { Ear, Ready } from './ear.js';
import { readSecret } from '../config/index.js';
import { Engine, type Site } from '../engine/engine.js';
import { freeWordsFor, type FreeWords } from '../engine/free-words.js';
import type { Clock } from '../runtime/clock.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { collectGarbage } from '../runtime/garbage.js';
import { bootId } from '../runtime/lock.js';
import type { Log } from '../runtime/log.js';
import { agentVersion } from '../runtime/version.js';
import {
  FaultError,
  LazySource,
  parseWindow,
  realDisk,
  Updater,
  type BundleSource,
  type Hearing,
  type Hears,
  type Place,
  type PortFault,
  type UpdaterOptions,
  type UpdateStatus,
  type UpdateTrigger,
} from '../update/index.js';

export interface UpdatesOptions {
  /** As it is now: sentences may have been changed by a request. */
  readonly config: () => Config;
  /** Null: the signed repository that the configuration names, if any. */
  readonly source: BundleSource | null;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly onStatus: (status: UpdateStatus) => void;
  readonly onEvent: UpdaterOptions['onEvent'];
  /** Called when what hears changes between two utterances. */
  readonly replace: (next: Ready) => void;
  /** The program that tries a bundle; tests give one that fails. */
  readonly probeCommand?: readonly string[];
}

/** Trials are looked at, and windows and unwritten journals, this often. */
const tickMs = 10_000;

/**
 * Opens a bundle and compiles the site's sentences against it. `kept`: the free words of a dictation that ends with the next start,
 * whatever the configuration says by now.
 */
export async function openReady(
  config: Config,
  modelPath: string,
  kept?: FreeWords,
): Promise<Ready> {
  const site: Site =
    kept === undefined
      ? siteOf(config)
      : {
          ...siteOf(config, 'dictation'),
          freeWords: (lexicon) => freeWordsFor(lexicon, kept),
        };
  const engine = await Engine.open({
    modelPath,
    ...site,
    ...(config.grammar.wordsPath === '' ? {} : { wordsPath: config.grammar.wordsPath }),
    threads: config.recognizer.threads,
    warp: config.recognizer.warp,
  });
  try {
    const grammar = await engine.compile();
    // Also what is made for each utterance, such as a wake phrase, must fit.
    engine.recognizer(grammar, recognizerOptions(config, engine));
    return { engine, grammar };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

export class Updates {
  private readonly places = new WeakMap<Engine, Place>();
  private ear: Ear | null = null;

  private constructor(
    private readonly options: UpdatesOptions,
    private readonly updater: Updater,
    private readonly hearing: EarHearing,
  ) {}

  static async open(options: UpdatesOptions): Promise<Updates> {
    const { clock, random, log } = options;
    const { update, state, device, model } = options.config();
    const hearing = new EarHearing(options);
    if (update.hawkbit.url !== '' && update.url === '' && options.source === null)
      log.warn(
        { event: 'hawkbit.no-repository' },
        'update.hawkbit.url is set and update.url is not: hawkBit says which bundle, the signed repository has it',
      );
    const updater = await Updater.open({
      slotsFolder: join(state.dir, 'slots'),
      stateFolder: join(state.dir, 'update'),
      factoryPath: model.path,
      source: update.enabled ? (options.source ?? repositoryOf(options)) : null,
      ...(update.hawkbit.url === '' ? {} : { trigger: await hawkbitOf(options) }),
      hearing,
      device: { id: device.id, groups: update.groups.split(',').map((g) => g.trim()) },
      pin: update.pin,
      window: parseWindow(update.window),
      checkEveryMs: update.checkEveryMs,
      tickMs: Math.min(tickMs, Math.max(200, update.trial.durationMs / 10)),
      rules: { ...update.trial, realTimeFactor: update.limits.realTimeFactor },
      bootId: bootId(),
      onStatus: options.onStatus,
      onEvent: options.onEvent,
      clock,
      random,
      log,
    });
    const updates = new Updates(options, updater, hearing);
    hearing.onOpened = (engine, place) => updates.places.set(engine, place);
    return updates;
  }

  /** What is to hear first: the current bundle, or the best one that can be opened. */
  async openCurrent(): Promise<Ready> {
    const opened: { ready?: Ready } = {};
    await this.updater.openCurrent(async (place, path) => {
      opened.ready = await openReady(this.options.config(), path);
      this.places.set(opened.ready.engine, place);
      return hearsOf(opened.ready, place);
    });
    if (opened.ready === undefined) throw new Error('no bundle was opened');
    return opened.ready;
  }

  /** From now on bundles may be changed. */
  async begin(ear: Ear): Promise<void> {
    this.ear = ear;
    this.hearing.ear = ear;
    await this.updater.begin();
  }

  /** The end of this process is wanted: it is no crash, whatever may still happen. */
  leave(): Promise<void> {
    return this.updater.leave();
  }

  async stop(): Promise<void> {
    await this.updater.stop();
    await this.hearing.discard();
  }

  /** Nothing hears with it any more: its memory is given back. */
  retire({ engine }: Ready): void {
    const { log } = this.options;
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

  /** When who says what to hear with last answered, Unix ms; null before the first time. */
  get lastCheckMs(): number | null {
    return this.updater.lastCheckMs;
  }

  rollback() {
    return this.updater.rollback();
  }

  heard(accepted: boolean, confidence: number): void {
    this.updater.heard(this.place, accepted, confidence);
  }

  audio(samples: Float32Array, rateHz: number, computeMs: number): void {
    this.updater.audio(this.place, samples, rateHz, computeMs);
  }

  private get place(): Place {
    return (this.ear === null ? undefined : this.places.get(this.ear.engine)) ?? 'factory';
  }
}

function hearsOf({ engine }: Ready, place: Place): Hears {
  const { name, version } = engine.bundle.manifest;
  return { place, name, version };
}

/** The updater's view of the ear. */
class EarHearing implements Hearing {
  ear: Ear | null = null;
  onOpened: (engine: Engine, place: Place) => void = () => undefined;
  private prepared: { ready: Ready; place: Place } | null = null;

  private readonly prober: Probe;

  constructor(private readonly options: UpdatesOptions) {
    this.prober = new Probe({
      ...options,
      runningPath: () => this.ear?.engine.bundle.path ?? null,
      runningRateHz: () => this.ear?.engine.bundle.manifest.features.sampleRateHz,
      compile: async () => {
        await this.ear?.engine.compile(siteOf(options.config()), this.ear.grammar.freeWords);
      },
    });
  }

  probe(path: string, signal: AbortSignal): Promise<PortFault | null> {
    return this.prober.try(path, signal);
  }

  async prepare(place: Place, path: string): Promise<void> {
    await this.discard();
    let ready: Ready;
    try {
      ready = await openReady(this.options.config(), path, this.keptFreeWords());
    } catch (error) {
      if (!(error instanceof KikitoriError) || !siteKinds.includes(error.kind)) throw error;
      throw new FaultError(await this.prober.blame(error.message));
    }
    this.prepared = { ready, place };
    this.onOpened(ready.engine, place);
  }

  private keptFreeWords(): FreeWords | undefined {
    if (this.ear?.mode !== 'dictation') return undefined;
    const ends = this.options.config().recognizer.mode !== 'dictation';
    return ends ? this.ear.grammar.freeWords : undefined;
  }

  switchOver(): Hears {
    if (this.prepared === null) throw new Error('nothing is prepared');
    const { ready, place } = this.prepared;
    this.prepared = null;
    this.options.replace(ready);
    return hearsOf(ready, place);
  }

  async discard(): Promise<void> {
    const { prepared } = this;
    this.prepared = null;
    await prepared?.ready.engine.close();
  }
}

function repositoryOf({ config, clock }: UpdatesOptions): BundleSource | null {
  const { update, state } = config();
  const { url, rootPath, channel, caFile } = update;
  if (url === '') return null;
  const stateDir = join(state.dir, 'trust');
  return new LazySource(async () => {
    const ca = caFile === '' ? {} : { ca: readSecret(caFile, 'update.caFile') };
    const { TrustedSource } = await import('../update/trust/index.js');
    return TrustedSource.open({ rootPath, stateDir, url, channel, clock, ...ca });
  });
}

/** Eclipse hawkBit says which bundle to try; its secrets are read each time they are needed. */
async function hawkbitOf(options: UpdatesOptions): Promise<UpdateTrigger> {
  const { config, clock, random, log } = options;
  const { DdiClient, HawkbitTrigger } = await import('../update/hawkbit/index.js');
  const { update, state, device } = config();
  const { url, tenant, token, tokenFile, caFile } = update.hawkbit;
  const controllerId = update.hawkbit.controllerId === '' ? device.id : update.hawkbit.controllerId;
  const scheme = token === 'gateway' ? 'GatewayToken' : 'TargetToken';
  const client = new DdiClient({
    url,
    tenant,
    controllerId,
    clock,
    authorization: () =>
      tokenFile === ''
        ? undefined
        : `${scheme} ${readSecret(tokenFile, 'update.hawkbit.tokenFile')}`,
    ca: () => (caFile === '' ? undefined : readSecret(caFile, 'update.hawkbit.caFile')),
  });
  return new HawkbitTrigger({
    client,
    attributes: () => ({
      device: device.id,
      kikitori: agentVersion,
      arch: arch(),
      channel: update.channel,
      groups: update.groups,
    }),
    stateFolder: join(state.dir, 'update'),
    disk: realDisk,
    clock,
    random,
    log: log.child({ trigger: 'hawkbit' }),
  });
}
