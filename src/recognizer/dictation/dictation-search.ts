import type { DictationGraph } from './dictation-graph.js';
import type { LanguageCache } from './language-cache.js';
import { TokenTable } from './token-table.js';
import { unused, WordLinks } from './word-links.js';

export interface SearchLimits {
  /** Tokens this much worse than the best, in nats, are dropped. */
  readonly beam: number;
  /** Of more tokens than this the best go on to the next frame. */
  readonly tokensMax: number;
  /** Other ways to a word that are this much worse than the best are not remembered. */
  readonly latticeBeam: number;
}

export const defaultLimits: SearchLimits = { beam: 13, tokensMax: 4000, latticeBeam: 8 };

/** Words beside a stretch that is searched alone. */
export interface Beside {
  /** Context of its first word; `<s>` unless it is given. */
  readonly context?: number;
  /** Number of the word after it; `</s>` unless it is given. */
  readonly next?: number;
}

/** Nodes with at most so many pronunciations below are asked for each of them, with the whole context. */
const exactMost = 3;

/** The row of the look-ahead is not known yet. */
const unasked = -2;

/** Tokens that there is room for while a frame is made, for each that may go on. */
const roomFactor = 4;

/**
 * CTC over the prefix tree of a vocabulary with an n-gram model, frame by frame: Viterbi by token passing. Tokens of the
 * same node, context of the language model and last label (or blank) are one, and the better way to it counts. So the
 * score of a sentence is its best alignment, as everywhere in this recogniser, and each word has times.
 *
 * The language model is applied early: a token's score holds the best that the words below its node can get, and what was
 * too much is taken back where the tree narrows.
 */
export class DictationSearch {
  readonly links = new WordLinks();
  private frame = 0;
  private current: TokenTable;
  private next: TokenTable;
  /** Tokens of `current` below it are dropped. */
  private cut = -Infinity;
  /** Best score, and least that counts, while a frame is made. */
  private best = -Infinity;
  private floor = -Infinity;
  private readonly cache: LanguageCache;
  /** The most that any context gives at the root. */
  private readonly rootMost: number;
  /** Of the look-ahead, for the token that is passed on. */
  private row = unasked;
  /** Figures of the whole run. */
  tokens = 0;
  framesAtLimit = 0;

  constructor(
    readonly graph: DictationGraph,
    readonly limits: SearchLimits = defaultLimits,
    private readonly beside: Beside = {},
  ) {
    const room = Math.max(1024, roomFactor * Math.min(limits.tokensMax, 2_000_000));
    this.current = new TokenTable(room);
    this.next = new TokenTable(room);
    this.cache = graph.cache;
    this.rootMost = graph.mostBonus;
    const context = beside.context ?? graph.model.begin;
    const start = this.current.at(0, context);
    const ahead = this.rootAhead(context);
    this.current.blank[start] = ahead;
    this.current.blankFrom[start] = -1;
    this.current.ahead[start] = ahead;
    this.links.baseScore = 0;
  }

  get frames(): number {
    return this.frame;
  }

  /** One frame of scores, one a unit, unit 0 blank. `at` is where the row begins. */
  feed(scores: Float32Array, at = 0): void {
    const { current, next } = this;
    next.clear();
    this.best = this.estimate(scores, at);
    this.floor = this.best - this.limits.beam;
    this.best = -Infinity;
    for (let token = 0; token < current.size; token++) this.pass(token, scores, at);
    if (next.size > next.capacity / 2) this.makeRoom(this.best);
    this.endWords();
    this.cut = this.floor;
    this.tokens += next.size;
    if (next.size > this.limits.tokensMax) {
      this.framesAtLimit++;
      this.cut = Math.max(this.floor, next.cutFor(this.limits.tokensMax, this.best, this.floor));
    }
    [this.current, this.next] = [next, current];
    this.frame++;
    if (this.links.crowded) this.compact();
  }

  /** What is certain to be reached in this frame: the best token as it stays where it is. */
  private estimate(scores: Float32Array, at: number): number {
    const { current } = this;
    const { tree } = this.graph;
    let most = -Infinity;
    let token = -1;
    for (let i = 0; i < current.size; i++) {
      const score = current.best(i);
      if (score <= most) continue;
      most = score;
      token = i;
    }
    if (token < 0) return -Infinity;
    const node = current.node[token] ?? 0;
    const blank = scores[at] ?? -Infinity;
    const leaf =
      node > 0 && node < tree.nodes && tree.childStart[node] === tree.childStart[node + 1];
    const paused = leaf ? -Infinity : most + blank;
    if (node === 0 || node >= tree.nodes) return paused;
    const stay = (current.label[token] ?? 0) + (scores[at + (tree.unit[node] ?? 0)] ?? -Infinity);
    return Math.max(paused, stay);
  }

