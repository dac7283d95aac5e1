import type { EndpointTimes, Manifest } from '../bundle/index.js';
import type { Heard, Partial, Steps } from '../records.js';
import type { Acoustic, AcousticStream, Look } from './acoustic.js';
import type { CompiledGrammar } from './graph.js';
import type { UtteranceContext } from './context.js';
import type { OpenSlotModel } from './dictation/open-slot-model.js';
import { Utterance } from './utterance.js';
import { afterWake, type WakePhrase } from './wake/phrase.js';
import { WakeSpotter } from './wake/spotter.js';

export interface RecognizerOptions {
  /** Overrides of the bundle's times. */
  readonly endpoint?: { readonly [K in keyof EndpointTimes]?: number };
  /** Overrides the bundle's threshold. */
  readonly minConfidence?: number;
  /** Overrides the bundle's least certainty; 0: only what an opposite leads is refused as ambiguous. */
  readonly minCertainty?: number;
  /** A phrase that must come before a command, in the mode that waits for one. */
  readonly wake?: WakePhrase;
  /** Other ways through the network for what would be refused. */
  readonly looks?: readonly Look[];
  /** Hears any words in open slots; a grammar that was compiled with `openSlots` needs it. */
  readonly openSlots?: OpenSlotModel;
}

export type RecognizerEvent =
  | { readonly type: 'speech-start'; readonly sample: number }
  /** The wake phrase was heard; what follows is a command. */
  | { readonly type: 'wake'; readonly sample: number; readonly score: number }
  | { readonly type: 'partial'; readonly partial: Partial }
  | { readonly type: 'heard'; readonly heard: Heard }
  /** Speech began by mistake: nothing that anyone need know. */
  | { readonly type: 'dismissed'; readonly sample: number };

/** What is shared is frozen: a recogniser makes listeners, and whole clips are one utterance each. */
export class Recognizer {
  readonly endpoint: Required<EndpointTimes>;
  private readonly wokenGrammar: CompiledGrammar;

  constructor(
    private readonly manifest: Manifest,
    private readonly acoustic: Acoustic,
    readonly grammar: CompiledGrammar,
    private readonly options: RecognizerOptions = {},
  ) {
    if (grammar.graph.open !== undefined && options.openSlots === undefined)
      throw new Error('the grammar has open slots, and there is no language model for them');
    const given = Object.entries(options.endpoint ?? {}).filter(([, ms]) => ms !== undefined);
    const times: EndpointTimes = {
      ...manifest.endpoint,
      ...(Object.fromEntries(given) as { [K in keyof EndpointTimes]?: number }),
    };
    this.endpoint = {
      ...times,
      openMs: times.openMs ?? (times.finalMs + times.prefixMs) / 2,
      holdMs: times.holdMs ?? times.prefixMs + times.finalMs,
    };
    this.wokenGrammar = options.wake === undefined ? grammar : afterWake(grammar, options.wake);
  }

  get wake(): WakePhrase | undefined {
    return this.options.wake;
  }

  get units(): number {
    return this.acoustic.units;
  }

  /** Finds the wake phrase in the log-probabilities of a stream. */
  beginSpotter(): WakeSpotter | null {
    const { wake } = this.options;
    if (wake === undefined) return null;
    const { variants, threshold, refractoryMs } = wake;
    return new WakeSpotter({
      variants,
      threshold,
      refractoryFrames: Math.ceil(refractoryMs / this.stepMs),
    });
  }

  get stepMs(): number {
    return this.manifest.features.hopMs * this.manifest.features.stride;
  }

  get samplesPerStep(): number {
    return Math.round((this.stepMs * this.manifest.features.sampleRateHz) / 1000);
  }

  get dim(): number {
    return this.acoustic.dim;
  }

  beginNetwork(): AcousticStream {
    return this.acoustic.begin();
  }

  beginUtterance(
    startSample: number,
    maxUtteranceMs = this.endpoint.maxUtteranceMs,
    lively?: () => boolean,
    woken = false,
  ): Utterance {
    const { features, confidence, decoding } = this.manifest;
    const { openSlots } = this.options;
    const context: UtteranceContext = {
      acoustic: this.acoustic,
      grammar: woken ? this.wokenGrammar : this.grammar,
      decoding,
      confidence,
      minConfidence: this.options.minConfidence ?? confidence.threshold,
      minCertainty: this.options.minCertainty ?? confidence.minCertainty ?? 0,
      looks: this.options.looks ?? [],
      ...(openSlots === undefined ? {} : { openSlots }),
      stepMs: this.stepMs,
      samplesPerMs: features.sampleRateHz / 1000,
      lookaheadMs: features.windowMs + (features.stack - 1) * features.hopMs - this.stepMs,
      maxSteps: Math.ceil(maxUtteranceMs / this.stepMs),
    };
    return new Utterance(context, startSample, lively);
  }

  /** A whole clip as one utterance of at most `maxSeconds`. */
  async recognizeWhole(steps: Steps, maxSeconds = 60): Promise<Heard> {
    const utterance = this.beginUtterance(0, maxSeconds * 1000);
    await utterance.feed(steps.data);
    return utterance.finish();
  }
}
