import type { Confidence, Decoding, Weighting } from '../bundle/index.js';
import type { Heard, HeardWord, RejectReason } from '../records.js';
import type { Acoustic, AcousticStream, LogProbs, Look } from './acoustic.js';
import { probabilityOf, speechFrames, wordConfidence, type Evidence } from './confidence.js';
import { decide, findingOf, type Decided, type Finding, type Weighed } from './finding.js';
import type { CompiledGrammar, Interpretation } from './graph.js';
import { levelOf } from './level.js';
import { scoresOf, weighted } from './scores.js';
import type { AlignedPhone } from './search/align.js';
import { Filler, fillerScore } from './search/filler.js';
import { TokenSearch } from './search/token-search.js';
import type { SentenceWord } from './search/word-history.js';

/** In graphs larger than this only the first look and weighting count: each other costs a search after the last word. */
const weightingsArcsMax = 15_000;
/** Fewer frames with a phone than this are no speech. */
const speechFramesMin = 3;
/** A sentence this far from what was said, per phone, is no command at all. */
const notACommandRatio = -3;
/** A sentence that lags this far behind any phones at all, in nats, will not be one that is accepted. */
const hopelessLag = 10;

/** A beginning has to be this much likelier than a whole sentence, in nats (20 times), for a long quiet to be a pause in it. */
const hardlyMore = 3;

/**
 * What is less likely than this after the first look is not looked at again: of 1,309 hearings of orders two were
 * saved from below, and what people say to each other is nearly all there.
 */
const hopelessProbability = 0.1;

const logHalf = Math.log(0.5);

/** What an utterance needs to know, shared by all and frozen. */
export interface UtteranceContext {
  readonly acoustic: Acoustic;
  readonly grammar: CompiledGrammar;
  readonly decoding: Decoding;
  readonly confidence: Confidence;
  /** Default threshold; an intent may have its own. */
  readonly minConfidence: number;
  /** Least probability that no other command was meant; an intent with a threshold of its own goes by that alone. */
  readonly minCertainty: number;
  /** Other ways through the network, for what would be refused. */
  readonly looks: readonly Look[];
  readonly stepMs: number;
  readonly samplesPerMs: number;
  /** What one step looks at beyond its own 1/stepMs, in ms. */
  readonly lookaheadMs: number;
  readonly maxSteps: number;
}

