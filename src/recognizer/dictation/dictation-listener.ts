import type { Manifest } from '../../bundle/index.js';
import type { Heard, Steps } from '../../records.js';
import type { Acoustic } from '../acoustic.js';
import type { RecognizerEvent } from '../recognizer.js';
import type { DictationGraph } from './dictation-graph.js';
import { DictationStream, leadMs, type DictatedSegment } from './dictation-stream.js';

export interface DictationListenerOptions {
  readonly manifest: Manifest;
  readonly acoustic: Acoustic;
  readonly graph: DictationGraph;
  /** Below it what was heard is refused. Default: `defaultMinConfidence`. */
  readonly minConfidence?: number;
  /** Of longer speech without a pause the words that are certain are handed out, as a transcript of their own. */
  readonly maxUtteranceMs?: number;
}

/** Without speech 25 words an hour are above it, of speech 98 in 100: bench/notes/2026-11-30-dictation.md. */
export const defaultMinConfidence = 0.4;
/** Below it nobody need wonder what was said. */
const noiseConfidence = 0.1;

/** What is heard so far is told this often at most. */
const partialMs = 300;

/** A stream of steps as free words: what was said between two pauses is one answer. Hears all the time. */
export class DictationListener {
  /** Steps that came in since the start: the watchdog's progress. */
  stepsDone = 0;
  private stream: DictationStream;
  private next: DictationListenerOptions | null = null;
  private muted = false;
  /** Index of the next step, and where the stream began. */
  private position = 0;
  private streamBegan = 0;
  private lastPartial = '';
  private partialAt = 0;

  constructor(
    private options: DictationListenerOptions,
    private originSample = 0,
  ) {
    this.stream = this.begin();
  }

  /** Takes effect between two utterances. */
  replace(options: DictationListenerOptions): void {
    this.next = options;
    this.applyNext();
  }

  /** Nobody is speaking: another listener may go on from `keptFromSample` without losing anything. */
  get between(): boolean {
    return !this.stream.speaking;
  }

  get keptFromSample(): number {
    const reach = Math.ceil(leadMs / this.stepMs) + this.options.manifest.network.chunkSteps;
    return this.sampleOf(Math.max(0, this.position - reach));
  }

  mute(on: boolean): void {
    this.muted = on;
    if (on) this.restart();
  }

  /** It hears without being asked. */
  listen(): Promise<RecognizerEvent[]> {
    return Promise.resolve([]);
  }

  /** Ends the utterance now. */
  async stop(): Promise<RecognizerEvent[]> {
    const events = this.heard(await this.stream.finish());
    this.restart();
    return events;
  }

  /** After a gap: what was being said is dropped, and the next step begins at this sample. */
  rejoin(atSample: number): void {
    this.originSample = atSample;
    this.position = 0;
    this.restart();
  }

  async feed(steps: Steps): Promise<RecognizerEvent[]> {
    this.stepsDone += steps.steps;
    this.position += steps.steps;
    if (this.muted) {
      this.streamBegan = this.position;
      return [];
    }
    const events = this.heard(await this.stream.feed(steps.data));
    const partial = this.partial();
    this.applyNext();
    return [...events, ...partial];
  }

  private get stepMs(): number {
    const { hopMs, stride } = this.options.manifest.features;
    return hopMs * stride;
  }

  private sampleOf(step: number): number {
    const { sampleRateHz } = this.options.manifest.features;
    return this.originSample + Math.round((step * this.stepMs * sampleRateHz) / 1000);
  }

  private begin(): DictationStream {
    const { manifest, acoustic, graph, maxUtteranceMs } = this.options;
    const { decoding, network } = manifest;
    return new DictationStream(acoustic, graph, decoding, {
      stepMs: this.stepMs,
      chunkSteps: network.chunkSteps,
      ...(maxUtteranceMs === undefined
        ? {}
        : { commitMs: maxUtteranceMs, segmentMsMax: 2 * maxUtteranceMs }),
    });
  }

  private restart(): void {
    if (this.next !== null) this.options = this.next;
    this.next = null;
    this.stream = this.begin();
    this.streamBegan = this.position;
    this.lastPartial = '';
  }

  private applyNext(): void {
    if (this.next !== null && this.between) this.restart();
  }

  private partial(): RecognizerEvent[] {
    if (this.between || (this.position - this.partialAt) * this.stepMs < partialMs) return [];
    this.partialAt = this.position;
    const { committed, open } = this.stream.partial();
    const text = [...committed, ...open].join(' ');
    if (text === '' || text === this.lastPartial) return [];
    this.lastPartial = text;
    const startSample = this.sampleOf(this.streamBegan);
    return [{ type: 'partial', partial: { text, startSample } }];
  }

  private heard(segments: readonly DictatedSegment[]): RecognizerEvent[] {
    return segments.map((segment) => ({ type: 'heard', heard: this.answer(segment) }));
  }

  private answer({ startMs, endMs, words, confidence, evidence }: DictatedSegment): Heard {
    const { minConfidence = defaultMinConfidence, manifest } = this.options;
    const accepted = confidence >= minConfidence;
    const began = this.sampleOf(this.streamBegan);
    const sampleAt = (ms: number) =>
      began + Math.round((ms * manifest.features.sampleRateHz) / 1000);
    return {
      accepted,
      ...(accepted ? {} : { reason: confidence < noiseConfidence ? 'noise' : 'low-confidence' }),
      text: words.map(({ word }) => word).join(' '),
      intent: null,
      slots: {},
      confidence,
      words: words.map((word) => ({
        word: word.word,
        startMs: Math.round(word.startMs - startMs),
        endMs: Math.round(word.endMs - startMs),
        confidence: Number(word.confidence.toFixed(3)),
      })),
      startSample: sampleAt(startMs),
      endSample: sampleAt(endMs),
      startMs: 0,
      endMs: Math.round(endMs - startMs),
      evidence: { ...evidence },
    };
  }
}
