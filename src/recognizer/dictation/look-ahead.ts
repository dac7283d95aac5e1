import type { ListedModel } from '../../language/model.js';
import { bestBelow, type PrefixTree } from './prefix-tree.js';

/** A row has one byte a node: what it lacks to the most that can be, in steps of a `perNat`th of a nat. */
const perNat = 12;
const costMax = 255;
export interface LookAheadSize {
  /** Nodes with at most so many pronunciations below have no place in a row. */
  readonly narrow: number;
  /** Of all rows together. */
  readonly rowsBytes: number;
}
const defaultSize: LookAheadSize = { narrow: 8, rowsBytes: 3_000_000 };
/** Of a larger tree more nodes count as narrow. */
const wideMax = 16_384;
const none = -1;

/** What is said of the words of a tree, in nats. */
export interface Worth {
  readonly model: ListedModel;
  /** ln P of the language model counts so many times. */
  readonly weight: number;
  /** Number of a word in the model. */
  readonly modelWord: (word: number) => number;
  /** What each pronunciation is worth beside; null: nothing. */
  readonly bonus: Float32Array | null;
  /** The most of it. */
  readonly mostBonus: number;
}

/**
 * The best that the language model can still give below the wide nodes of a tree, by the word before: of the pairs that the
 * model holds the best, or what backing off leaves of the best without a context. A row of all wide nodes is made when a word is
 * first asked for, and kept until its place is needed. What a pair of words before would give is not looked at, so what is told is a
 * guess, on which only pruning depends; it is the same at all times.
 */
export class LookAhead {
  /** 1 + the number of a wide node; 0: it is narrow. */
  readonly wide: Uint16Array;
  private readonly narrow: number;
  private readonly count: number;
  private readonly parent: Int32Array;
  /** Of each pronunciation the deepest wide node above it. */
  private readonly deepest: Uint16Array;
  /** Pronunciations of word w of the model: saidAt[w] .. saidAt[w + 1] - 1 of `said`. */
  private readonly saidAt: Int32Array;
  private readonly said: Int32Array;
  /** Costs without a context. */
  private readonly alone: Uint8Array;
  private readonly rows: Uint8Array;
  /** Row of each word, and word of each row. */
  private readonly rowOf: Int16Array;
  private readonly wordOf: Int32Array;
  private readonly used: Uint8Array;
  private hand = 0;

  constructor(
    private readonly tree: PrefixTree,
    private readonly worth: Worth,
    size: LookAheadSize = defaultSize,
  ) {
    const { model, weight, bonus, modelWord } = worth;
    let [narrow, count] = [size.narrow / 2, Infinity];
    while (count > wideMax) {
      narrow *= 2;
      count = 0;
      for (let n = 0; n < tree.nodes; n++) if (below(tree, n) > narrow || n === 0) count++;
    }
    this.narrow = narrow;
    this.count = count;
    this.wide = new Uint16Array(tree.nodes);
    this.parent = new Int32Array(count).fill(none);
    this.deepest = new Uint16Array(tree.word.length);
    for (let node = 0, next = 0; node < tree.nodes; node++) {
      if (node > 0 && below(tree, node) <= narrow) continue;
      const number = next++;
      this.wide[node] = number + 1;
      // A node is numbered before those below it.
      this.deepest.fill(number, tree.from[node], tree.to[node]);
    }
    this.link();
    [this.saidAt, this.said] = inverse(tree, modelWord, model.size);
    const values = new Float32Array(tree.word.length);
    for (let i = 0; i < values.length; i++)
      values[i] =
        weight * model.lnProbability(model.empty, modelWord(tree.word[i] ?? 0)) + (bonus?.[i] ?? 0);
    const best = bestBelow(tree, values);
    this.alone = new Uint8Array(count);
    for (let node = 0; node < tree.nodes; node++) {
      const number = (this.wide[node] ?? 0) - 1;
      if (number >= 0) this.alone[number] = this.costOf(best[node] ?? 0);
    }
    const rows = Math.max(16, Math.min(4096, Math.floor(size.rowsBytes / count)));
    this.rows = new Uint8Array(rows * count);
    this.rowOf = new Int16Array(model.size).fill(none);
    this.wordOf = new Int32Array(rows).fill(none);
    this.used = new Uint8Array(rows);
  }

