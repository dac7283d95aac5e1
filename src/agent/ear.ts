import type { Engine, Site, SiteGrammar } from '../engine/engine.js';
import { freeWordsFor, type FreeWords } from '../engine/free-words.js';
import type { Frontend } from '../frontend/index.js';
import type { Chunk } from '../records.js';
import {
  Listener,
  type ListenMode,
  type RecognizerEvent,
  type RecognizerOptions,
} from '../recognizer/index.js';
import { DictationListener } from '../recognizer/dictation/index.js';
import { Deaf } from './deaf.js';
import { RecentAudio } from './recent-audio.js';

/** A bundle with the site's grammar compiled against it, ready to hear. */
export interface Ready {
  readonly engine: Engine;
  /** With the words that are heard in place of the sentences, in the mode for it. */
  readonly grammar: SiteGrammar;
}

export interface EarOptions extends RecognizerOptions {
  /** In mode dictation nothing is heard but after a request. */
  readonly dictationByRequest?: boolean;
}

/** Audio kept for a bundle that takes over. It covers the longest pre-roll or wake phrase, and the onset of speech. */
const recentMs = 8000;

const rateOf = ({ engine }: Ready) => engine.bundle.manifest.features.sampleRateHz;
const recentOf = (ready: Ready) => new RecentAudio(Math.ceil((recentMs / 1000) * rateOf(ready)));

/**
 * Hears with the current bundle. Another can take over between two utterances. It is given the audio that the old one
 * kept for its pre-roll. So a sentence that begins at that moment is heard whole, by one of them.
 */
export class Ear {
  private frontend: Frontend;
  private listener: Listener | DictationListener | Deaf;
  private next: Ready | null = null;
  private recent: RecentAudio;
  private muted = false;

  constructor(
    private now: Ready,
    private readonly optionsFor: (engine: Engine) => EarOptions,
    readonly mode: ListenMode | 'dictation',
    /** Called with what no longer hears; its engine may be the one that goes on, with other free words. */
    private readonly onReplaced: (old: Ready) => void = () => undefined,
  ) {
    this.frontend = now.engine.frontend();
    this.recent = recentOf(now);
    this.listener = this.listenerOf(now, 0);
  }

  get engine(): Engine {
    return this.now.engine;
  }

  get grammar(): SiteGrammar {
    return this.now.grammar;
  }

  /** The file that says what may be said: the sentences, or the language model. */
  get heardBy(): { readonly sha256: string } {
    const { grammar, mode } = this;
    return mode === 'dictation' ? (grammar.freeWords ?? grammar) : grammar;
  }

  /** What hears, or waits to. */
  get newest(): Ready {
    return this.next ?? this.now;
  }

  /** Takes effect between two utterances. Another that waits is dropped. */
  replace(next: Ready): void {
    const dropped = this.next;
    this.next = next;
    if (dropped !== null) this.onReplaced(dropped);
  }

  /**
   * Other sentences and words from the next utterance on, also for a bundle that waits. When they are refused the old ones stay.
   * `keepFreeWords`: those are not read again.
   */
  async compile(site: Site, keepFreeWords = false): Promise<SiteGrammar> {
    const { now, next } = this;
    const compiledFor = async ({ engine, grammar }: Ready): Promise<SiteGrammar> => {
      const { freeWords } = grammar;
      if (!keepFreeWords || freeWords === undefined) return engine.compile(site, freeWords);
      return engine.compile({ ...site, freeWords: (lexicon) => freeWordsFor(lexicon, freeWords) });
    };
    const grammar = await compiledFor(now);
    const later = next === null ? null : await compiledFor(next);
    // A bundle may have taken over meanwhile: each gets what was compiled against it.
    if (this.now === now) this.setNow({ ...now, grammar });
    if (next !== null && later !== null) {
      if (this.next === next) this.next = { ...next, grammar: later };
      else if (this.now === next) this.setNow({ ...next, grammar: later });
    }
    return grammar;
  }

  /** Takes changed options over, between two utterances. */
  refresh(): void {
    this.setNow(this.now);
  }

  mute(on: boolean): void {
    this.muted = on;
    this.listener.mute(on);
  }

  async listen(): Promise<RecognizerEvent[]> {
    return this.listener.listen();
  }

  async stop(): Promise<RecognizerEvent[]> {
    return this.listener.stop();
  }

  async feed(chunk: Chunk): Promise<RecognizerEvent[]> {
    if (chunk.gapBefore) {
      this.recent.clear();
      this.frontend.reset();
      this.listener.rejoin(chunk.firstSample);
    }
    this.recent.add(chunk);
    const events = await this.listener.feed(this.frontend.feed(chunk.samples));
    return [...events, ...(await this.settle())];
  }

  /** Lets a waiting bundle take over if nobody speaks. Needed when no audio comes. */
  async settle(): Promise<RecognizerEvent[]> {
    return this.next !== null && this.listener.between ? this.takeOver(this.next) : [];
  }

  private setNow(ready: Ready): void {
    this.now = ready;
    const { listener } = this;
    const { freeWords } = ready.grammar;
    if (listener instanceof Listener) listener.setRecognizer(this.recognizerOf(ready));
    else if (listener instanceof DictationListener && freeWords !== undefined)
      listener.replace(this.dictationOf(ready, freeWords));
    else this.begin(this.recent.endSample);
  }

  private async takeOver(next: Ready): Promise<RecognizerEvent[]> {
    const old = this.now;
    const kept = Math.max(this.listener.keptFromSample, this.recent.firstSample);
    const first = Math.min(kept, this.recent.endSample);
    const samples = this.recent.from(first);
    this.now = next;
    this.next = null;
    this.begin(first);
    if (rateOf(next) !== rateOf(old)) this.recent = recentOf(next);
    this.onReplaced(old);
    return this.listener.feed(this.frontend.feed(samples));
  }

  /** A new listener, for audio from this sample on. */
  private begin(firstSample: number): void {
    this.frontend = this.now.engine.frontend();
    this.listener = this.listenerOf(this.now, firstSample);
  }

  private recognizerOf({ engine, grammar }: Ready) {
    return engine.recognizer(grammar, this.optionsFor(engine));
  }

  private dictationOf({ engine }: Ready, freeWords: FreeWords) {
    const { minConfidence, endpoint = {}, dictationByRequest = false } = this.optionsFor(engine);
    const { maxUtteranceMs, preRollMs } = endpoint;
    return {
      manifest: engine.bundle.manifest,
      acoustic: engine.acoustic,
      graph: freeWords.graph,
      ...(minConfidence === undefined ? {} : { minConfidence }),
      ...(maxUtteranceMs === undefined ? {} : { maxUtteranceMs }),
      ...(preRollMs === undefined ? {} : { preRollMs }),
      byRequest: dictationByRequest,
    };
  }

  private listenerOf(ready: Ready, originSample: number): Listener | DictationListener | Deaf {
    const listener = this.unmutedOf(ready, originSample);
    if (this.muted) listener.mute(true);
    return listener;
  }

  /** Dictation without a language model hears nothing until one comes. */
  private unmutedOf(ready: Ready, originSample: number): Listener | DictationListener | Deaf {
    if (this.mode !== 'dictation')
      return new Listener(this.recognizerOf(ready), this.mode, originSample);
    const { freeWords } = ready.grammar;
    if (freeWords === undefined) return new Deaf();
    return new DictationListener(this.dictationOf(ready, freeWords), originSample);
  }
}
