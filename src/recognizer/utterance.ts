import type { Heard } from '../records.js';
import type { AcousticStream, LogProbs } from './acoustic.js';
import { acceptsFixed, answerOf, textOf } from './answer.js';
import type { UtteranceContext } from './context.js';
import type { Decided } from './finding.js';
import { judge, looksAgain, type Sounds } from './judge.js';
import { levelOf } from './level.js';
import { hearOpenSlots, SlotSearches } from './open-slots.js';
import { scoresOf } from './scores.js';
import { Filler } from './search/filler.js';
import { TokenSearch, type Candidate, type PartialSentence } from './search/token-search.js';

/** A sentence that lags this far behind any phones at all, in nats, will not be one that is accepted. */
const hopelessLag = 10;
/** A beginning has to be this much likelier than a whole sentence, in nats (400 times), for a long quiet to be a pause in it. */
const hardlyMore = 6;
/** What was said is judged with this much after its last phone: what comes later than that is silence, and says nothing. */
const settledMs = 240;

const logHalf = Math.log(0.5);

/** Where an utterance was when no phone had been heard for settledMs. */
interface Settled {
  readonly steps: number;
  readonly found: readonly Candidate[];
  readonly fillerScore: number | undefined;
}

/** The best token so far. */
export interface UtterancePartial extends PartialSentence {
  readonly text: string;
  /** Steps since its last word ended. */
  readonly trailing: number;
  /** No sentence of the grammar will come of it. */
  readonly hopeless: boolean;
}

/**
 * One utterance: its own network state, search and counters. Nothing survives it, so resetting means
 * making a new one.
 *
 * What it was is judged on all steps up to settledMs after its last phone (on all there are, if there are fewer). So the answer can be
 * prepared while the end is still waited for, and is the same if it was not.
 */
export class Utterance {
  private readonly stream: AcousticStream;
  private readonly search: TokenSearch;
  private readonly filler: Filler | undefined;
  private scores = new Float32Array(0);
  private logProbs = new Float32Array(0);
  private levels = new Float32Array(64);
  /** The features, for other looks at them. */
  private features = new Float32Array(0);
  private rows = 0;
  private steps = 0;
  /** Steps since a phone was heard in something louder than the noise. */
  quietSteps = 0;
  /** Whether any phone was heard. */
  spoken = false;
  /** Steps since the network heard a phone in anything. */
  private blankSteps = 0;
  private settled: Settled | null = null;
  private readonly searches = new SlotSearches();
  private prepared: { readonly steps: number; readonly decided: Decided | undefined } | null = null;

  constructor(
    private readonly context: UtteranceContext,
    readonly startSample: number,
    /** Whether the last moments stood out of the noise; without it every phone counts. */
    private readonly lively: () => boolean = () => true,
  ) {
    this.stream = context.acoustic.begin();
    this.search = new TokenSearch(context.grammar.graph);
    const { chain } = context.confidence;
    if (chain !== undefined) this.filler = new Filler(chain, context.acoustic.units);
  }

  get full(): boolean {
    return this.steps >= this.context.maxSteps;
  }

  /** Steps that went through the network. */
  get stepsDone(): number {
    return this.steps;
  }

  get durationMs(): number {
    return this.steps * this.context.stepMs;
  }

  async feed(rows: Float32Array): Promise<void> {
    this.keepLevels(rows);
    // Once it is quiet each step may be the one that ends the sentence: none waits for a full call.
    this.take(await this.stream.feed(rows, this.spoken && this.quietSteps > 0));
  }

  private keepLevels(rows: Float32Array): void {
    const { dim } = this.context.acoustic;
    for (let at = 0; at + dim <= rows.length; at += dim) {
      if (this.rows === this.levels.length) this.levels = larger(this.levels, this.rows * 2);
      if (looksAgain(this.context)) this.keepFeatures(rows.subarray(at, at + dim));
      this.levels[this.rows++] = levelOf(rows.subarray(at, at + dim));
    }
  }

  private keepFeatures(row: Float32Array): void {
    const { maxSteps } = this.context;
    if (this.rows >= maxSteps) return;
    const at = this.rows * row.length;
    if (at === this.features.length)
      this.features = larger(
        this.features,
        Math.min(maxSteps, Math.max(64, 2 * this.rows)) * row.length,
      );
    this.features.set(row, at);
  }

