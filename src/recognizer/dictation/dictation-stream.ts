import type { Decoding } from '../../bundle/index.js';
import type { Acoustic, AcousticStream } from '../acoustic.js';
import { scoresOf } from '../scores.js';
import type { DictationGraph } from './dictation-graph.js';
import { defaultLimits, type SearchLimits } from './dictation-search.js';
import { segmentConfidence, type DictationEvidence } from './segment-confidence.js';
import { Dictation, type DictatedWord, type PartialDictation } from './dictation.js';

export interface StreamOptions {
  readonly stepMs: number;
  /** Rows that go through the network at once. */
  readonly chunkSteps: number;
  /** So much quiet ends a segment. */
  readonly pauseMs?: number;
  /** Of a longer segment the words that are committed are handed out and forgotten. */
  readonly commitMs?: number;
  /** A segment that has nothing committed for so long ends as it is. */
  readonly segmentMsMax?: number;
  readonly limits?: SearchLimits;
}

/** What was said between two pauses, or the committed beginning of it. Times from the beginning of the stream. */
export interface DictatedSegment {
  readonly startMs: number;
  readonly endMs: number;
  readonly words: readonly {
    readonly word: string;
    readonly startMs: number;
    readonly endMs: number;
    readonly confidence: number;
  }[];
  /** Probability that it was speech, as the daemon's messages have it; of each word there is another. */
  readonly confidence: number;
  readonly evidence: DictationEvidence;
}

const logHalf = Math.log(0.5);
/** Steps with a phone that a segment needs: a click has fewer. */
const phoneStepsMin = 2;
/** Kept from before the first phone. Until then nothing is searched, so silence costs no more than the network. */
export const leadMs = 300;
/** While nobody speaks the network starts afresh this often, so that no old state builds up. */
export const idleRefreshMs = 15_000;
/** At a pause only a network that is older: one that starts afresh hears the first words worse (bench/notes). */
const refreshMs = 60_000;

/**
 * Speech without an end as segments: rows of features in, segments out. Each segment has a search of its own; the network's
 * state goes on over pauses. Cut is where a group of rows ends, so that it does not matter in which pieces the rows come.
 */
export class DictationStream {
  private network: AcousticStream;
  /** Steps since the network began. */
  private age = 0;
  private dictation: Dictation;
  private pending: Float32Array;
  private pendingRows = 0;
  /** Of the segment: its first step in the stream, steps so far, steps since the last phone, steps with a phone. */
  private first = 0;
  private steps = 0;
  private quiet = 0;
  private phones = 0;
  /** Scores of the last steps before the first phone, and how many steps before them were left out. */
  private waiting: Float32Array[] = [];
  private skipped = 0;
  /** Of the steps with a phone: those of words that were handed out. */
  private handedOut = 0;
  /** Step at which the words were last committed. */
  private committedAt = 0;
  private readonly pauseSteps: number;
  private readonly commitSteps: number;
  private readonly stepsMax: number;
  private readonly leadSteps: number;
  private readonly idleSteps: number;
  private readonly refreshSteps: number;

  constructor(
    private readonly acoustic: Acoustic,
    private readonly graph: DictationGraph,
    private readonly decoding: Omit<Decoding, 'weightings'>,
    private readonly options: StreamOptions,
  ) {
    const { stepMs, pauseMs = 600, commitMs = 15_000, segmentMsMax = 60_000 } = options;
    this.pauseSteps = Math.ceil(pauseMs / stepMs);
    this.commitSteps = Math.ceil(commitMs / stepMs);
    this.stepsMax = Math.ceil(segmentMsMax / stepMs);
    this.leadSteps = Math.ceil(leadMs / stepMs);
    this.idleSteps = Math.ceil(idleRefreshMs / stepMs);
    this.refreshSteps = Math.ceil(refreshMs / stepMs);
    this.network = acoustic.begin();
    this.dictation = this.fresh();
    this.pending = new Float32Array(options.chunkSteps * acoustic.dim);
  }

  /** Rows of features in; the segments that end with them out. */
  async feed(rows: Float32Array): Promise<DictatedSegment[]> {
    const { dim } = this.acoustic;
    const segments: DictatedSegment[] = [];
    for (let at = 0; at + dim <= rows.length; at += dim) {
      this.pending.set(rows.subarray(at, at + dim), this.pendingRows * dim);
      this.pendingRows++;
      if (this.pendingRows < this.options.chunkSteps) continue;
      await this.runPending();
      segments.push(...this.cut());
    }
    return segments;
  }

  /** Whether a segment has begun. */
  get speaking(): boolean {
    return this.phones > 0;
  }

  partial(): PartialDictation {
    return this.dictation.partial();
  }

  /** What was being said when the audio ended. */
  async finish(): Promise<DictatedSegment[]> {
    await this.runPending();
    return this.end();
  }

