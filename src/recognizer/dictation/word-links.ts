const none = -1;

/** Nodes beyond which dead ones are looked for. */
const compactAbove = 32_768;

/**
 * What was said, as a net of words. A node is a place between two words at one moment; it knows the word that ends there
 * on the best way to it, the node before that word, and, in a list, other ways that came to the same place with less.
 * Numbers only, so that thousands may be made in a second.
 */
export class WordLinks {
  private count = 0;
  private links = 0;
  private compactAt = compactAbove;
  /** Score of the beginning, and the frame after which it lies. */
  baseScore = 0;
  baseEnd = -1;
  word = new Int32Array(1024);
  before = new Int32Array(1024);
  /** First frame of the word, and last one. */
  start = new Int32Array(1024);
  end = new Int32Array(1024);
  /** Score of the best way to here, language model and all. */
  score = new Float64Array(1024);
  /** ln P of the word by the language model. */
  language = new Float32Array(1024);
  /** First of the other ways, or -1. */
  other = new Int32Array(1024);
  otherWord = new Int32Array(1024);
  otherBefore = new Int32Array(1024);
  otherStart = new Int32Array(1024);
  otherScore = new Float64Array(1024);
  otherLanguage = new Float32Array(1024);
  otherNext = new Int32Array(1024);

  get size(): number {
    return this.count;
  }

  get others(): number {
    return this.links;
  }

  get crowded(): boolean {
    return this.count > this.compactAt || this.links > 2 * this.compactAt;
  }

  add(
    word: number,
    before: number,
    start: number,
    end: number,
    score: number,
    language: number,
  ): number {
    if (this.count === this.word.length) this.growNodes();
    const node = this.count++;
    this.word[node] = word;
    this.before[node] = before;
    this.start[node] = start;
    this.end[node] = end;
    this.score[node] = score;
    this.language[node] = language;
    this.other[node] = none;
    return node;
  }

  /** The same place once more, with the same ways to it. */
  copy(node: number): number {
    const made = this.add(
      this.word[node] ?? 0,
      this.before[node] ?? none,
      this.start[node] ?? 0,
      this.end[node] ?? 0,
      this.score[node] ?? 0,
      this.language[node] ?? 0,
    );
    this.other[made] = this.other[node] ?? none;
    return made;
  }

  /** A better way to the same place; what was best there is an alternative from now on. */
  improve(
    node: number,
    word: number,
    before: number,
    start: number,
    score: number,
    language: number,
  ): void {
    this.addOther(
      node,
      this.word[node] ?? 0,
      this.before[node] ?? none,
      this.start[node] ?? 0,
      this.score[node] ?? 0,
      this.language[node] ?? 0,
    );
    this.word[node] = word;
    this.before[node] = before;
    this.start[node] = start;
    this.score[node] = score;
    this.language[node] = language;
  }

  addOther(
    node: number,
    word: number,
    before: number,
    start: number,
    score: number,
    language: number,
  ): void {
    if (this.links === this.otherWord.length) this.growLinks();
    const link = this.links++;
    this.otherWord[link] = word;
    this.otherBefore[link] = before;
    this.otherStart[link] = start;
    this.otherScore[link] = score;
    this.otherLanguage[link] = language;
    this.otherNext[link] = this.other[node] ?? none;
    this.other[node] = link;
  }

  /** Nodes of the best way to `node`, first word first. */
  path(node: number): number[] {
    const nodes: number[] = [];
    for (let at = node; at >= 0; at = this.before[at] ?? none) nodes.push(at);
    return nodes.reverse();
  }

  /** The last node that the best ways to all of `roots` go through; -1: there is none. */
  shared(roots: readonly (readonly [Int32Array, number])[]): number {
    const seen = new Uint8Array(this.count);
    let open = 0;
    for (const [list, length] of roots)
      for (let i = 0; i < length; i++) {
        const node = list[i] ?? none;
        if (node === unused) continue;
        if (node < 0) return none;
        if (seen[node] === 1) continue;
        seen[node] = 1;
        open++;
      }
    for (let node = this.count - 1; node >= 0; node--) {
      if (seen[node] === 0) continue;
      if (open === 1) return node;
      const before = this.before[node] ?? none;
      if (before < 0) return none;
      if (seen[before] === 1) open--;
      else seen[before] = 1;
    }
    return none;
  }

