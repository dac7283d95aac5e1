import { GraphoneTrie } from './graphone-trie.js';

/** Every sequence begins with this symbol (never predicted) and ends with the next. */
export const startSymbol = 0;
export const endSymbol = 1;

/** What an n-gram costs, in nats; and what leaving its context for the next shorter one costs. */
export interface GraphoneNgrams {
  readonly trie: GraphoneTrie;
  /** Nodes that the model keeps; a kept node's parent is kept. */
  readonly kept: Uint8Array;
  readonly cost: Float64Array;
  readonly backOff: Float64Array;
}

export interface NgramOptions {
  readonly order: number;
  /** N-grams whose loss costs less than this much relative entropy are left out. */
  readonly prune: number;
}

/**
 * An n-gram model over graphones (a letter with the phones it gives): joint-sequence letter-to-sound
 * conversion (M. Bisani and H. Ney, Speech Communication 50, 2008). Interpolated, modified
 * Kneser-Ney discounts (S. Chen and J. Goodman, 1998); pruned by relative entropy (A. Stolcke, 1998)
 * with the contexts' observed frequencies.
 */
export function trainNgrams(
  sequences: readonly (readonly number[])[],
  { order, prune }: NgramOptions,
): GraphoneNgrams {
  const trie = countNgrams(sequences, order);
  const suffix = suffixLinks(trie);
  const children = childrenOf(trie);
  const probability = smooth(trie, suffix, children, order);
  const kept = new Uint8Array(trie.size).fill(1);
  if (prune > 0) pruneNgrams(trie, suffix, children, probability, kept, order, prune);
  const backOff = backOffs(trie, suffix, children, probability, kept);
  const cost = probability.map((p) => -Math.log(p));
  return { trie, kept, cost, backOff };
}

function countNgrams(sequences: readonly (readonly number[])[], order: number): GraphoneTrie {
  const trie = new GraphoneTrie();
  for (const sequence of sequences) {
    const symbols = [startSymbol, ...sequence, endSymbol];
    for (let end = 0; end < symbols.length; end++) {
      for (let begin = end; begin >= Math.max(0, end - order + 1); begin--) {
        let node = 0;
        for (let i = begin; i <= end; i++) node = trie.child(node, symbols[i] ?? 0);
        trie.count[node] = (trie.count[node] ?? 0) + 1;
      }
    }
  }
  return trie;
}

/** Node of the n-gram without its first symbol; parents come before children. */
function suffixLinks(trie: GraphoneTrie): Int32Array {
  const suffix = new Int32Array(trie.size);
  for (let n = 1; n < trie.size; n++) {
    const parent = trie.parent[n] ?? 0;
    suffix[n] = parent === 0 ? 0 : trie.find(suffix[parent] ?? 0, trie.symbol[n] ?? 0);
  }
  return suffix;
}

/** Children of node n are list[start[n]] .. list[start[n + 1] - 1]. */
interface Children {
  readonly start: Int32Array;
  readonly list: Int32Array;
}

function childrenOf(trie: GraphoneTrie): Children {
  const start = new Int32Array(trie.size + 1);
  for (let n = 1; n < trie.size; n++) {
    const parent = trie.parent[n] ?? 0;
    start[parent + 1] = (start[parent + 1] ?? 0) + 1;
  }
  for (let n = 0; n < trie.size; n++) start[n + 1] = (start[n + 1] ?? 0) + (start[n] ?? 0);
  const next = start.slice();
  const list = new Int32Array(trie.size - 1);
  for (let n = 1; n < trie.size; n++) {
    const parent = trie.parent[n] ?? 0;
    const at = next[parent] ?? 0;
    list[at] = n;
    next[parent] = at + 1;
  }
  return { start, list };
}

/** p(last symbol | the ones before) for every n-gram. */
function smooth(
  trie: GraphoneTrie,
  suffix: Int32Array,
  children: Children,
  order: number,
): Float64Array {
  const counts = kneserNeyCounts(trie, suffix, order);
  const discounts = discountsByDepth(trie, counts, order);
  const probability = new Float64Array(trie.size).fill(1);
  // Nodes of one depth need those of the depth above: go by depth.
  for (const node of byDepth(trie)) {
    const from = children.start[node] ?? 0;
    const to = children.start[node + 1] ?? 0;
    const depth = trie.depth[node] ?? 0;
    const discount = discounts[depth + 1] ?? [0, 0, 0];
    let total = 0;
    let left = 0;
    let kinds = 0;
    for (let i = from; i < to; i++) {
      const child = children.list[i] ?? 0;
      if (node === 0 && trie.symbol[child] === startSymbol) continue;
      const count = counts[child] ?? 0;
      total += count;
      kinds++;
      left += discount[Math.min(count, 3) - 1] ?? 0;
    }
    for (let i = from; i < to; i++) {
      const child = children.list[i] ?? 0;
      const count = counts[child] ?? 0;
      const own = Math.max(0, count - (discount[Math.min(count, 3) - 1] ?? 0)) / total;
      const shorter = node === 0 ? 1 / kinds : (probability[suffix[child] ?? 0] ?? 0);
      probability[child] = own + (left / total) * shorter;
    }
  }
  return probability;
}

