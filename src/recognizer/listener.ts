import type { Steps } from '../records.js';
import type { AcousticStream } from './acoustic.js';
import { levelOf, NoiseFloor } from './level.js';
import { RecentRows } from './recent-rows.js';
import type { Recognizer, RecognizerEvent } from './recognizer.js';
import type { Utterance, UtterancePartial } from './utterance.js';
import type { WakeSpotter } from './wake/spotter.js';

/** A phone in at least this many of the last steps begins an utterance. */
const onsetPhones = 2;
const onsetWindowSteps = 10;
/** While nobody speaks the network starts afresh this often, so that no old state builds up. */
const idleRefreshMs = 15_000;
/** The utterance begins this much before the wake phrase. */
const wakeLeadSteps = 6;
/** A phone counts when its probability, blank excluded, is above this. */
const phoneProbability = 0.5;

/** After a sound without a word it must be quiet for this long. Then the pause counts from the last word. */
const strayMs = 300;

export type ListenMode = 'always' | 'push-to-talk' | 'wake';

/**
 * Cuts a stream into utterances.
 *
 * Beginning: the network runs all the time. When it hears phones, an utterance begins with fresh state, and the
 * pre-roll is fed again. So the answer is the same as for a clip cut by hand.
 *
 * End (end-pointing): it depends on the grammar. Soon after a sentence that is complete (finalMs), later after one that
 * may go on (openMs), latest in the middle of one (prefixMs). Quiet means: no phone in anything louder than the
 * noise. So a machine that never stops does not hold an utterance open. A lone sound without a word does not lengthen a
 * pause. A complete sentence ends after holdMs, even when noise goes on that is taken for phones.
 */
export class Listener {
  /** Steps that went through the network since the start: the watchdog's progress. */
  stepsDone = 0;
  private recognizer: Recognizer;
  private next: Recognizer | null = null;
  private idle: AcousticStream;
  private idleSteps = 0;
  private readonly kept: RecentRows;
  private recentPhones: boolean[] = [];
  private utterance: Utterance | null = null;
  private pushed = false;
  private muted = false;
  private readonly noise = new NoiseFloor();
  private spotter: WakeSpotter | null = null;
  /** Outputs of the idle network that repeat audio already looked at. */
  private idleRepeats = 0;
  private woken = false;
  private lastPartial = '';
  private stepsLooked = 0;
  /** Index of the next step fed. */
  private position = 0;

  constructor(
    recognizer: Recognizer,
    private readonly mode: ListenMode = 'always',
    private originSample = 0,
  ) {
    this.recognizer = recognizer;
    this.kept = new RecentRows(recognizer.dim);
    this.idle = recognizer.beginNetwork();
    if (mode === 'wake') this.spotter = recognizer.beginSpotter();
  }

  /** Takes effect between two utterances. */
  setRecognizer(recognizer: Recognizer): void {
    this.next = recognizer;
    this.applyNext();
  }

  get listening(): boolean {
    return !this.muted && (this.mode === 'always' || this.pushed || this.woken);
  }

  /** Nobody is speaking: another listener may go on from `keptFromSample` without losing anything. */
  get between(): boolean {
    return this.utterance === null;
  }

  /** The first sample that an utterance which began now could reach back to. */
  get keptFromSample(): number {
    return this.sampleOf(this.position - this.kept.length);
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
    this.kept.clear();
    this.recentPhones = [];
    this.woken = false;
    this.beginIdle();
    this.applyNext();
  }

  private beginIdle(): void {
    this.idle = this.recognizer.beginNetwork();
    this.idleSteps = 0;
    this.idleRepeats = 0;
    this.spotter = this.mode === 'wake' ? this.recognizer.beginSpotter() : null;
  }

  /** After a gap: what was being said is dropped, and the next step begins at this sample. */
  rejoin(atSample: number): void {
    this.drop();
    this.originSample = atSample;
    this.position = 0;
  }

  async feed(steps: Steps): Promise<RecognizerEvent[]> {
    const events: RecognizerEvent[] = [];
    for (let t = 0; t < steps.steps; t++) {
      const row = steps.data.subarray(t * steps.dim, (t + 1) * steps.dim);
      this.position++;
      this.stepsDone++;
      if (this.muted) continue;
      this.keep(row);
      events.push(...(this.utterance === null ? await this.wait(row) : await this.follow(row)));
    }
    return events;
  }

  private get keptSteps(): number {
    // A network call covers several steps, so a phrase may have ended some steps ago.
    return this.preRollSteps + (this.spotter?.reachFrames ?? 0);
  }

  private get preRollSteps(): number {
    const before = Math.ceil(this.recognizer.endpoint.preRollMs / this.recognizer.stepMs);
    return before + onsetWindowSteps;
  }

  private keep(row: Float32Array): void {
    this.noise.feed(levelOf(row));
    this.kept.add(row, this.keptSteps);
  }