  partial(): UtterancePartial {
    const best = this.search.partial();
    const trailing = this.steps - 1 - (best.words.at(-1)?.endFrame ?? -1);
    // Any phones of an open slot pay otherwise than the filler's.
    const closed = this.context.grammar.graph.open === undefined;
    const hopeless = closed && (this.filler?.score ?? -Infinity) - best.score > hopelessLag;
    return { ...best, text: textOf(best.words, this.context), trailing, hopeless };
  }

  /**
   * Whether a sentence is over although the best token stands in the middle of one, when it has been quiet for long. Nobody pauses so
   * long inside a word, so only tokens between two words count: the word's last phones were not heard, or it was none. And what is
   * hardly likelier than a whole sentence (the "and" that a breath sounds like) is not waited for.
   */
  get overAfterAll(): boolean {
    const partial = this.search.partial();
    const { score } = partial.inWord ? this.search.betweenWords() : partial;
    return score - (this.search.best()[0]?.score ?? -Infinity) < hardlyMore;
  }

  /** Whether it could be judged before its end, and has not been. */
  get ready(): boolean {
    return this.settled !== null && this.prepared?.steps !== this.settled.steps;
  }

  /** Judges what was said up to here, so that the answer is there when the end has come. */
  async prepare(): Promise<void> {
    if (this.settled !== null) this.prepared = await this.judged(this.settled);
  }

  /** Runs what is left and decides. */
  async finish(): Promise<Heard> {
    this.take(await this.stream.finish());
    const at = this.settled ?? this.here();
    const prepared = this.prepared?.steps === at.steps && !this.full ? this.prepared : null;
    const { decided } = prepared ?? (await this.judged(at));
    const { startSample, durationMs, full } = this;
    return answerOf(decided, { startSample, durationMs, full }, this.context);
  }

  private here(): Settled {
    return { steps: this.steps, found: this.search.best(), fillerScore: this.filler?.score };
  }

  private async judged({ steps, found, fillerScore }: Settled) {
    const { units, dim } = this.context.acoustic;
    const sounds: Sounds = {
      logProbs: this.logProbs.subarray(0, steps * units),
      scores: this.scores.subarray(0, steps * units),
      levels: this.levels.subarray(0, steps),
      features: this.features.subarray(0, steps * dim),
      found,
      fillerScore,
      full: this.full,
    };
    const decided = await judge(sounds, this.context);
    if (decided === undefined || this.full || !acceptsFixed(decided, this.context))
      return { steps, decided };
    const slots = await hearOpenSlots(decided, sounds.scores, this.context, this.searches);
    return { steps, decided: slots === undefined ? decided : { ...decided, slots } };
  }

  private take({ data, steps }: LogProbs): void {
    const { units } = this.context.acoustic;
    const room = Math.min(steps, this.context.maxSteps - this.steps);
    if ((this.steps + room) * units > this.scores.length) {
      const size = (this.steps + room) * units * 2;
      this.scores = larger(this.scores, size);
      this.logProbs = larger(this.logProbs, size);
    }
    this.logProbs.set(data.subarray(0, room * units), this.steps * units);
    this.scores.set(
      scoresOf(data.subarray(0, room * units), this.context.decoding),
      this.steps * units,
    );
    const lively = this.lively();
    for (let t = 0; t < room; t++) {
      const row = this.steps * units;
      this.search.feed(this.scores, row);
      this.filler?.feed(this.scores, row);
      this.steps++;
      // As the network gave it: priors make phones likelier than blank in silence.
      const phone = (data[t * units] ?? 0) < logHalf;
      if (!phone || !lively) this.quietSteps++;
      else {
        this.quietSteps = 0;
        this.spoken = true;
      }
      this.settle(phone);
    }
  }

  private settle(phone: boolean): void {
    this.blankSteps = phone ? 0 : this.blankSteps + 1;
    if (phone) this.settled = null;
    if (this.blankSteps === Math.ceil(settledMs / this.context.stepMs)) this.settled = this.here();
  }
}

function larger(old: Float32Array, size: number): Float32Array<ArrayBuffer> {
  const fresh = new Float32Array(size);
  fresh.set(old);
  return fresh;
}
