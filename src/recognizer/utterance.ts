import type { Confidence, Decoding } from '../bundle/index.js';
import type { Heard, HeardWord, RejectReason } from '../records.js';
import type { Acoustic, AcousticStream, LogProbs } from './acoustic.js';
import {
  certaintyOf,
  gatherEvidence,
  phoneRatios,
  probabilityOf,
  scoreOf,
  speechFrames,
  wordConfidence,
  type Evidence,
} from './confidence.js';
import type { CompiledGrammar, Interpretation } from './graph.js';
import { levelOf } from './level.js';
import { scoresOf, weighted } from './scores.js';
import { alignSentence, type AlignedPhone } from './search/align.js';
import { Filler, fillerScore } from './search/filler.js';
import { runnersUp, type RunnersUp } from './search/runners-up.js';
import { TokenSearch, type Candidate } from './search/token-search.js';
import type { SentenceWord } from './search/word-history.js';

/** Sentences kept at each place of the second search: enough that one of them usually means something else. */
const runnersUpKept = 16;
/** A sentence this far below the best one, as a logarithm of likelihoods, is no rival. */
const runnersUpWindow = 30;
/** Larger graphs are searched once only: the second pass would be heard as latency. Their margin counts as none. */
const secondPassArcsMax = 250_000;
/** In graphs larger than this only the first weighting counts: each costs a search after the last word. */
const weightingsArcsMax = 15_000;
/** Fewer frames with a phone than this are no speech. */
const speechFramesMin = 3;
/** A sentence this far from what was said, per phone, is no command at all. */
const notACommandRatio = -3;
/** A sentence that lags this far behind any phones at all, in nats, will not be one that is accepted. */
const hopelessLag = 10;

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
  readonly stepMs: number;
  readonly samplesPerMs: number;
  /** What one step looks at beyond its own 1/stepMs, in ms. */
  readonly lookaheadMs: number;
  readonly maxSteps: number;
}

/** An utterance under certain weights of priors and blank, and what comes out of it. */
interface Weighed {
  readonly scores: Float32Array;
  /** What the network said; where the utterance has a prior of its own, with that taken off. */
  readonly logProbs: Float32Array;
  /** Score of any phones in any order; absent in a bundle without a phone chain. */
  readonly fillerScore: number | undefined;
  /** Of the complete sentences at most one, the best. */
  readonly found: readonly Candidate[];
}

/** What one weighting says, and the score that its confidence is made of. */
interface Judged {
  readonly heard: Heard;
  readonly score: number;
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
      this.levels[this.rows++] = levelOf(rows.subarray(at, at + dim));
    }
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
    let most = this.judge({ scores, logProbs, fillerScore: this.filler?.score, found });
    for (const weighed of this.weighAgain(logProbs)) {
      const judged = this.judge(weighed);
      if (most === undefined || (judged !== undefined && judged.score > most.score)) most = judged;
    }
    return most?.heard ?? this.nothing();
  }

  /** The whole utterance under the bundle's other weightings. */
  private *weighAgain(logProbs: Float32Array): Generator<Weighed> {
    const { decoding, grammar, acoustic, confidence } = this.context;
    if (grammar.graph.arcUnit.length > weightingsArcsMax) return;
    const { units } = acoustic;
    for (const weighting of decoding.weightings ?? []) {
      const { scores, logProbs: corrected } = weighted(logProbs, decoding, weighting);
      const search = new TokenSearch(grammar.graph);
      for (let at = 0; at < scores.length; at += units) search.feed(scores, at);
      const { chain } = confidence;
      const filler = chain === undefined ? undefined : fillerScore(scores, units, chain);
      yield {
        scores,
        logProbs: corrected,
        fillerScore: filler,
        found: search.best(),
      };
    }
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

  private candidates({ scores, found }: Weighed): RunnersUp {
    const { graph } = this.context.grammar;
    const [best] = found;
    if (best === undefined || graph.arcUnit.length > secondPassArcsMax)
      return { candidates: found, crowded: true };
    return runnersUp(graph, scores, this.context.acoustic.units, {
      best: best.score,
      window: runnersUpWindow,
      k: runnersUpKept,
    });
  }

  private different(
    meaning: Interpretation,
    others: readonly Candidate[],
  ): { candidate: Candidate; meaning: Interpretation } | undefined {
    for (const candidate of others.slice(0, 50)) {
      const other = this.context.grammar.interpret(candidate.words.map((w) => w.word));
      if (other.key !== meaning.key) return { candidate, meaning: other };
    }
    return undefined;
  }

  private judge(weighed: Weighed): Judged | undefined {
    const { scores } = weighed;
    const { candidates, crowded } = this.candidates(weighed);
    const [best, ...others] = candidates;
    if (best === undefined) return undefined;
    const meaning = this.context.grammar.interpret(best.words.map((w) => w.word));
    const second = this.different(meaning, others);
    // With no other meaning in sight there is none within the window, or within the last runner-up.
    const last = crowded ? (others.at(-1) ?? best).score : -Infinity;
    const margin = best.score - (second?.candidate.score ?? last);
    const { units } = this.context.acoustic;
    const told = this.told(best);
    const begin = this.beginOf(best);
    const rest = scores.subarray(begin * units);
    const { phones, score: sentenceScore } = this.aligned(told, rest);
    const ratios = phoneRatios(phones, rest, units);
    const evidence = gatherEvidence({
      phones,
      sentenceScore,
      fillerScore: this.fillerFrom(begin, rest, weighed.fillerScore),
      ratios,
      scores: rest,
      units,
      logProbs: weighed.logProbs.subarray(begin * units),
      levels: this.levels.subarray(begin, this.steps),
      margin,
      secondPhones:
        second === undefined
          ? null
          : this.aligned(this.told(second.candidate), rest).phones.map((p) => p.unit),
      sentences: this.context.grammar.sentences,
      stepMs: this.context.stepMs,
    });
    const score = scoreOf({ ...evidence }, this.context.confidence);
    const confidence = meaning.refuse === true ? 0 : probabilityOf(score, this.context.confidence);
    const certainty = certaintyOf({ ...evidence }, this.context.confidence);
    const ambiguous = meaning.minConfidence === undefined && certainty < this.context.minCertainty;
    const reason = this.reasonAgainst(confidence, ambiguous, meaning, evidence);
    const heardWords = this.heardWords(told, phones, ratios);
    const endMs = heardWords.at(-1)?.endMs ?? this.durationMs;
    const heard: Heard = {
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
            second: {
              text: this.textOf(second.candidate.words.map((w) => w.word)),
              margin: best.score - second.candidate.score,
            },
          }),
      evidence: { ...evidence },
    };
    return { heard, score };
  }

  /** The words without a wake phrase. */
  private told({ words }: Candidate): SentenceWord[] {
    return words.filter((w) => w.word !== this.context.grammar.hidden);
  }

  private fillerFrom(
    begin: number,
    rest: Float32Array,
    ofAll: number | undefined,
  ): number | undefined {
    const { chain } = this.context.confidence;
    if (begin === 0 || chain === undefined) return ofAll;
    return fillerScore(rest, this.context.acoustic.units, chain);
  }

  /** Where the sentence may begin: after a wake phrase. */
  private beginOf({ words: [first] }: Candidate): number {
    return first !== undefined && first.word === this.context.grammar.hidden
      ? first.endFrame + 1
      : 0;
  }

  private aligned(words: readonly SentenceWord[], scores: Float32Array) {
    return alignSentence(
      words.map(({ word }) => this.context.grammar.phonesOf(word)),
      scores,
      this.context.acoustic.units,
    );
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
