import type { Manifest } from '../../bundle/index.js';
import type { Heard, Steps } from '../../records.js';
import type { Acoustic, AcousticStream } from '../acoustic.js';
import { RecentRows } from '../recent-rows.js';
import type { RecognizerEvent } from '../recognizer.js';
import type { DictationGraph } from './dictation-graph.js';
import {
  DictationStream,
  idleRefreshMs,
  joinedSegment,
  leadMs,
  type DictatedSegment,
} from './dictation-stream.js';

export interface DictationListenerOptions {
  readonly manifest: Manifest;
  readonly acoustic: Acoustic;
  readonly graph: DictationGraph;
  /** Below it what was heard is refused. Default: `defaultMinConfidence`. */
  readonly minConfidence?: number;
  /** Of longer speech without a pause the words that are certain are handed out, as a transcript of their own. */
  readonly maxUtteranceMs?: number;
  /** Audio from before a request to listen that is heard too. Default: the bundle's. */
  readonly preRollMs?: number;
  /** Nothing is heard but after `listen`. */
  readonly byRequest?: boolean;
}

/** After `listen` it is waited so long for the first word, where `maxUtteranceMs` says nothing else. */
const waitMs = 15_000;
/** What is said after one `listen` ends here at the latest: some 300 words. */
export const requestedMsMax = 120_000;

/** What is said after a request to listen, up to a pause: one answer, whatever comes of it. */
interface Requested {
  /** Step at which it was asked. */
  readonly at: number;
  /** Of longer speech: what is certain. */
  readonly parts: DictatedSegment[];
}

/** Of 657 words in sentences of training people 624 are above: bench/notes/2026-11-30-longer.md. */
export const defaultMinConfidence = 0.6;
/** Below it nobody need wonder what was said: 99 of 100 words of training people are above. */
const noiseConfidence = 0.3;

/** What is heard so far is told this often at most. */
const partialMs = 300;

