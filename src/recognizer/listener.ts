import type { Steps } from '../records.js';
import type { AcousticStream } from './acoustic.js';
import { levelOf, NoiseFloor } from './level.js';
import type { Recognizer, RecognizerEvent } from './recognizer.js';
import type { Utterance } from './utterance.js';

/** A phone in at least this many of the last steps begins an utterance. */
const onsetPhones = 2;
const onsetWindowSteps = 10;
/** While nobody speaks the network starts afresh this often, so that no old state builds up. */
const idleRefreshMs = 15_000;
/** A phone counts when its probability, blank excluded, is above this. */
const phoneProbability = 0.5;

export type ListenMode = 'always' | 'push-to-talk';

/**
 * Cuts a stream into utterances. The network runs all the time; when it hears phones, an utterance
 * begins with fresh state and the pre-roll fed again, so that the answer is the same as for a clip
 * cut by hand. The end depends on the grammar: soon after a sentence that cannot go on, later after
 * one that can, latest in the middle of one. Quiet means no phone in anything louder than the noise, so
 * a machine that never goes quiet does not hold an utterance open; and a finished sentence ends after
 * holdMs even if something that is taken for phones goes on.
 */
export class Listener {
  /** Steps that went through the network since the start: the watchdog's progress. */
  stepsDone = 0;
  private recognizer: Recognizer;
  private next: Recognizer | null = null;
  private idle: AcousticStream;
  private idleSteps = 0;
  private kept: Float32Array[] = [];
  private recentPhones: boolean[] = [];
  private utterance: Utterance | null = null;
  private pushed = false;
  private muted = false;
  private readonly noise = new NoiseFloor();
  private lastPartial = '';
  private stepsLooked = 0;
  /** Index of the next step fed. */
  private position = 0;

  constructor(
    recognizer: Recognizer,
    private readonly mode: ListenMode = 'always',
    private readonly originSample = 0,
  ) {
    this.recognizer = recognizer;
    this.idle = recognizer.beginNetwork();
  }

  /** Takes effect between two utterances. */
  setRecognizer(recognizer: Recognizer): void {
    this.next = recognizer;
    this.applyNext();
  }

  get listening(): boolean {
    return !this.muted && (this.mode === 'always' || this.pushed);
  }

  mute(on: boolean): void {
    this.muted = on;
    if (on) this.drop();
  }

  /** Push-to-talk: an utterance begins now, pre-roll included, and ends at `stop` or by itself. */
  async listen(): Promise<RecognizerEvent[]> {
    if (this.muted || this.utterance !== null) return [];
    this.pushed = true;
    return this.begin();
  }

  /** Ends the utterance now. */
  async stop(): Promise<RecognizerEvent[]> {
    this.pushed = false;
    return this.utterance === null ? [] : this.end();
  }

  /** Forgets everything heard so far: the audio that follows does not join. */
  drop(): void {
    this.utterance = null;
    this.pushed = false;
    this.kept = [];
    this.recentPhones = [];
    this.idle = this.recognizer.beginNetwork();
    this.idleSteps = 0;
    this.applyNext();
  }

  async feed(steps: Steps): Promise<RecognizerEvent[]> {
    const events: RecognizerEvent[] = [];
    for (let t = 0; t < steps.steps; t++) {
      const row = steps.data.slice(t * steps.dim, (t + 1) * steps.dim);
      this.position++;
      this.stepsDone++;
      if (this.muted) continue;
      this.keep(row);
      events.push(...(this.utterance === null ? await this.wait(row) : await this.follow(row)));
    }
    return events;
  }

  private get preRollSteps(): number {
    return (
      Math.ceil(this.recognizer.endpoint.preRollMs / this.recognizer.stepMs) + onsetWindowSteps
    );
  }

  private keep(row: Float32Array): void {
    this.noise.feed(levelOf(row));
    this.kept.push(row);
    if (this.kept.length > this.preRollSteps) this.kept.shift();
  }

  private applyNext(): void {
    if (this.next === null || this.utterance !== null) return;
    this.recognizer = this.next;
    this.next = null;
    this.idle = this.recognizer.beginNetwork();
    this.idleSteps = 0;
  }

  private async wait(row: Float32Array): Promise<RecognizerEvent[]> {
    const { data, steps } = await this.idle.feed(row);
    const units = steps === 0 ? 0 : data.length / steps;
    for (let t = 0; t < steps; t++) {
      this.recentPhones.push(1 - Math.exp(data[t * units] ?? 0) > phoneProbability);
      if (this.recentPhones.length > onsetWindowSteps) this.recentPhones.shift();
    }
    this.idleSteps++;
    const phones = this.recentPhones.filter(Boolean).length;
    if (this.mode === 'always' && phones >= onsetPhones) return this.begin();
    if (phones === 0 && this.idleSteps * this.recognizer.stepMs > idleRefreshMs) {
      this.idle = this.recognizer.beginNetwork();
      this.idleSteps = 0;
    }
    return [];
  }

  private async begin(): Promise<RecognizerEvent[]> {
    const first = this.position - this.kept.length;
    const sample = this.originSample + first * this.recognizer.samplesPerStep;
    this.utterance = this.recognizer.beginUtterance(sample, undefined, () => this.noise.lively);
    this.lastPartial = '';
    this.stepsLooked = 0;
    const rows = new Float32Array(this.kept.length * this.recognizer.dim);
    this.kept.forEach((row, i) => rows.set(row, i * this.recognizer.dim));
    await this.utterance.feed(rows);
    return [{ type: 'speech-start', sample }];
  }

  private async follow(row: Float32Array): Promise<RecognizerEvent[]> {
    const { utterance } = this;
    if (utterance === null) return [];
    await utterance.feed(row);
    if (utterance.full) return this.end();
    // Network calls cover several steps: only a new answer is worth a look at the search.
    if (utterance.stepsDone === this.stepsLooked) return [];
    this.stepsLooked = utterance.stepsDone;
    const quietMs = utterance.quietSteps * this.recognizer.stepMs;
    if (!utterance.spoken)
      return quietMs >= this.recognizer.endpoint.nothingMs && !this.pushed ? this.end() : [];
    return this.over(utterance, quietMs) ? this.end() : this.partialOf(utterance);
  }

  private over(utterance: Utterance, quietMs: number): boolean {
    const { finalMs, openMs, prefixMs, holdMs } = this.recognizer.endpoint;
    const { final, open, trailing } = utterance.partial();
    if (final && trailing * this.recognizer.stepMs >= holdMs) return true;
    return quietMs >= (final ? (open ? openMs : finalMs) : prefixMs);
  }

  private partialOf(utterance: Utterance): RecognizerEvent[] {
    const { text } = utterance.partial();
    if (text === this.lastPartial || text === '') return [];
    this.lastPartial = text;
    return [{ type: 'partial', partial: { text, startSample: utterance.startSample } }];
  }

  private async end(): Promise<RecognizerEvent[]> {
    const { utterance } = this;
    if (utterance === null) return [];
    const wasPushed = this.pushed;
    const heard = await utterance.finish();
    this.drop();
    if (heard.reason === 'noise' && !wasPushed)
      return [{ type: 'dismissed', sample: heard.startSample }];
    return [{ type: 'heard', heard }];
  }
}
