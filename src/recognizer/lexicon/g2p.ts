/**
 * Letters to phones for words that no dictionary holds: the cheapest sequence of graphones (a letter
 * with the no, one or two phones it gives) under an n-gram model that train-g2p.ts learns when a
 * bundle is packed. All arithmetic is on whole numbers, so every processor gives the same answer.
 */

/** Costs are kept in this many parts of a nat. */
export const costUnits = 16;
/** Back-off costs may be negative; a byte holds them with this offset. */
export const backOffOffset = 96;

/** Hypotheses kept after each letter. */
const beam = 48;
/** Hypotheses this much worse than the best are dropped: 12 nats. */
const beamCost = 12 * costUnits;

export interface G2pHeader {
  readonly format: 1;
  readonly order: number;
  /** Letter and unit ids of each graphone; the first two stand for a word's start and end. */
  readonly graphones: readonly (readonly [string, readonly number[]])[];
  /** Number of n-grams of each length. */
  readonly ngrams: readonly number[];
}

interface Hypothesis {
  readonly cost: number;
  readonly context: number;
  /** Phones so far, and a number that tells different ones apart. */
  readonly phones: readonly number[];
  readonly hash: number;
}

export interface Guess {
  readonly phones: readonly number[];
  /** Negative log probability of spelling and sound together, in 1 / costUnits nats. */
  readonly cost: number;
}

export class G2p {
  private constructor(
    private readonly header: G2pHeader,
    /** Children of node n are firstChild[n] .. firstChild[n + 1] - 1, by rising symbol. */
    private readonly firstChild: Int32Array,
    private readonly symbol: Uint16Array,
    private readonly cost: Uint8Array,
    private readonly backOff: Int8Array,
    private readonly suffix: Int32Array,
    private readonly byLetter: ReadonlyMap<string, readonly number[]>,
  ) {}

  /**
   * Reads what train-g2p.ts writes: a line of JSON, then for all nodes in order of length: number of
   * children (2 bytes), symbol (2), cost (1), back-off (1), each as one block. Throws on wrong sizes.
   */
  static parse(bytes: Uint8Array): G2p {
    const end = bytes.indexOf(10);
    const header = JSON.parse(Buffer.from(bytes.subarray(0, end)).toString('utf8')) as G2pHeader;
    if (header.format !== 1) throw new Error('unknown format of letter-to-sound rules');
    const nodes = header.ngrams.reduce((a, b) => a + b, 1);
    const body = bytes.subarray(end + 1);
    if (body.length !== nodes * 6) throw new Error('letter-to-sound rules are cut off');
    const two = (at: number) => (body[at] ?? 0) + 256 * (body[at + 1] ?? 0);
    const firstChild = new Int32Array(nodes + 1);
    const symbol = new Uint16Array(nodes);
    firstChild[0] = 1;
    for (let n = 0; n < nodes; n++) {
      firstChild[n + 1] = (firstChild[n] ?? 0) + two(2 * n);
      symbol[n] = two(2 * (nodes + n));
    }
    if (firstChild[nodes] !== nodes) throw new Error('letter-to-sound rules are damaged');
    const cost = body.slice(nodes * 4, nodes * 5);
    const backOff = Int8Array.from(body.subarray(nodes * 5), (b) => b - backOffOffset);
    const suffix = new Int32Array(nodes);
    const byLetter = new Map<string, number[]>();
    header.graphones.forEach(([letter], id) => {
      if (id > 0) byLetter.set(letter, [...(byLetter.get(letter) ?? []), id]);
    });
    const g2p = new G2p(header, firstChild, symbol, cost, backOff, suffix, byLetter);
    g2p.linkSuffixes();
    return g2p;
  }

  /** Likeliest pronunciation of a lower-case word; characters that are no letters are silent. */
  pronounce(word: string): readonly number[] {
    return this.guesses(word, 1)[0]?.phones ?? [];
  }

  /** Up to `count` different pronunciations, likeliest first. Empty for a word without letters. */
  guesses(word: string, count: number): Guess[] {
    const letters = word.replace(/[^a-z]/g, '');
    if (letters === '') return [];
    let live: Hypothesis[] = [{ cost: 0, context: this.find(0, 0), phones: [], hash: 0 }];
    for (const letter of [...letters, '#']) {
      const next: Hypothesis[] = [];
      for (const hypothesis of live) {
        for (const id of this.byLetter.get(letter) ?? []) next.push(this.extend(hypothesis, id));
      }
      live = survivors(next, count);
    }
    const best: Guess[] = [];
    const seen = new Set<string>();
    for (const { phones, cost } of live) {
      const key = phones.join();
      if (seen.has(key) || phones.length === 0) continue;
      seen.add(key);
      best.push({ phones, cost });
    }
    return best.slice(0, count);
  }

  private extend(from: Hypothesis, graphone: number): Hypothesis {
    let { cost } = from;
    let at = from.context;
    let child = this.find(at, graphone);
    while (child < 0 && at > 0) {
      cost += this.backOff[at] ?? 0;
      at = this.suffix[at] ?? 0;
      child = this.find(at, graphone);
    }
    cost += child < 0 ? 255 : (this.cost[child] ?? 0);
    // The longest context that has anything to say about what follows.
    let context = Math.max(child, 0);
    while (context > 0 && this.firstChild[context] === this.firstChild[context + 1]) {
      context = this.suffix[context] ?? 0;
    }
    const more = this.header.graphones[graphone]?.[1] ?? [];
    return {
      cost,
      context,
      phones: more.length === 0 ? from.phones : [...from.phones, ...more],
      hash: more.reduce((h, phone) => (Math.imul(h, 31) + phone + 1) | 0, from.hash),
    };
  }

  /** The child of a node by symbol, or -1. */
  private find(node: number, wanted: number): number {
    let low = this.firstChild[node] ?? 0;
    let high = this.firstChild[node + 1] ?? 0;
    const stop = high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.symbol[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return low < stop && this.symbol[low] === wanted ? low : -1;
  }

  /** Node of each n-gram without its first symbol; where it was pruned, the next shorter one. */
  private linkSuffixes(): void {
    for (let parent = 0; parent < this.suffix.length; parent++) {
      const from = this.firstChild[parent] ?? 0;
      const to = this.firstChild[parent + 1] ?? 0;
      for (let n = from; n < to; n++) {
        if (parent === 0) continue;
        let at = this.suffix[parent] ?? 0;
        let link = this.find(at, this.symbol[n] ?? 0);
        while (link < 0 && at > 0) {
          at = this.suffix[at] ?? 0;
          link = this.find(at, this.symbol[n] ?? 0);
        }
        this.suffix[n] = Math.max(link, 0);
      }
    }
  }
}

/** Cheapest first; of equal contexts the best `count` with different phones. */
function survivors(all: Hypothesis[], count: number): Hypothesis[] {
  all.sort((a, b) => a.cost - b.cost);
  const limit = (all[0]?.cost ?? 0) + beamCost;
  const byContext = new Map<number, number[]>();
  const kept: Hypothesis[] = [];
  for (const hypothesis of all) {
    if (kept.length >= beam || hypothesis.cost > limit) break;
    const hashes = byContext.get(hypothesis.context) ?? [];
    if (hashes.length >= count || hashes.includes(hypothesis.hash)) continue;
    hashes.push(hypothesis.hash);
    byContext.set(hypothesis.context, hashes);
    kept.push(hypothesis);
  }
  return kept;
}