  private async runPending(): Promise<void> {
    const { dim, units } = this.acoustic;
    if (this.pendingRows === 0) return;
    const rows = this.pending.slice(0, this.pendingRows * dim);
    this.pendingRows = 0;
    const { data, steps } = await this.network.feed(rows, true);
    const scores = scoresOf(data, this.decoding);
    for (let t = 0; t < steps; t++) {
      const phone = (data[t * units] ?? 0) < logHalf;
      this.quiet = phone ? 0 : this.quiet + 1;
      if (phone) this.phones++;
      this.search(scores.subarray(t * units, (t + 1) * units));
    }
    this.steps += steps;
    this.age += steps;
  }

  /** One step; until the first phone it waits. */
  private search(row: Float32Array): void {
    this.waiting.push(row);
    if (this.phones === 0) {
      if (this.waiting.length <= this.leadSteps) return;
      this.waiting.shift();
      this.skipped++;
      return;
    }
    for (const scores of this.waiting) this.dictation.feed(scores, row.length);
    this.waiting = [];
  }

  private cut(): DictatedSegment[] {
    if (this.phones === 0) {
      if (this.steps >= this.idleSteps) this.restart(true);
      return [];
    }
    const paused = this.quiet >= this.pauseSteps;
    if (paused || this.steps - this.committedAt >= this.stepsMax) return this.end();
    if (this.steps - this.committedAt < this.commitSteps) return [];
    const words = this.dictation.commit();
    if (words.length === 0) return [];
    this.committedAt = this.steps;
    return this.segmentOf(words);
  }

  private end(): DictatedSegment[] {
    const said = this.phones >= phoneStepsMin ? this.dictation.finish().words : [];
    const segments = this.segmentOf(said);
    this.restart();
    return segments;
  }

  private restart(idle = false): void {
    this.first += this.steps;
    this.steps = 0;
    this.quiet = 0;
    this.phones = 0;
    this.handedOut = 0;
    this.waiting = [];
    this.skipped = 0;
    this.committedAt = 0;
    this.dictation = this.fresh();
    if (!idle && this.age < this.refreshSteps) return;
    this.network = this.acoustic.begin();
    this.age = 0;
  }

  private segmentOf(words: readonly DictatedWord[]): DictatedSegment[] {
    const [first, last] = [words[0], words.at(-1)];
    if (first === undefined || last === undefined) return [];
    const evidence = this.evidenceOf(words);
    const msOf = (frame: number) => (this.first + this.skipped + frame) * this.options.stepMs;
    return [
      {
        startMs: msOf(first.startFrame),
        endMs: msOf(last.endFrame + 1),
        words: words.map(({ text, startFrame, endFrame, confidence }) => ({
          word: text,
          startMs: msOf(startFrame),
          endMs: msOf(endFrame + 1),
          confidence,
        })),
        confidence: segmentConfidence(evidence),
        evidence,
      },
    ];
  }

  private evidenceOf(words: readonly DictatedWord[]): DictationEvidence {
    const steps = (words.at(-1)?.endFrame ?? 0) + 1 - (words[0]?.startFrame ?? 0);
    const phones = this.phones - this.handedOut;
    this.handedOut = this.phones;
    return {
      wordMean: words.reduce((sum, word) => sum + word.confidence, 0) / words.length,
      words: words.length,
      phoneShare: phones / steps,
      fit: words.reduce((sum, word) => sum + word.fit, 0) / Math.max(1, phones),
    };
  }

  private fresh(): Dictation {
    return new Dictation(this.graph, this.options.limits ?? defaultLimits);
  }
}

/** Segments that follow each other as one; null for none. */
export function joinedSegment(parts: readonly DictatedSegment[]): DictatedSegment | null {
  const [first, last] = [parts[0], parts.at(-1)];
  if (first === undefined || last === undefined) return null;
  if (parts.length === 1) return first;
  const words = parts.reduce((sum, part) => sum + part.evidence.words, 0);
  const ms = (part: DictatedSegment) => part.endMs - part.startMs;
  const mean = (of: (part: DictatedSegment) => number, weight: (part: DictatedSegment) => number) =>
    parts.reduce((sum, part) => sum + weight(part) * of(part), 0) /
    parts.reduce((sum, part) => sum + weight(part), 0);
  const evidence: DictationEvidence = {
    wordMean: mean(
      (part) => part.evidence.wordMean,
      (part) => part.evidence.words,
    ),
    words,
    phoneShare: mean((part) => part.evidence.phoneShare, ms),
    fit: mean(
      (part) => part.evidence.fit,
      (part) => part.evidence.phoneShare * ms(part),
    ),
  };
  return {
    startMs: first.startMs,
    endMs: last.endMs,
    words: parts.flatMap((part) => part.words),
    confidence: segmentConfidence(evidence),
    evidence,
  };
}