function byDepth(trie: GraphoneTrie): number[] {
  const layers: number[][] = [];
  for (let n = 0; n < trie.size; n++) (layers[trie.depth[n] ?? 0] ??= []).push(n);
  return layers.flat();
}

/** How many different symbols came before an n-gram; the plain count for the longest and for words' beginnings. */
function kneserNeyCounts(trie: GraphoneTrie, suffix: Int32Array, order: number): Float64Array {
  const counts = new Float64Array(trie.size);
  const first = new Uint16Array(trie.size);
  for (let n = 1; n < trie.size; n++) {
    const parent = trie.parent[n] ?? 0;
    first[n] = parent === 0 ? (trie.symbol[n] ?? 0) : (first[parent] ?? 0);
    if (trie.depth[n] === order || first[n] === startSymbol) counts[n] = trie.count[n] ?? 0;
    if ((trie.depth[n] ?? 0) > 1) {
      const shorter = suffix[n] ?? 0;
      if (first[shorter] !== startSymbol) counts[shorter] = (counts[shorter] ?? 0) + 1;
    }
  }
  return counts;
}

/** Discounts for counts of 1, 2 and more, from the counts of counts (Chen and Goodman, equation 26). */
function discountsByDepth(trie: GraphoneTrie, counts: Float64Array, order: number): number[][] {
  const seen = Array.from({ length: order + 1 }, () => [0, 0, 0, 0, 0]);
  for (let n = 1; n < trie.size; n++) {
    const row = seen[trie.depth[n] ?? 0];
    const count = counts[n] ?? 0;
    if (row !== undefined && count >= 1 && count <= 4) row[count] = (row[count] ?? 0) + 1;
  }
  return seen.map(([, n1 = 0, n2 = 0, n3 = 0, n4 = 0]) => {
    // Tiny dictionaries lack some counts: half a count is the usual fall-back.
    if (n1 === 0 || n2 === 0 || n3 === 0) return [0.5, 0.5, 0.5];
    const y = n1 / (n1 + 2 * n2);
    return [1 - (2 * y * n2) / n1, 2 - (3 * y * n3) / n2, 3 - (4 * y * n4) / n3].map((d, i) =>
      Math.min(Math.max(d, 0.05), i + 0.95),
    );
  });
}

function pruneNgrams(
  trie: GraphoneTrie,
  suffix: Int32Array,
  children: Children,
  probability: Float64Array,
  kept: Uint8Array,
  order: number,
  threshold: number,
): void {
  let tokens = 0;
  for (let i = children.start[0] ?? 0; i < (children.start[1] ?? 0); i++) {
    tokens += trie.count[children.list[i] ?? 0] ?? 0;
  }
  const keptChildren = new Int32Array(trie.size);
  for (const node of byDepth(trie).reverse()) {
    const depth = trie.depth[node] ?? 0;
    if (depth === 0 || depth >= order) continue;
    const own: number[] = [];
    for (let i = children.start[node] ?? 0; i < (children.start[node + 1] ?? 0); i++) {
      own.push(children.list[i] ?? 0);
    }
    let mass = 1;
    let shorterMass = 1;
    for (const child of own) {
      mass -= probability[child] ?? 0;
      shorterMass -= probability[suffix[child] ?? 0] ?? 0;
    }
    mass = Math.max(mass, 1e-9);
    shorterMass = Math.max(shorterMass, 1e-9);
    const alpha = mass / shorterMass;
    const weight = (trie.count[node] ?? 0) / tokens;
    for (const child of own) {
      const p = probability[child] ?? 0;
      const shorter = probability[suffix[child] ?? 0] ?? 0;
      const changed = (mass + p) / (shorterMass + shorter);
      const loss =
        -weight *
        (p * (Math.log(shorter) + Math.log(changed) - Math.log(p)) +
          mass * (Math.log(changed) - Math.log(alpha)));
      if (keptChildren[child] === 0 && loss < threshold) kept[child] = 0;
      else keptChildren[node] = (keptChildren[node] ?? 0) + 1;
    }
  }
}

/** Cost of backing off from each kept context, so that its probabilities add up to 1. */
function backOffs(
  trie: GraphoneTrie,
  suffix: Int32Array,
  children: Children,
  probability: Float64Array,
  kept: Uint8Array,
): Float64Array {
  const backOff = new Float64Array(trie.size);
  const backedOff = (context: number, symbol: number): number => {
    let cost = 0;
    for (let at = context; ; at = suffix[at] ?? 0) {
      const child = trie.find(at, symbol);
      if (child >= 0 && kept[child] === 1) return (probability[child] ?? 0) * Math.exp(-cost);
      if (at === 0) return 1e-9;
      cost += backOff[at] ?? 0;
    }
  };
  for (const node of byDepth(trie)) {
    if (node === 0 || kept[node] === 0) continue;
    let mass = 1;
    let shorterMass = 1;
    for (let i = children.start[node] ?? 0; i < (children.start[node + 1] ?? 0); i++) {
      const child = children.list[i] ?? 0;
      if (kept[child] === 0) continue;
      mass -= probability[child] ?? 0;
      shorterMass -= backedOff(suffix[node] ?? 0, trie.symbol[child] ?? 0);
    }
    backOff[node] = -Math.log(Math.max(mass, 1e-6) / Math.max(shorterMass, 1e-6));
  }
  return backOff;
}
