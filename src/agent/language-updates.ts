/** The language model of free words: the operator's file, or what a channel of the signed repository brought. */
import { atLeast, type WantedLanguageModel } from '../bundle/index.js';
import type { Config } from '../config/index.js';
import type { Engine, SiteGrammar } from '../engine/engine.js';
import { readBoosts, type FreeWords } from '../engine/free-words.js';
import { readModelFile, type ReadModel } from '../engine/model-file.js';
import { KikitoriError } from '../runtime/errors.js';
import {
  FaultError,
  type Hearing,
  type Hears,
  type Place,
  type PortFault,
  type UnderWay,
  type Updater,
  type UpdateStatus,
} from '../update/index.js';
import { siteOf } from './board.js';
import type { Ear, Ready } from './ear.js';
import { Probe, siteKinds, type ProbeOptions, type SelfTestCall } from './probe.js';
import type { Turn } from './turn.js';

export interface LanguageOptions extends Pick<
  ProbeOptions,
  'config' | 'clock' | 'log' | 'probeCommand'
> {
  /** Called when other free words are to be heard between two utterances. */
  readonly replace: (next: Ready) => void;
  /** Other free words hear from the next utterance on. */
  readonly onSwitched: () => void;
  readonly turn: Turn;
}

/** A language model with the bundle, words and own terms that it is to be heard with. */
export function languageSelfTest(config: Config, modelPath: string, path: string): SelfTestCall {
  const { grammar, recognizer } = config;
  const words = grammar.wordsPath === '' ? [] : [grammar.wordsPath];
  const boost = recognizer.boostPath === '' ? [] : [recognizer.boostPath];
  return {
    action: ['lm', 'selftest'],
    options: [
      ...['--json', '--threads', String(recognizer.threads), '--model', modelPath],
      ...words.flatMap((at) => ['--words', at]),
      ...boost.flatMap((at) => ['--boost', at]),
      path,
    ],
    read: [modelPath, ...words, ...boost, path],
  };
}

/** Which language model hears, and how another takes its place. */
export class LanguageHearing implements Hearing {
  ear: Ear | null = null;
  private place: Place = 'factory';
  private slotPath = '';
  /** What was opened at the start. */
  private first: SiteGrammar | undefined;
  private prepared: { ready: Ready; place: Place; path: string } | null = null;
  private giveTurn: () => void = () => undefined;
  private readonly prober: Probe;

  constructor(private readonly options: LanguageOptions) {
    const modelPath = () => this.ear?.newest.engine.bundle.path ?? options.config().model.path;
    this.prober = new Probe({
      ...options,
      selftest: (config, path) => languageSelfTest(config, modelPath(), path),
      runningPath: () => (this.path === '' ? null : this.path),
      runningRateHz: () => this.ear?.engine.bundle.manifest.features.sampleRateHz,
      compile: async () => {
        const { boostPath } = options.config().recognizer;
        await readBoosts(boostPath);
      },
    });
  }

  /** Of the language model that hears; '' where there is none. */
  get path(): string {
    return this.pathIn(this.place, this.slotPath);
  }

  /** Opens what a place holds, to hear with it from the start. Rejects with kind 'bundle' for the language model's fault. */
  async open(engine: Engine, place: Place, path: string): Promise<Hears> {
    this.first = await this.read(engine, place, path);
    this.settle(place, path);
    return hearsOf(this.first.freeWords, place);
  }

  get at(): Place {
    return this.place;
  }

  /** The site's sentences, compiled at the start with what was opened. */
  get sentences(): SiteGrammar | undefined {
    return this.first;
  }

  /** Undefined: there is no language model yet. */
  get current(): FreeWords | undefined {
    return (this.ear === null ? this.first : this.ear.newest.grammar)?.freeWords;
  }

  /** Why the language model that a bundle wants is not the one that hears; null: it is, or is the operator's own. */
  lacks({ name, minVersion }: WantedLanguageModel): string | null {
    const wanted = `it wants the language model ${name} ${minVersion} or newer`;
    if (this.current === undefined) return `${wanted}, and there is none yet`;
    const { manifest } = this.current;
    if (manifest === undefined) return null;
    if (manifest.name === name && atLeast(manifest.version, minVersion)) return null;
    return `${wanted}, and ${manifest.name} ${manifest.version} hears`;
  }

