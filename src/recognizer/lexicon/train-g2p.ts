import { alignLetters } from './align-letters.js';
import { startSymbol, trainNgrams, type GraphoneNgrams } from './graphone-model.js';
import { clampBackOff, encodeRules, graphonesMax, suffixOf, type RuleTree } from './rule-tree.js';

/** The defaults give 6.8 % phone error on held-out words in 0.35 MB; see docs/words.md. */
export interface G2pOptions {
  /** Graphones that an n-gram spans. */
  readonly order?: number;
  /** See NgramOptions: larger is smaller. */
  readonly prune?: number;
}

/** Rarer pairs of a letter and phones are accidents of abbreviations and foreign names. */
const graphoneCountMin = 5;
/** Costs are kept in this many parts of a nat: twice as fine changes no figure, half as fine does. */
const costUnits = 8;

/** Learns letter-to-sound rules from a dictionary's entries; the answer is what G2p.parse reads. */
export function trainG2p(
  entries: readonly (readonly [string, readonly number[]])[],
  { order = 8, prune = 3e-7 }: G2pOptions = {},
): Uint8Array {
  const words = entries
    .filter(([word]) => /^[a-z]+$/.test(word))
    .map(([word, phones]) => ({ word, phones }));
  const aligned = alignLetters(words);
  const { graphones, sequences } = graphonesOf(words, aligned);
  return encode(trainNgrams(sequences, { order, prune }), graphones);
}

function graphonesOf(
  words: readonly { word: string }[],
  aligned: readonly (readonly number[][] | null)[],
): { graphones: [string, number[]][]; sequences: number[][] } {
  const counts = new Map<string, number>();
  const name = (letter: string, piece: readonly number[]) => `${letter}:${piece.join()}`;
  words.forEach(({ word }, w) =>
    aligned[w]?.forEach((piece, i) => {
      const key = name(word[i] ?? '', piece);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }),
  );
  const few = words.length < 5000 ? 1 : graphoneCountMin;
  const graphones: [string, number[]][] = [
    ['', []],
    ['#', []],
  ];
  const ids = new Map<string, number>();
  const frequent = [...counts]
    .filter(([, count]) => count >= few)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .slice(0, graphonesMax - graphones.length);
  for (const [key] of frequent.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [letter = '', piece = ''] = key.split(':');
    ids.set(key, graphones.push([letter, piece === '' ? [] : piece.split(',').map(Number)]) - 1);
  }
  const sequences: number[][] = [];
  words.forEach(({ word }, w) => {
    const sequence = aligned[w]?.map((piece, i) => ids.get(name(word[i] ?? '', piece)) ?? -1);
    if (sequence !== undefined && !sequence.includes(-1)) sequences.push(sequence);
  });
  return { graphones, sequences };
}

function encode(model: GraphoneNgrams, graphones: readonly [string, number[]][]): Uint8Array {
  const { trie, kept, cost, backOff } = model;
  const children = new Map<number, number[]>();
  for (let n = 1; n < trie.size; n++) {
    if (kept[n] === 0) continue;
    const parent = trie.parent[n] ?? 0;
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [n]);
    else list.push(n);
  }
  const nodes = [0];
  const parents = [0];
  const firstChild = [1];
  for (let at = 0; at < nodes.length; at++) {
    const own = children.get(nodes[at] ?? 0) ?? [];
    own.sort((a, b) => (trie.symbol[a] ?? 0) - (trie.symbol[b] ?? 0));
    for (const child of own) {
      nodes.push(child);
      parents.push(at);
    }
    firstChild.push(nodes.length);
  }
  const byte = (nats: number) => Math.min(255, Math.max(0, Math.round(nats * costUnits)));
  const symbols = nodes.map((node) => trie.symbol[node] ?? 0);
  const tree: RuleTree = {
    firstChild: Int32Array.from(firstChild),
    symbol: Uint16Array.from(symbols),
    cost: Uint8Array.from(nodes, (node, i) =>
      symbols[i] === startSymbol && i > 0 ? 255 : byte(cost[node] ?? 0),
    ),
    backOff: Int8Array.from(nodes, (node) => clampBackOff((backOff[node] ?? 0) * costUnits)),
    suffix: new Int32Array(nodes.length),
  };
  for (let i = 1; i < nodes.length; i++)
    tree.suffix[i] = suffixOf(tree, parents[i] ?? 0, symbols[i] ?? 0);
  return encodeRules({ header: { costUnits, graphones }, tree });
}
