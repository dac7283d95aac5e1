export interface Spotted {
  /** Mean likelihood ratio of a phone, and a share of the worst one's; at most 0. */
  readonly score: number;
  /** Frames since the spotter began: of the first phone, and of the last. */
  readonly startFrame: number;
  readonly endFrame: number;
}

export interface SpotterOptions {
  readonly variants: readonly (readonly number[])[];
  readonly threshold: number;
  /** Frames in which nothing is spotted after something was. */
  readonly refractoryFrames: number;
}

/** A score counts once nothing better has come for this many frames. */
const settleFrames = 3;
/** A phone may take this many frames on average; slower tokens are dropped. */
const framesAPhoneMax = 9;
/** How much the worst phone weighs beside the mean of all: it tells look-alikes from the phrase. */
const worstShare = 0.15;

/**
 * Finds a phrase in an endless stream: CTC token passing over its phones beside a loop of all phones
 * as the background (Rose and Paul, 1990). Each frame may begin the phrase; a token's score is its
 * likelihood ratio to the best unit of every frame that it covers, so the background's score is 0 and
 * needs no token. The work of a frame is a few operations a phone, whatever came before.
 */
export class WakeSpotter {
  private frame = 0;
  private quietUntil = 0;
  private best: Spotted | null = null;
  private readonly tracks: readonly Track[];

  constructor(private readonly options: SpotterOptions) {
    this.tracks = options.variants.map((phones) => new Track(phones));
  }

  /** Longest stretch that a phrase can cover, in frames: what must be kept to hear it again. */
  get reachFrames(): number {
    return Math.max(...this.tracks.map((t) => t.framesMax)) + settleFrames + 1;
  }

  get frames(): number {
    return this.frame;
  }

  /**
   * One frame of log-probabilities, unit 0 blank, as the network gives them. Not the scores of the search: weights that
   * were fitted to tell sentences of one grammar apart make other speech look like the phrase.
   */
  feed(scores: Float32Array, at: number, units: number): Spotted | null {
    let top = -Infinity;
    for (let u = 0; u < units; u++) top = Math.max(top, scores[at + u] ?? -Infinity);
    for (const track of this.tracks) {
      track.step(scores, at, top, this.frame);
      const { score } = track;
      if (this.frame < this.quietUntil || score < this.options.threshold) continue;
      if (this.best === null || score > this.best.score)
        this.best = { score, startFrame: track.startFrame, endFrame: this.frame };
    }
    this.frame++;
    if (this.best === null || this.frame - 1 - this.best.endFrame < settleFrames) return null;
    const found = this.best;
    this.best = null;
    this.quietUntil = this.frame + this.options.refractoryFrames;
    if (this.options.refractoryFrames > 0) for (const track of this.tracks) track.clear();
    return found;
  }
}

/** Tokens of one way to say the phrase: cell 2j is phone j, cell 2j + 1 the blanks after it. */
class Track {
  readonly framesMax: number;
  private readonly total: Float64Array;
  private readonly began: Int32Array;
  /** Ratio of the phone being said, and of the worst before it. */
  private readonly own: Float64Array;
  private readonly worst: Float64Array;

  constructor(private readonly phones: readonly number[]) {
    this.framesMax = phones.length * framesAPhoneMax;
    const cells = 2 * phones.length;
    this.total = new Float64Array(cells).fill(-Infinity);
    this.began = new Int32Array(cells);
    this.own = new Float64Array(cells);
    this.worst = new Float64Array(cells);
  }

  clear(): void {
    this.total.fill(-Infinity);
  }

  get startFrame(): number {
    return this.began[this.last] ?? 0;
  }

  /** Of the tokens that stand at the last phone. */
  get score(): number {
    const mean = (this.total[this.last] ?? -Infinity) / this.phones.length;
    return mean + worstShare * Math.min(this.worst[this.last] ?? 0, this.own[this.last] ?? 0);
  }

  private get last(): number {
    return 2 * (this.phones.length - 1);
  }

  step(scores: Float32Array, at: number, top: number, frame: number): void {
    const blank = (scores[at] ?? -Infinity) - top;
    // From the end, so that a cell still sees the last frame's tokens of the cells before it.
    for (let j = this.phones.length - 1; j >= 0; j--) {
      const unit = this.phones[j] ?? 0;
      const said = (scores[at + unit] ?? -Infinity) - top;
      const cell = 2 * j;
      this.stayOrTake(cell + 1, cell, blank);
      if (j === 0) this.enter(said, frame);
      else {
        const before = this.phones[j - 1] === unit ? [cell - 1] : [cell - 1, cell - 2];
        this.advance(cell, before, said);
      }
      for (const c of [cell, cell + 1])
        if (frame - (this.began[c] ?? 0) >= this.framesMax) this.total[c] = -Infinity;
    }
  }

  /** Blanks after a phone: more of them, or the first. */
  private stayOrTake(cell: number, from: number, cost: number): void {
    if ((this.total[from] ?? 0) > (this.total[cell] ?? 0)) this.copy(cell, from);
    this.add(cell, cost);
  }

  /** A phone: more of it, or the step to it from what came before. */
  private advance(cell: number, before: readonly number[], cost: number): void {
    let best = cell;
    for (const from of before) if ((this.total[from] ?? 0) > (this.total[best] ?? 0)) best = from;
    if (best !== cell) {
      this.copy(cell, best);
      this.worst[cell] = Math.min(this.worst[cell] ?? 0, this.own[cell] ?? 0);
      this.own[cell] = 0;
    }
    this.add(cell, cost);
  }

  /** The first phone may begin at any frame: the background's score is 0. */
  private enter(cost: number, frame: number): void {
    if ((this.total[0] ?? -Infinity) < 0) {
      this.total[0] = 0;
      this.own[0] = 0;
      this.worst[0] = 0;
      this.began[0] = frame;
    }
    this.add(0, cost);
  }

  private copy(to: number, from: number): void {
    this.total[to] = this.total[from] ?? -Infinity;
    this.began[to] = this.began[from] ?? 0;
    this.own[to] = this.own[from] ?? 0;
    this.worst[to] = this.worst[from] ?? 0;
  }

  private add(cell: number, cost: number): void {
    this.total[cell] = (this.total[cell] ?? -Infinity) + cost;
    this.own[cell] = (this.own[cell] ?? 0) + cost;
  }
}