  probe(path: string, signal: AbortSignal): Promise<PortFault | null> {
    return this.prober.try(path, signal);
  }

  async prepare(place: Place, path: string): Promise<void> {
    await this.discard();
    const { ear } = this;
    if (ear === null) throw new Error('nothing hears yet');
    this.giveTurn = await this.options.turn.take();
    try {
      const { newest } = ear;
      const grammar = await this.read(newest.engine, place, path);
      this.prepared = { ready: { ...newest, grammar }, place, path };
    } catch (error) {
      this.giveTurn();
      if (!(error instanceof KikitoriError) || !siteKinds.includes(error.kind)) throw error;
      throw new FaultError(await this.prober.blame(error.message));
    }
  }

  switchOver(): Hears {
    if (this.prepared === null) throw new Error('nothing is prepared');
    const { ready, place, path } = this.prepared;
    this.prepared = null;
    this.settle(place, path);
    this.options.replace(ready);
    this.options.onSwitched();
    this.giveTurn();
    return hearsOf(ready.grammar.freeWords, place);
  }

  async discard(): Promise<void> {
    this.prepared = null;
    this.giveTurn();
  }

  private settle(place: Place, path: string): void {
    this.place = place;
    this.slotPath = path;
  }

  /** The operator may have named another file since the start. */
  private pathIn(place: Place, path: string): string {
    return place === 'factory' ? this.options.config().recognizer.languageModelPath : path;
  }

  /** The sentences with the language model of a place. Kind 'bundle': that one is what is wrong. */
  private async read(engine: Engine, place: Place, path: string): Promise<SiteGrammar> {
    const config = this.options.config();
    const site = siteOf(config, 'dictation', this.pathIn(place, path));
    const { freeWords } = site;
    if (place === 'factory' || freeWords === undefined) return engine.compile(site);
    const read = await readSlot(path);
    return engine.compile({
      ...site,
      freeWords: (lexicon, known) => freeWords(lexicon, known, read),
    });
  }
}

/** Whatever is wrong with it is the language model's fault. */
async function readSlot(path: string): Promise<ReadModel> {
  try {
    return await readModelFile(path, { expected: 'a language model' });
  } catch (error) {
    if (!(error instanceof KikitoriError)) throw error;
    throw new KikitoriError(error.message, { kind: 'bundle', cause: error });
  }
}

function hearsOf(freeWords: FreeWords | undefined, place: Place): Hears {
  const { name = '', version = '' } = freeWords?.manifest ?? {};
  return { place, name, version };
}

/** The language model and its updates, where free words are heard. */
export class LanguageUpdates {
  constructor(
    private readonly hearing: LanguageHearing,
    /** Null: no channel brings any. */
    private readonly updater: Updater | null,
  ) {}

  /** What is to be heard first; where there is no language model yet, without free words. */
  async openCurrent(engine: Engine): Promise<SiteGrammar | undefined> {
    if (this.updater === null) await this.hearing.open(engine, 'factory', '');
    else await this.updater.openCurrent((place, path) => this.hearing.open(engine, place, path));
    return this.hearing.sentences;
  }

  async begin(ear: Ear): Promise<void> {
    this.hearing.ear = ear;
    await this.updater?.begin();
  }

  async leave(): Promise<void> {
    await this.updater?.leave();
  }

  async stop(): Promise<void> {
    await this.updater?.stop();
    await this.hearing.discard();
  }

  get path(): string {
    return this.hearing.path;
  }

  lacks(wanted: WantedLanguageModel): string | null {
    return this.hearing.lacks(wanted);
  }

  get status(): UpdateStatus | null {
    return this.updater?.status ?? null;
  }

  get underWay(): UnderWay | null {
    return this.updater?.underWay ?? null;
  }

  forget(): void {
    this.updater?.forget();
  }

  async request(payload: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    if (this.updater === null)
      throw new KikitoriError('no language model is fetched here', {
        kind: 'input',
        hint: 'set update.language.channel',
      });
    return this.updater.request(payload);
  }

  heard(accepted: boolean, confidence: number): void {
    this.updater?.heard(this.hearing.at, accepted, confidence);
  }

  audio(samples: Float32Array, rateHz: number, computeMs: number): void {
    this.updater?.audio(this.hearing.at, samples, rateHz, computeMs);
  }
}