  private pass(token: number, scores: Float32Array, at: number): void {
    const { current } = this;
    const { nodes, childStart, unit, ends, from: begins } = this.graph.tree;
    const label = current.label[token] ?? -Infinity;
    const blank = current.blank[token] ?? -Infinity;
    const labelled = label > blank;
    const score = labelled ? label : blank;
    if (score < this.cut) return;
    const place = current.node[token] ?? 0;
    const context = current.context[token] ?? 0;
    const ahead = current.ahead[token] ?? 0;
    const from = (labelled ? current.labelFrom[token] : current.blankFrom[token]) ?? -1;
    const start = (labelled ? current.labelStart[token] : current.blankStart[token]) ?? 0;
    // Between words there is one place after a blank, and one after each unit that a word has just ended with.
    const between = place === 0 || place >= nodes;
    const node = place >= nodes ? 0 : place;
    const last = place >= nodes ? place - nodes : (unit[place] ?? 0);
    const [first, end] = [childStart[node] ?? 0, childStart[node + 1] ?? 0];
    if (first < end) {
      const paused = score + (scores[at] ?? -Infinity);
      if (paused >= this.floor) this.putBlank(node, context, paused, from, start, ahead);
    }
    if (!between) {
      const stay = label + (scores[at + last] ?? -Infinity);
      if (stay >= this.floor)
        this.putLabel(
          node,
          context,
          stay,
          current.labelFrom[token] ?? -1,
          current.labelStart[token] ?? 0,
          ahead,
        );
    }
    this.row = unasked;
    const only = end - first === 1 && ends[node] === begins[node];
    for (let child = first; child < end; child++) {
      const phone = unit[child] ?? 0;
      let entered = score;
      let [enteredFrom, enteredStart] = [from, start];
      // The same unit twice needs a blank between.
      if (phone === last) {
        entered = blank;
        enteredFrom = current.blankFrom[token] ?? -1;
        enteredStart = current.blankStart[token] ?? 0;
      }
      entered += scores[at + phone] ?? -Infinity;
      if (!(entered >= this.floor)) continue;
      // Where a node has one child for all of its words, nothing is learnt.
      const childAhead = only ? ahead : this.aheadOf(child, context, ahead);
      entered += childAhead - ahead;
      if (!(entered >= this.floor)) continue;
      this.putLabel(
        child,
        context,
        entered,
        enteredFrom,
        between ? this.frame : enteredStart,
        childAhead,
      );
    }
  }

  /**
   * The best that the language model can still give below a node: exact where there are few words, by the word before where
   * there are many, and between them what it was at the node above.
   */
  private aheadOf(node: number, context: number, ahead: number): number {
    const { tree, lookAhead, bonus, weights } = this.graph;
    if ((lookAhead.wide[node] ?? 0) > 0) {
      if (this.row === unasked) this.row = lookAhead.row(context);
      return lookAhead.at(this.row, node);
    }
    const [from, to] = [tree.from[node] ?? 0, tree.to[node] ?? 0];
    if (to - from > exactMost) return ahead;
    const known = this.next.find(node, context);
    if (known >= 0) return this.next.ahead[known] ?? 0;
    let most = -Infinity;
    for (let i = from; i < to; i++) {
      const word = tree.word[i] ?? 0;
      const slot = this.cache.ask(context, this.graph.modelWord(word));
      const worth =
        weights.language * (this.cache.lnProbability[slot] ?? 0) +
        (bonus === null ? 0 : (bonus[i] ?? 0));
      if (worth > most) most = worth;
    }
    return most;
  }

  private rootAhead(context: number): number {
    const { lookAhead } = this.graph;
    return lookAhead.at(lookAhead.row(context), 0);
  }

  private putBlank(
    node: number,
    context: number,
    score: number,
    from: number,
    start: number,
    ahead: number,
  ): void {
    const { next } = this;
    // With the beam wide open even what cannot be passes the floor.
    if (score === -Infinity || (next.full && !this.makeRoom(score))) return;
    const token = next.at(node, context);
    const there = next.blank[token] ?? -Infinity;
    const joined =
      node === 0 && there !== -Infinity
        ? this.recombined(next.blankFrom[token] ?? -1, there, from, score)
        : -1;
    if (joined >= 0) next.blankFrom[token] = joined;
    if (!(score > there)) return;
    next.blank[token] = score;
    next.blankFrom[token] = joined >= 0 ? joined : from;
    next.blankStart[token] = start;
    next.ahead[token] = ahead;
    if (score > this.best) this.risen(score);
  }

  private putLabel(
    node: number,
    context: number,
    score: number,
    from: number,
    start: number,
    ahead: number,
  ): void {
    const { next } = this;
    // With the beam wide open even what cannot be passes the floor.
    if (score === -Infinity || (next.full && !this.makeRoom(score))) return;
    const token = next.at(node, context);
    if (!(score > (next.label[token] ?? -Infinity))) return;
    next.label[token] = score;
    next.labelFrom[token] = from;
    next.labelStart[token] = start;
    next.ahead[token] = ahead;
    if (score > this.best) this.risen(score);
  }

