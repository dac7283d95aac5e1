import type { Decoding } from '../../bundle/index.js';
import type { Acoustic, AcousticStream } from '../acoustic.js';
import { scoresOf } from '../scores.js';
import type { DictationGraph } from './dictation-graph.js';
import { defaultLimits, type SearchLimits } from './dictation-search.js';
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
}

const logHalf = Math.log(0.5);
/** Steps with a phone that a segment needs: a click has fewer. */
const phoneStepsMin = 2;

/**
 * Speech without an end as segments: rows of features in, segments out. Each segment has a network state and a search of its own,
 * and is cut where a group of rows ends, so that it does not matter in which pieces the rows come.
 */
export class DictationStream {
  private network: AcousticStream;
  private dictation: Dictation;
  private pending: Float32Array;
  private pendingRows = 0;
  /** Of the segment: its first step in the stream, steps so far, steps since the last phone, steps with a phone. */
  private first = 0;
  private steps = 0;
  private quiet = 0;
  private phones = 0;
  /** Step at which the words were last committed. */
  private committedAt = 0;
  private readonly pauseSteps: number;
  private readonly commitSteps: number;
  private readonly stepsMax: number;

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
    this.dictation.feed(scoresOf(data, this.decoding), units);
    for (let t = 0; t < steps; t++) {
      const phone = (data[t * units] ?? 0) < logHalf;
      this.quiet = phone ? 0 : this.quiet + 1;
      if (phone) this.phones++;
    }
    this.steps += steps;
  }

  private cut(): DictatedSegment[] {
    const paused = this.quiet >= this.pauseSteps && this.phones > 0;
    if (paused || this.steps - this.committedAt >= this.stepsMax) return this.end();
    if (this.steps - this.committedAt < this.commitSteps) return [];
    const words = this.dictation.commit();
    if (words.length > 0) this.committedAt = this.steps;
    return this.segmentOf(words);
  }

  private end(): DictatedSegment[] {
    const said = this.phones >= phoneStepsMin ? this.dictation.finish().words : [];
    const segments = this.segmentOf(said);
    this.first += this.steps;
    this.steps = 0;
    this.quiet = 0;
    this.phones = 0;
    this.committedAt = 0;
    this.network = this.acoustic.begin();
    this.dictation = this.fresh();
    return segments;
  }

  private segmentOf(words: readonly DictatedWord[]): DictatedSegment[] {
    const [first, last] = [words[0], words.at(-1)];
    if (first === undefined || last === undefined) return [];
    const msOf = (frame: number) => (this.first + frame) * this.options.stepMs;
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
      },
    ];
  }

  private fresh(): Dictation {
    return new Dictation(this.graph, this.options.limits ?? defaultLimits);
  }
}
