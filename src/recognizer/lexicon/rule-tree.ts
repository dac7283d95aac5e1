import { arePhones } from './dictionary.js';

/**
 * The n-grams of letter-to-sound rules as a tree, and how it is written down. Nodes are numbered by
 * length of their n-gram, children of a node by rising symbol. All costs are whole numbers.
 */
export interface RuleTree {
  /** Children of node n are firstChild[n] .. firstChild[n + 1] - 1; node 0 is the empty n-gram. */
  readonly firstChild: Int32Array;
  readonly symbol: Uint16Array;
  /** Negative log probability after the n-gram's context, in 1 / costUnits nats. */
  readonly cost: Uint8Array;
  readonly backOff: Int8Array;
  /** Node of each n-gram without its first symbol; where it was pruned, the next shorter one. */
  readonly suffix: Int32Array;
}

export interface RuleHeader {
  readonly costUnits: number;
  /** Letter and unit ids of each graphone; the first two stand for a word's start and end. */
  readonly graphones: readonly (readonly [string, readonly number[]])[];
}

export interface Rules {
  readonly header: RuleHeader;
  readonly tree: RuleTree;
}

/** Graphones fit a byte, and one value is left for `absent`. */
export const graphonesMax = 255;
const absent = 255;
/** Back-off costs may be negative; a byte holds them with this offset. */
const backOffOffset = 48;
const backOffMax = 127;
const newline = 10;

/** The child of a node by symbol, or -1. */
export function findChild(tree: RuleTree, node: number, wanted: number): number {
  let low = tree.firstChild[node] ?? 0;
  let high = tree.firstChild[node + 1] ?? 0;
  const stop = high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tree.symbol[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low < stop && tree.symbol[low] === wanted ? low : -1;
}

/** The longest kept n-gram that ends like the child of `parent` by this symbol does, and is shorter. */
export function suffixOf(tree: RuleTree, parent: number, symbol: number): number {
  if (parent === 0) return 0;
  let at = tree.suffix[parent] ?? 0;
  let found = findChild(tree, at, symbol);
  while (found < 0 && at > 0) {
    at = tree.suffix[at] ?? 0;
    found = findChild(tree, at, symbol);
  }
  return Math.max(found, 0);
}

export function clampBackOff(units: number): number {
  return Math.min(backOffMax, Math.max(-backOffOffset, Math.round(units)));
}

/**
 * A line of JSON, then four blocks, each for all nodes in order: numbers of children; symbols; costs; back-offs of the
 * nodes that have children.
 *
 * Most that follows "abc" also follows "bc", so nodes are written as differences to the shorter n-gram, for brotli:
 * - a symbol as its place among the children of the shorter n-gram, less the place of the sibling before;
 * - a symbol that is not there as `absent` and itself;
 * - a cost less the cost after the shorter n-gram.
 */
export function encodeRules({ header, tree }: Rules): Uint8Array {
  const nodes = tree.symbol.length;
  const children: number[] = [];
  const symbols: number[] = [];
  const costs: number[] = [0];
  const backOffs: number[] = [];
  for (let node = 0; node < nodes; node++) {
    const [from, to] = [tree.firstChild[node] ?? 0, tree.firstChild[node + 1] ?? 0];
    children.push(to - from);
    if (to > from) backOffs.push((tree.backOff[node] ?? 0) + backOffOffset);
    let place = 0;
    for (let child = from; child < to; child++) {
      const symbol = tree.symbol[child] ?? 0;
      const shorter = tree.suffix[node] ?? 0;
      const twin = node === 0 ? -1 : findChild(tree, shorter, symbol);
      if (twin < 0) symbols.push(absent, symbol);
      else {
        const own = twin - (tree.firstChild[shorter] ?? 0);
        symbols.push(own - place);
        place = own;
      }
      costs.push(((tree.cost[child] ?? 0) - (tree.cost[tree.suffix[child] ?? 0] ?? 0)) & 255);
    }
  }
  const line = JSON.stringify({ format: 2, nodes, ...header });
  return Buffer.concat([
    Buffer.from(`${line}\n`),
    ...[children, symbols, costs, backOffs].map((block) => Uint8Array.from(block)),
  ]);
}

/** Reads what encodeRules wrote. Throws when it is cut off or cannot be, or names a phone beyond `units`. */
export function decodeRules(bytes: Uint8Array, units = Infinity): Rules {
  const end = bytes.indexOf(newline);
  if (end < 0) throw new Error('letter-to-sound rules are cut off');
  const { format, nodes, header } = readHeader(bytes.subarray(0, end), units);
  const { graphones } = header;
  if (format !== 2) throw new Error('unknown format of letter-to-sound rules');
  const body = bytes.subarray(end + 1);
  if (!isCount(nodes) || 3 * nodes - 1 > body.length)
    throw new Error('letter-to-sound rules are cut off');
  const tree: RuleTree = {
    firstChild: firstChildren(body.subarray(0, nodes)),
    symbol: new Uint16Array(nodes),
    cost: new Uint8Array(nodes),
    backOff: new Int8Array(nodes),
    suffix: new Int32Array(nodes),
  };
  const symbolsEnd = readSymbols(tree, body, nodes, graphones.length);
  for (let node = 1; node < nodes; node++) {
    const shorter = tree.cost[tree.suffix[node] ?? 0] ?? 0;
    tree.cost[node] = (body[symbolsEnd + node] ?? 0) + shorter;
  }
  let at = symbolsEnd + nodes;
  for (let node = 0; node < nodes; node++) {
    if (body[node] !== 0) tree.backOff[node] = (body[at++] ?? 0) - backOffOffset;
  }
  if (at !== body.length) throw new Error('letter-to-sound rules are cut off');
  return { header, tree };
}

const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) > 0;