/**
 * One utterance: its own network state, search and counters. Nothing survives it, so resetting means
 * making a new one.
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
      if (this.looksAgain) this.keepFeatures(rows.subarray(at, at + dim));
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

  private get looksAgain(): boolean {
    const { looks, grammar } = this.context;
    return looks.length > 0 && grammar.graph.arcUnit.length <= weightingsArcsMax;
  }

  /**
   * The best token so far; `trailing` counts the steps since its last word ended, `hopeless` says that no
   * sentence of the grammar will come of it.
   */
  partial(): ReturnType<TokenSearch['partial']> & {
    text: string;
    trailing: number;
    hopeless: boolean;
  } {
    const best = this.search.partial();
    const trailing = this.steps - 1 - (best.words.at(-1)?.endFrame ?? -1);
    const hopeless = (this.filler?.score ?? -Infinity) - best.score > hopelessLag;
    return { ...best, text: this.textOf(best.words.map((w) => w.word)), trailing, hopeless };
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

  /** Runs what is left and decides. */
  async finish(): Promise<Heard> {
    this.take(await this.stream.finish());
    const { units } = this.context.acoustic;
    const scores = this.scores.subarray(0, this.steps * units);
    const found = this.search.best();
    // Whether anybody spoke is for the first weighting to say: others only choose among sentences.
    if (found.length === 0 || speechFrames(scores, units).length < speechFramesMin)
      return this.nothing();
    const logProbs = this.logProbs.subarray(0, this.steps * units);
    const first = { scores, logProbs, fillerScore: this.filler?.score, found };
    const findings = this.findings([first, ...this.weighAgain(logProbs)]);
    let decided = decide(findings, this.context);
    if (this.looksAgain && !this.full && this.doubtful(decided)) {
      const rows = this.features.subarray(0, this.steps * this.context.acoustic.dim);
      for (const look of this.context.looks)
        findings.push(...this.findings(this.weighAll((await look(rows)).data)));
      decided = decide(findings, this.context);
    }
    return decided === undefined ? this.nothing() : this.answer(decided);
  }

  /**
   * Whether another look may change what becomes of it: it would be refused, and is not hopeless, as what people say to each
   * other is. By the bundle's own thresholds, so that how sure an utterance is does not depend on what a site asks for.
   */
  private doubtful(decided: Decided | undefined): boolean {
    const { confidence } = this.context;
    if (decided === undefined) return false;
    const probability = probabilityOf(decided.score, confidence);
    const refused =
      probability < confidence.threshold || decided.certainty < (confidence.minCertainty ?? 0);
    return refused && probability >= hopelessProbability;
  }

  /** The whole utterance under all weightings. */
  private *weighAll(logProbs: Float32Array): Generator<Weighed> {
    const { priorWeight, blankBias } = this.context.decoding;
    yield this.weigh(logProbs, { priorWeight, blankBias });
    yield* this.weighAgain(logProbs);
  }

  /** The whole utterance under the bundle's other weightings. */
  private *weighAgain(logProbs: Float32Array): Generator<Weighed> {
    const { decoding, grammar } = this.context;
    if (grammar.graph.arcUnit.length > weightingsArcsMax) return;
    for (const weighting of decoding.weightings ?? []) yield this.weigh(logProbs, weighting);
  }

  private weigh(given: Float32Array, weighting: Weighting): Weighed {
    const { decoding, grammar, acoustic, confidence } = this.context;
    const { units } = acoustic;
    const { scores, logProbs } = weighted(given, decoding, weighting);
    const search = new TokenSearch(grammar.graph);
    for (let at = 0; at < scores.length; at += units) search.feed(scores, at);
    const { chain } = confidence;
    const filler = chain === undefined ? undefined : fillerScore(scores, units, chain);
    return { scores, logProbs, fillerScore: filler, found: search.best() };
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
    }
  }

  private findings(weighed: Iterable<Weighed>): Finding[] {
    const levels = this.levels.subarray(0, this.steps);
    return [...weighed].flatMap((w) => findingOf(w, levels, this.context) ?? []);
  }

  private answer(decided: Decided): Heard {
    const { meaning, told, phones, ratios, second, evidence, score, certainty } = decided;
    const confidence = meaning.refuse === true ? 0 : probabilityOf(score, this.context.confidence);
    const ambiguous = meaning.minConfidence === undefined && certainty < this.context.minCertainty;
    const reason = this.reasonAgainst(confidence, ambiguous, meaning, evidence);
    const heardWords = this.heardWords(told, phones, ratios);
    const endMs = heardWords.at(-1)?.endMs ?? this.durationMs;
    return {
      accepted: reason === undefined,
      ...(reason === undefined ? {} : { reason }),
      ...(ambiguous ? { ambiguous: true as const } : {}),
      text: this.textOf(told.map((w) => w.word)),
      intent: meaning.refuse === true ? null : meaning.intent,
      slots: meaning.slots,
      ...(meaning.confirm === true ? { confirm: true } : {}),
      said: meaning.said,
      confidence,
      words: heardWords,
      startSample: this.startSample,
      endSample: this.startSample + Math.round(endMs * this.context.samplesPerMs),
      startMs: heardWords[0]?.startMs ?? 0,
      endMs,
      ...(second === undefined
        ? {}
        : {
            second: { text: this.textOf(second.words.map((w) => w.word)), margin: second.margin },
          }),
      evidence: { ...evidence },
    };
  }

  private reasonAgainst(
    confidence: number,
    ambiguous: boolean,
    meaning: Interpretation,
    evidence: Evidence,
  ): RejectReason | undefined {
    if (this.full) return 'too-long';
    if (meaning.refuse === true) return 'not-a-command';
    if (confidence >= (meaning.minConfidence ?? this.context.minConfidence))
      return ambiguous ? 'ambiguous' : undefined;
    return evidence.llrMean < notACommandRatio ? 'not-a-command' : 'low-confidence';
  }

  private heardWords(
    words: readonly SentenceWord[],
    phones: readonly AlignedPhone[],
    ratios: readonly number[],
  ): HeardWord[] {
    const { stepMs, lookaheadMs, grammar } = this.context;
    return words.map(({ word, startFrame, endFrame }, position) => {
      const own = phones.flatMap((p, i) => (p.word === position ? [ratios[i] ?? 0] : []));
      const ratio = own.reduce((a, b) => a + b, 0) / Math.max(own.length, 1);
      return {
        word: grammar.graph.words[word] ?? '',
        startMs: Math.round(startFrame * stepMs),
        endMs: Math.round((endFrame + 1) * stepMs + lookaheadMs),
        confidence: Number(wordConfidence(ratio).toFixed(3)),
      };
    });
  }

  private nothing(): Heard {
    return {
      accepted: false,
      reason: this.full ? 'too-long' : 'noise',
      text: '',
      intent: null,
      slots: {},
      confidence: 0,
      words: [],
      startSample: this.startSample,
      endSample: this.startSample + Math.round(this.durationMs * this.context.samplesPerMs),
      startMs: 0,
      endMs: this.durationMs,
      evidence: {},
    };
  }

  private textOf(words: readonly number[]): string {
    const { graph, hidden } = this.context.grammar;
    return words.flatMap((w) => (w === hidden ? [] : [graph.words[w] ?? ''])).join(' ');
  }
}

function larger(old: Float32Array, size: number): Float32Array<ArrayBuffer> {
  const fresh = new Float32Array(size);
  fresh.set(old);
  return fresh;
}