  /** Where the row of a context begins, or -1 where it has no word; it holds until the next row is asked for. */
  row(context: number): number {
    const word = this.worth.model.lastWord(context);
    if (word < 0) return none;
    let row = this.rowOf[word] ?? none;
    if (row < 0) row = this.make(word);
    this.used[row] = 1;
    return row * this.count;
  }

  /** Nats, at a wide node. */
  at(row: number, node: number): number {
    const number = (this.wide[node] ?? 0) - 1;
    const cost = row < 0 ? this.alone[number] : this.rows[row + number];
    return this.worth.mostBonus - (cost ?? 0) / perNat;
  }

  private costOf(nats: number): number {
    const cost = Math.floor((this.worth.mostBonus - nats) * perNat);
    return cost < costMax ? Math.max(0, cost) : costMax;
  }

  private make(word: number): number {
    const { rows, alone, parent, count, worth, saidAt, said, deepest } = this;
    const { model, weight, bonus, mostBonus } = worth;
    const row = this.free();
    this.rowOf[word] = row;
    this.wordOf[row] = word;
    const base = row * count;
    const more = Math.floor(-weight * model.lnBackOffOfWord(word) * perNat);
    for (let n = 0; n < count; n++) {
      const cost = (alone[n] ?? 0) + more;
      rows[base + n] = cost < 0 ? 0 : cost < costMax ? cost : costMax;
    }
    model.followers(word, (second, ln) => {
      const to = saidAt[second + 1] ?? 0;
      for (let i = saidAt[second] ?? 0; i < to; i++) {
        const at = said[i] ?? 0;
        const nats = weight * ln + (bonus === null ? 0 : (bonus[at] ?? 0));
        const cost = Math.max(0, Math.floor((mostBonus - nats) * perNat));
        // What is above a node costs no more than the node.
        for (
          let n = deepest[at] ?? 0;
          n >= 0 && (rows[base + n] ?? 0) > cost;
          n = parent[n] ?? none
        )
          rows[base + n] = cost;
      }
    });
    return row;
  }

  /** A row that was not asked for since the hand was here last. */
  private free(): number {
    const { used, wordOf } = this;
    while (used[this.hand] === 1) {
      used[this.hand] = 0;
      this.hand = (this.hand + 1) % used.length;
    }
    const row = this.hand;
    this.hand = (row + 1) % used.length;
    const word = wordOf[row] ?? none;
    if (word >= 0) this.rowOf[word] = none;
    return row;
  }

  /** Wide nodes above wide nodes. */
  private link(): void {
    const { tree, wide, parent, narrow } = this;
    for (let node = 0; node < tree.nodes; node++) {
      const number = (wide[node] ?? 0) - 1;
      if (number < 0) continue;
      for (let c = tree.childStart[node] ?? 0; c < (tree.childStart[node + 1] ?? 0); c++)
        if (below(tree, c) > narrow) parent[(wide[c] ?? 0) - 1] = number;
    }
  }
}

const below = (tree: PrefixTree, node: number) => (tree.to[node] ?? 0) - (tree.from[node] ?? 0);

/** Pronunciations by word of the model. */
function inverse(
  { word }: PrefixTree,
  modelWord: (word: number) => number,
  size: number,
): [Int32Array, Int32Array] {
  const start = new Int32Array(size + 1);
  for (let i = 0; i < word.length; i++) {
    const at = modelWord(word[i] ?? 0) + 1;
    start[at] = (start[at] ?? 0) + 1;
  }
  for (let w = 0; w < size; w++) start[w + 1] = (start[w + 1] ?? 0) + (start[w] ?? 0);
  const next = start.slice();
  const list = new Int32Array(word.length);
  for (let i = 0; i < word.length; i++) {
    const of = modelWord(word[i] ?? 0);
    const at = next[of] ?? 0;
    list[at] = i;
    next[of] = at + 1;
  }
  return [start, list];
}