  private applyNext(): void {
    if (this.next === null || this.utterance !== null) return;
    this.recognizer = this.next;
    this.next = null;
    this.beginIdle();
  }

  private async wait(row: Float32Array): Promise<RecognizerEvent[]> {
    const { data, steps } = await this.idle.feed(row);
    this.idleSteps++;
    const fresh = Math.min(steps, this.idleRepeats);
    this.idleRepeats -= fresh;
    const { units } = this.recognizer;
    const rows = data.subarray(fresh * units);
    if (this.mode === 'wake') return this.spot(rows);
    for (let at = 0; at < rows.length; at += units) {
      const phone = 1 - Math.exp(rows[at] ?? 0) > phoneProbability;
      this.recentPhones.push(phone && this.noise.lively);
      if (this.recentPhones.length > onsetWindowSteps) this.recentPhones.shift();
    }
    const phones = this.recentPhones.filter(Boolean).length;
    if (this.mode === 'always' && phones >= onsetPhones) return this.begin();
    if (phones === 0 && this.idleSteps * this.recognizer.stepMs > idleRefreshMs) this.beginIdle();
    return [];
  }

  private async spot(rows: Float32Array): Promise<RecognizerEvent[]> {
    const { spotter, recognizer } = this;
    if (spotter === null || rows.length === 0) return [];
    for (let at = 0; at < rows.length; at += recognizer.units) {
      const spotted = spotter.feed(rows, at, recognizer.units);
      if (spotted === null) continue;
      // Audio of the phrase and what follows it; the rest of these rows is among it.
      const done = rows.length / recognizer.units - at / recognizer.units;
      const reach = spotter.frames + done - 1 - spotted.startFrame + wakeLeadSteps;
      this.kept.keepLast(reach);
      const sample = this.sampleOf(this.position - this.kept.length);
      this.woken = true;
      return [{ type: 'wake', sample, score: spotted.score }, ...(await this.begin())];
    }
    if (this.idleSteps * recognizer.stepMs > idleRefreshMs) await this.refreshIdle();
    return [];
  }

  /** Fresh state, warmed up with the kept audio: a wake phrase may be half said. */
  private async refreshIdle(): Promise<void> {
    this.idle = this.recognizer.beginNetwork();
    this.idleSteps = 0;
    const { steps } = await this.idle.feed(this.kept.rows());
    this.idleRepeats = this.kept.length - steps;
  }

  private sampleOf(step: number): number {
    return this.originSample + step * this.recognizer.samplesPerStep;
  }

  private async begin(): Promise<RecognizerEvent[]> {
    if (!this.woken) this.kept.keepLast(this.preRollSteps);
    const sample = this.keptFromSample;
    this.utterance = this.recognizer.beginUtterance(
      sample,
      undefined,
      () => this.noise.lively,
      this.woken,
    );
    this.lastPartial = '';
    this.stepsLooked = 0;
    await this.utterance.feed(this.kept.rows());
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
    const partial = utterance.partial();
    if (this.over(utterance, partial, quietMs)) return this.end();
    if (utterance.ready && (partial.final || utterance.overAfterAll)) await utterance.prepare();
    return this.partialOf(utterance, partial);
  }

  private over(
    utterance: Utterance,
    { final, open, trailing, text, hopeless }: UtterancePartial,
    quietMs: number,
  ): boolean {
    const { finalMs, openMs, prefixMs, holdMs } = this.recognizer.endpoint;
    // After the wake phrase a speaker may think before the command.
    if (this.woken && text === '') return quietMs >= (this.recognizer.wake?.listenMs ?? prefixMs);
    if (final && trailing * this.recognizer.stepMs >= holdMs) return true;
    // Not the beginning of a command: waiting would only delay the refusal.
    if (!final && quietMs >= openMs && utterance.overAfterAll) return true;
    if (!final) return quietMs >= (hopeless ? openMs : prefixMs);
    const enoughMs = open ? openMs : finalMs;
    if (quietMs >= enoughMs) return true;
    // A noise taken for a phone made no word: the pause goes on.
    return quietMs >= strayMs && trailing * this.recognizer.stepMs >= enoughMs;
  }

  private partialOf(utterance: Utterance, { text }: UtterancePartial): RecognizerEvent[] {
    if (text === this.lastPartial || text === '') return [];
    this.lastPartial = text;
    return [{ type: 'partial', partial: { text, startSample: utterance.startSample } }];
  }

  private async end(): Promise<RecognizerEvent[]> {
    const { utterance } = this;
    if (utterance === null) return [];
    const wasPushed = this.pushed;
    const nothingSaid = this.woken && utterance.partial().text === '';
    const heard = await utterance.finish();
    this.drop();
    if (nothingSaid) return [{ type: 'dismissed', sample: heard.startSample }];
    if (heard.reason === 'noise' && !wasPushed)
      return [{ type: 'dismissed', sample: heard.startSample }];
    return [{ type: 'heard', heard }];
  }
}
