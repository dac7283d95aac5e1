import type { DecodingGraph } from '../graph.js';

/** Rows kept at once when all would take more than this many values: 16 MB. */
const valuesMax = 4_000_000;
const segmentFrames = 16;

/**
 * The best score that the frames after `t` can still add, for a token on each arc and at each state: the
 * same Viterbi as the search, run backwards. With it a search forward goes only where a good sentence
 * can come of it, and loses nothing (Soong and Huang, 1991, the other way round).
 *
 * Asked frame after frame. Of long utterances and large graphs only each 16th row is kept and the
 * others are made again when they are needed.
 */
export class RestBound {
  private readonly frames: number;
  private readonly arcs: number;
  private readonly width: number;
  private readonly length: number;
  /** Row at the first frame of each segment but the first. */
  private readonly heads: Float32Array[] = [];
  private segment = -1;
  /** The rows of the segment, in one piece: a row each would be a buffer each. */
  private readonly rows: Float32Array;
  private readonly outScore: Float64Array;
  private readonly outUnit: Int32Array;
  private readonly otherScore: Float64Array;
  private readonly stays: Float64Array;
  private readonly pauses: Float64Array;

  constructor(
    private readonly graph: DecodingGraph,
    private readonly scores: Float32Array,
    private readonly units: number,
    kept = valuesMax,
  ) {
    this.frames = scores.length / units;
    this.arcs = graph.arcUnit.length;
    this.width = this.arcs + graph.states;
    this.length = this.frames * this.width <= kept ? Math.max(1, this.frames) : segmentFrames;
    this.outScore = new Float64Array(graph.states);
    this.outUnit = new Int32Array(graph.states);
    this.otherScore = new Float64Array(graph.states);
    this.stays = new Float64Array(this.arcs);
    this.pauses = new Float64Array(graph.states);
    this.rows = new Float32Array(Math.min(this.length, this.frames) * this.width);
    const segments = Math.ceil(this.frames / this.length);
    for (let s = segments - 1; s >= 0; s--) {
      this.load(s);
      if (s > 0) this.heads[s] = this.row(0).slice();
    }
  }

  /** What frames t + 1 and later add at best: arcs first, then states (after blank). -Infinity: no sentence comes of it. */
  after(t: number): Float32Array {
    const segment = Math.floor(t / this.length);
    if (segment !== this.segment) this.load(segment);
    return this.row(t - segment * this.length);
  }

  /** Score of the best sentence, in single precision; -Infinity: there is none. */
  get best(): number {
    if (this.frames === 0) return this.graph.final[0] === 1 ? 0 : -Infinity;
    const row = new Float32Array(this.width);
    this.before(0, this.after(0), row);
    return row[this.firstState] ?? -Infinity;
  }

  /** Index of a state in such a row. */
  get firstState(): number {
    return this.arcs;
  }

  private row(i: number): Float32Array {
    return this.rows.subarray(i * this.width, (i + 1) * this.width);
  }

  private load(segment: number): void {
    const from = segment * this.length;
    const to = Math.min(from + this.length, this.frames);
    let later = this.heads[segment + 1];
    for (let t = to - 1; t >= from; t--) {
      const row = this.row(t - from);
      if (later === undefined) this.atTheEnd(row);
      else this.before(t + 1, later, row);
      later = row;
    }
    this.segment = segment;
  }

  private atTheEnd(row: Float32Array): void {
    const { arcTarget, arcWord, final } = this.graph;
    row.fill(-Infinity);
    for (let a = 0; a < this.arcs; a++)
      if ((arcWord[a] ?? -1) >= 0 && final[arcTarget[a] ?? 0] === 1) row[a] = 0;
    for (let s = 0; s < this.graph.states; s++) if (final[s] === 1) row[this.arcs + s] = 0;
  }

  /** The row before frame `t`, from the one after it. */
  private before(t: number, later: Float32Array, row: Float32Array): void {
    const { graph, scores, arcs, outScore, outUnit, otherScore, stays, pauses } = this;
    const { arcStart, arcUnit, arcTarget, arcCost } = graph;
    const at = t * this.units;
    const blank = scores[at] ?? -Infinity;
    for (let s = 0, a = 0; s < graph.states; s++) {
      let best = -Infinity;
      let unitOfBest = 0;
      let other = -Infinity;
      for (const end = arcStart[s + 1] ?? 0; a < end; a++) {
        const unit = arcUnit[a] ?? 0;
        const staying = (later[a] ?? -Infinity) + (scores[at + unit] ?? -Infinity);
        stays[a] = staying;
        const score = arcCost === undefined ? staying : staying - (arcCost[a] ?? 0);
        if (score > best) {
          if (unit !== unitOfBest) other = best;
          best = score;
          unitOfBest = unit;
        } else if (score > other && unit !== unitOfBest) other = score;
      }
      outScore[s] = best;
      outUnit[s] = unitOfBest;
      otherScore[s] = other;
      const paused = (later[arcs + s] ?? -Infinity) + blank;
      pauses[s] = paused;
      row[arcs + s] = paused > best ? paused : best;
    }
    for (let a = 0; a < arcs; a++) {
      const s = arcTarget[a] ?? 0;
      let most = stays[a] ?? -Infinity;
      const pause = pauses[s] ?? -Infinity;
      if (pause > most) most = pause;
      const leave = (outUnit[s] === arcUnit[a] ? otherScore[s] : outScore[s]) ?? -Infinity;
      row[a] = leave > most ? leave : most;
    }
  }
}