  /**
   * Forgets what no way to `roots` goes through, and renumbers the roots. With `trunk` all up to this node is forgotten as
   * well: it becomes the beginning, and alternatives that go round it are dropped.
   */
  compact(roots: readonly (readonly [Int32Array, number])[], trunk = none): void {
    const alive = new Int32Array(this.count);
    for (const [list, length] of roots)
      for (let i = 0; i < length; i++) {
        const node = list[i] ?? none;
        if (node > trunk) alive[node] = 1;
      }
    for (let node = this.count - 1; node > trunk; node--) {
      if (alive[node] === 0) continue;
      const before = this.before[node] ?? none;
      if (before > trunk) alive[before] = 1;
      for (let l = this.other[node] ?? none; l >= 0; l = this.otherNext[l] ?? none) {
        const from = this.otherBefore[l] ?? none;
        if (from > trunk) alive[from] = 1;
      }
    }
    if (trunk >= 0) {
      this.baseScore = this.score[trunk] ?? 0;
      this.baseEnd = this.end[trunk] ?? -1;
    }
    this.move(alive, trunk);
    for (const [list, length] of roots)
      for (let i = 0; i < length; i++) {
        const node = list[i] ?? none;
        if (node >= 0) list[i] = node > trunk ? (alive[node] ?? none) : none;
      }
    this.compactAt = Math.max(compactAbove, 2 * this.count);
  }

  /** Moves the nodes that are alive together; `alive` holds their new numbers after. */
  private move(alive: Int32Array, trunk: number): void {
    const links = {
      word: this.otherWord.slice(0, this.links),
      before: this.otherBefore.slice(0, this.links),
      start: this.otherStart.slice(0, this.links),
      score: this.otherScore.slice(0, this.links),
      language: this.otherLanguage.slice(0, this.links),
      next: this.otherNext.slice(0, this.links),
    };
    this.links = 0;
    let kept = 0;
    const renumbered = (node: number) => (node > trunk ? (alive[node] ?? none) : none);
    /** Whether a way from this node goes through the trunk. */
    const joined = (node: number) =>
      trunk < 0 || node === trunk || (node > trunk && (alive[node] ?? none) >= 0);
    for (let node = trunk + 1; node < alive.length; node++) {
      if (alive[node] === 0) {
        alive[node] = none;
        continue;
      }
      const before = this.before[node] ?? none;
      if (!joined(before)) {
        alive[node] = none;
        continue;
      }
      const to = kept++;
      const first = this.other[node] ?? none;
      this.word[to] = this.word[node] ?? 0;
      this.before[to] = renumbered(before);
      this.start[to] = this.start[node] ?? 0;
      this.end[to] = this.end[node] ?? 0;
      this.score[to] = this.score[node] ?? 0;
      this.language[to] = this.language[node] ?? 0;
      this.other[to] = none;
      alive[node] = to;
      for (let l = first; l >= 0; l = links.next[l] ?? none) {
        const from = links.before[l] ?? none;
        if (!joined(from)) continue;
        this.addOther(
          to,
          links.word[l] ?? 0,
          renumbered(from),
          links.start[l] ?? 0,
          links.score[l] ?? 0,
          links.language[l] ?? 0,
        );
      }
    }
    this.count = kept;
  }

  private growNodes(): void {
    const size = 2 * this.count;
    this.word = grown(this.word, new Int32Array(size));
    this.before = grown(this.before, new Int32Array(size));
    this.start = grown(this.start, new Int32Array(size));
    this.end = grown(this.end, new Int32Array(size));
    this.score = grown(this.score, new Float64Array(size));
    this.language = grown(this.language, new Float32Array(size));
    this.other = grown(this.other, new Int32Array(size));
  }

  private growLinks(): void {
    const size = 2 * this.links;
    this.otherWord = grown(this.otherWord, new Int32Array(size));
    this.otherBefore = grown(this.otherBefore, new Int32Array(size));
    this.otherStart = grown(this.otherStart, new Int32Array(size));
    this.otherScore = grown(this.otherScore, new Float64Array(size));
    this.otherLanguage = grown(this.otherLanguage, new Float32Array(size));
    this.otherNext = grown(this.otherNext, new Int32Array(size));
  }
}

/** In a list of roots: no node, not even the beginning. */
export const unused = -2;

function grown<T extends Int32Array | Float64Array | Float32Array>(old: T, fresh: T): T {
  fresh.set(old);
  return fresh;
}