/**
 * A stream of steps as free words: what was said between two pauses is one answer. After `listen` it is one answer however long
 * it is, and there is one even if nothing was said.
 */
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
  private requested: Requested | null = null;
  /** The last rows, of what has not been told yet. */
  private readonly kept: RecentRows;
  /** Where nothing is heard without a request the network runs all the same: so it is known to work. */
  private idle: AcousticStream | null = null;
  private idleSteps = 0;

  constructor(
    private options: DictationListenerOptions,
    private originSample = 0,
  ) {
    this.kept = new RecentRows(options.acoustic.dim);
    this.stream = this.begin();
  }

  /** Takes effect between two utterances. */
  replace(options: DictationListenerOptions): void {
    this.next = options;
    this.applyNext();
  }

  /** Nobody is speaking: another listener may go on from `keptFromSample` without losing anything. */
  get between(): boolean {
    return !this.stream.speaking && this.requested === null;
  }

  get keptFromSample(): number {
    const { byRequest, manifest } = this.options;
    const lead = Math.ceil(leadMs / this.stepMs) + manifest.network.chunkSteps;
    const reach = byRequest === true ? this.kept.length : lead;
    return this.sampleOf(Math.max(0, this.position - reach));
  }

  mute(on: boolean): void {
    this.muted = on;
    if (on) this.restart();
  }

  /** What is said from now on, pre-roll included, is one answer: at a pause, at `stop`, or when nothing is said for long. */
  async listen(): Promise<RecognizerEvent[]> {
    if (this.muted || !this.between) return [];
    const [before, rows] = [this.kept.length, this.kept.rows()];
    this.restart();
    this.streamBegan = this.position - before;
    this.requested = { at: this.position, parts: [] };
    const begun = { type: 'speech-start', sample: this.sampleOf(this.streamBegan) } as const;
    return [begun, ...this.heard(await this.stream.feed(rows))];
  }

  /** Ends the utterance now. */
  async stop(): Promise<RecognizerEvent[]> {
    const segments = await this.stream.finish();
    const { requested } = this;
    const events =
      requested === null
        ? this.heard(segments)
        : this.answered({ ...requested, parts: [...requested.parts, ...segments] });
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
    const events: RecognizerEvent[] = [];
    for (let t = 0; t < steps.steps; t++) {
      this.stepsDone++;
      this.position++;
      if (this.muted) this.streamBegan = this.position;
      else
        events.push(...(await this.step(steps.data.subarray(t * steps.dim, (t + 1) * steps.dim))));
    }
    return events;
  }

  private async step(row: Float32Array): Promise<RecognizerEvent[]> {
    this.kept.add(row, this.keptSteps);
    if (this.options.byRequest === true && this.requested === null) {
      await this.wait(row);
      this.applyNext();
      return [];
    }
    const events = this.heard(await this.stream.feed(row));
    const { requested } = this;
    if (requested !== null && this.isOver(requested)) events.push(...(await this.stop()));
    const partial = this.partial();
    this.applyNext();
    return [...events, ...partial];
  }

  /** Nothing is listened for; fresh state now and then, so that no old one builds up. */
  private async wait(row: Float32Array): Promise<void> {
    if (this.idle === null || this.idleSteps * this.stepMs > idleRefreshMs) {
      this.idle = this.options.acoustic.begin();
      this.idleSteps = 0;
    }
    this.idleSteps++;
    await this.idle.feed(row);
    this.streamBegan = this.position;
  }

  private isOver({ at, parts }: Requested): boolean {
    const askedMs = (this.position - at) * this.stepMs;
    const nothing = parts.length === 0 && !this.stream.speaking;
    return askedMs >= (nothing ? (this.options.maxUtteranceMs ?? waitMs) : requestedMsMax);
  }

  private get keptSteps(): number {
    const { preRollMs = this.options.manifest.endpoint.preRollMs } = this.options;
    return Math.ceil(preRollMs / this.stepMs);
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
    this.requested = null;
    this.kept.clear();
    this.idle = null;
  }

  private applyNext(): void {
    if (this.next !== null && this.between) this.restart();
  }

  private partial(): RecognizerEvent[] {
    if (!this.stream.speaking || (this.position - this.partialAt) * this.stepMs < partialMs)
      return [];
    this.partialAt = this.position;
    const { committed, open } = this.stream.partial();
    const before = this.requested?.parts.flatMap(({ words }) => words.map((w) => w.word)) ?? [];
    const text = [...before, ...committed, ...open].join(' ');
    if (text === '' || text === this.lastPartial) return [];
    this.lastPartial = text;
    const startSample = this.sampleOf(this.streamBegan);
    return [{ type: 'partial', partial: { text, startSample } }];
  }

  /** An answer for each; after a request they are parts of one, which is over when nobody speaks any more. */
  private heard(segments: readonly DictatedSegment[]): RecognizerEvent[] {
    if (segments.length > 0) this.kept.clear();
    const { requested } = this;
    if (requested === null)
      return segments.map((segment) => ({ type: 'heard', heard: this.answer(segment) }));
    requested.parts.push(...segments);
    // A sound without a word is no end: perhaps it was the button.
    if (requested.parts.length === 0 || this.stream.speaking) return [];
    this.requested = null;
    return this.answered(requested);
  }

  private answered({ parts }: Requested): RecognizerEvent[] {
    const whole = joinedSegment(parts);
    return [{ type: 'heard', heard: whole === null ? this.nothing() : this.answer(whole) }];
  }

  private nothing(): Heard {
    const startSample = this.sampleOf(this.streamBegan);
    const endMs = (this.position - this.streamBegan) * this.stepMs;
    return {
      ...{ accepted: false, reason: 'noise', text: '', intent: null, slots: {}, confidence: 0 },
      ...{ words: [], startSample, endSample: this.sampleOf(this.position) },
      ...{ startMs: 0, endMs, evidence: {} },
    };
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
