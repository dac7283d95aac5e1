/**
 * Letters to phones for words that no dictionary holds: the cheapest sequence of graphones (a letter
 * with the no, one or two phones it gives) under an n-gram model that train-g2p.ts learns when a
 * bundle is packed. All arithmetic is on whole numbers, so every processor gives the same answer.
 */
import { decodeRules, findChild, type Rules } from './rule-tree.js';

/** Hypotheses kept after each letter. */
const beam = 48;
/** Hypotheses this much worse than the best are dropped. */
const beamNats = 12;

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
  private readonly byLetter = new Map<string, number[]>();

  constructor(private readonly rules: Rules) {
    rules.header.graphones.forEach(([letter], id) => {
      if (id > 0) this.byLetter.set(letter, [...(this.byLetter.get(letter) ?? []), id]);
    });
  }

  /** Reads what train-g2p.ts writes. */
  static parse(bytes: Uint8Array, units = Infinity): G2p {
    return new G2p(decodeRules(bytes, units));
  }

  /** Parts of a nat in which costs are counted. */
  get costUnits(): number {
    return this.rules.header.costUnits;
  }

  /** Likeliest pronunciation of a lower-case word; characters that are no letters are silent. */
  pronounce(word: string): readonly number[] {
    return this.guesses(word, 1)[0]?.phones ?? [];
  }

  /** Up to `count` different pronunciations, likeliest first. Empty for a word without letters. */
  guesses(word: string, count: number): Guess[] {
    const letters = word.replace(/[^a-z]/g, '');
    if (letters === '') return [];
    let live: Hypothesis[] = [
      { cost: 0, context: findChild(this.rules.tree, 0, 0), phones: [], hash: 0 },
    ];
    const beamCost = beamNats * this.costUnits;
    for (const letter of [...letters, '#']) {
      const next: Hypothesis[] = [];
      const ids = this.byLetter.get(letter) ?? [];
      // What is too far behind one that is known already would not survive: most are not even made.
      let best = Infinity;
      for (const hypothesis of live) {
        for (const id of ids) {
          const extended = this.extend(hypothesis, id, best + beamCost);
          if (extended === null) continue;
          best = Math.min(best, extended.cost);
          next.push(extended);
        }
      }
      live = survivors(next, count, beamCost);
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

  /** Null when it would cost more than `most`. */
  private extend(from: Hypothesis, graphone: number, most: number): Hypothesis | null {
    const { tree, header } = this.rules;
    let { cost } = from;
    let at = from.context;
    let child = findChild(tree, at, graphone);
    while (child < 0 && at > 0) {
      cost += tree.backOff[at] ?? 0;
      at = tree.suffix[at] ?? 0;
      child = findChild(tree, at, graphone);
    }
    cost += child < 0 ? 255 : (tree.cost[child] ?? 0);
    if (cost > most) return null;
    // The longest context that has anything to say about what follows.
    let context = Math.max(child, 0);
    while (context > 0 && tree.firstChild[context] === tree.firstChild[context + 1]) {
      context = tree.suffix[context] ?? 0;
    }
    const more = header.graphones[graphone]?.[1] ?? [];
    return {
      cost,
      context,
      phones: more.length === 0 ? from.phones : [...from.phones, ...more],
      hash: more.reduce((h, phone) => (Math.imul(h, 31) + phone + 1) | 0, from.hash),
    };
  }
}

/** Cheapest first; of equal contexts the best `count` with different phones. */
function survivors(all: Hypothesis[], count: number, beamCost: number): Hypothesis[] {
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