  /**
   * Two ways to the silence between words: the one that loses is remembered where its last word is another. The place in
   * which both end, or -1.
   */
  private recombined(a: number, aScore: number, b: number, bScore: number): number {
    const { links } = this;
    if (a < 0 || b < 0 || a === b || links.word[a] === links.word[b]) return -1;
    const [winner, loser, behind] =
      aScore >= bScore ? [a, b, aScore - bScore] : [b, a, bScore - aScore];
    if (behind > this.limits.latticeBeam) return -1;
    const joined = links.copy(winner);
    links.addOther(
      joined,
      links.word[loser] ?? 0,
      links.before[loser] ?? -1,
      links.start[loser] ?? 0,
      (links.score[winner] ?? 0) - behind,
      links.language[loser] ?? 0,
    );
    return joined;
  }

  private risen(score: number): void {
    this.best = score;
    if (score - this.limits.beam > this.floor) this.floor = score - this.limits.beam;
  }

  /** When a frame makes more tokens than there is room for, the worst of them go at once. */
  private makeRoom(score: number): boolean {
    const { next } = this;
    const cut = next.cutFor(this.limits.tokensMax, this.best, this.floor);
    next.keepFrom(cut);
    if (cut > this.floor) this.floor = cut;
    return !next.full && score >= this.floor;
  }

  /** Words that end in this frame go on to the places between words. */
  private endWords(): void {
    const { next, cache, links } = this;
    const { tree, weights, bonus } = this.graph;
    const { nodes, from, ends } = tree;
    for (let token = 0, size = next.size; token < size; token++) {
      const node = next.node[token] ?? 0;
      if (node >= nodes) continue;
      const [first, last] = [from[node] ?? 0, ends[node] ?? 0];
      if (first === last) continue;
      const label = next.label[token] ?? -Infinity;
      if (!(label >= this.floor)) continue;
      const context = next.context[token] ?? 0;
      const said = label - (next.ahead[token] ?? 0) + weights.word;
      for (let i = first; i < last; i++) {
        const word = tree.word[i] ?? 0;
        const slot = cache.ask(context, this.graph.modelWord(word));
        const language = cache.lnProbability[slot] ?? 0;
        const score = said + weights.language * language + (bonus === null ? 0 : (bonus[i] ?? 0));
        if (!(score + this.rootMost >= this.floor)) continue;
        const after = cache.contextAfter(slot);
        const ahead = this.rootAhead(after);
        const total = score + ahead;
        if (!(total >= this.floor)) continue;
        // Never in practice: half of the room was free.
        if (next.full) continue;
        const ended = next.at(nodes + (tree.unit[node] ?? 0), after);
        const [before, start] = [next.labelFrom[token] ?? -1, next.labelStart[token] ?? 0];
        const there = next.label[ended] ?? -Infinity;
        const place = next.labelFrom[ended] ?? unused;
        if (place < 0)
          next.labelFrom[ended] = links.add(word, before, start, this.frame, score, language);
        else if (total > there) links.improve(place, word, before, start, score, language);
        else if (there - total <= this.limits.latticeBeam)
          links.addOther(place, word, before, start, score, language);
        if (!(total > there)) continue;
        next.label[ended] = total;
        next.ahead[ended] = ahead;
        if (total > this.best) this.risen(total);
      }
    }
  }

  /** Forgets ways that nothing leads back to; with `trunk` also all that is before it. */
  compact(trunk = -1): void {
    this.links.compact(this.roots(), trunk);
  }

  /** The last node of the links that all tokens go through; -1: there is none. */
  shared(): number {
    return this.links.shared(this.roots());
  }

  private roots(): [Int32Array, number][] {
    const { current } = this;
    current.keepFrom(this.cut);
    return [
      [current.labelFrom, current.size],
      [current.blankFrom, current.size],
    ];
  }

  /** Tokens as they stand: where the word links end, and their scores. `complete`: only those between words, with the end of the sentence. */
  ends(complete: boolean): { nodes: Int32Array; scores: Float64Array } {
    const { current, graph } = this;
    const { model, weights, tree } = graph;
    const next = this.beside.next ?? model.end;
    const nodes: number[] = [];
    const scores: number[] = [];
    for (let token = 0; token < current.size; token++) {
      if (current.best(token) < this.cut) continue;
      const place = current.node[token] ?? 0;
      const between = place === 0 || place >= tree.nodes;
      if (complete && !between) continue;
      const labelled = (current.label[token] ?? 0) > (current.blank[token] ?? 0);
      const from = (labelled ? current.labelFrom[token] : current.blankFrom[token]) ?? -1;
      const context = current.context[token] ?? 0;
      const end =
        complete && next >= 0 && next !== model.unknown
          ? weights.language * model.lnProbability(context, next)
          : 0;
      nodes.push(from);
      scores.push(current.best(token) - this.rootAhead(context) + end);
    }
    return { nodes: Int32Array.from(nodes), scores: Float64Array.from(scores) };
  }
}