/** The line of JSON before the nodes, of both formats: what it says of symbols and costs is checked here. */
export function readHeader(
  line: Uint8Array,
  units: number,
): { format: unknown; nodes: unknown; ngrams: unknown; header: RuleHeader } {
  const value: unknown = JSON.parse(Buffer.from(line).toString('utf8'));
  const { format, nodes, ngrams, costUnits, graphones } = (value ?? {}) as Record<string, unknown>;
  const isGraphone = (g: unknown) =>
    Array.isArray(g) &&
    typeof g[0] === 'string' &&
    Array.isArray(g[1]) &&
    arePhones(g[1] as unknown[], units);
  if (!Array.isArray(graphones) || graphones.length > graphonesMax || !graphones.every(isGraphone))
    throw new Error('letter-to-sound rules name no graphones, or phones that there are not');
  if (costUnits !== undefined && !isCount(costUnits))
    throw new Error('letter-to-sound rules say no unit of costs');
  const header = { costUnits: costUnits ?? 1, graphones: graphones as RuleHeader['graphones'] };
  return { format, nodes, ngrams, header };
}

function firstChildren(counts: Uint8Array): Int32Array {
  const firstChild = new Int32Array(counts.length + 1);
  firstChild[0] = 1;
  counts.forEach((count, node) => {
    const first = firstChild[node] ?? 0;
    // A node's own number is below its children's, so that one pass from the root finds all.
    if (first <= node) throw new Error('letter-to-sound rules are damaged');
    firstChild[node + 1] = first + count;
  });
  if (firstChild[counts.length] !== counts.length)
    throw new Error('letter-to-sound rules are damaged');
  return firstChild;
}

/** Fills symbols and suffixes; where their block ends. */
function readSymbols(tree: RuleTree, body: Uint8Array, from: number, graphones: number): number {
  let at = from;
  for (let node = 0; node < tree.symbol.length; node++) {
    const shorter = tree.suffix[node] ?? 0;
    const twins = tree.firstChild[shorter] ?? 0;
    let place = 0;
    const to = tree.firstChild[node + 1] ?? 0;
    for (let child = tree.firstChild[node] ?? 0; child < to; child++) {
      const byte = body[at++] ?? 0;
      if (byte === absent) {
        const symbol = body[at++] ?? 0;
        tree.symbol[child] = symbol;
        tree.suffix[child] = suffixOf(tree, node, symbol);
      } else {
        place += byte;
        tree.symbol[child] = tree.symbol[twins + place] ?? 0;
        tree.suffix[child] = twins + place;
      }
      if ((tree.symbol[child] ?? 0) >= graphones || (tree.suffix[child] ?? 0) >= child)
        throw new Error('letter-to-sound rules are damaged');
    }
  }
  return at;
}
