import { alignLetters } from './align-letters.js';
import { backOffOffset, costUnits, type G2pHeader } from './g2p.js';
import { startSymbol, trainNgrams, type GraphoneNgrams } from './graphone-model.js';

/** The defaults give 6.8 % phone error on held-out words in 0.5 MB; see docs/words.md. */
export interface G2pOptions {
  /** Graphones that an n-gram spans. */
  readonly order?: number;
  /** See NgramOptions: larger is smaller. */
  readonly prune?: number;
}

/** Rarer pairs of a letter and phones are accidents of abbreviations and foreign names. */
const graphoneCountMin = 5;

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
  return encode(trainNgrams(sequences, { order, prune }), graphones, order);
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
  for (const [key, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (count < few) continue;
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

function encode(
  { trie, kept, cost, backOff }: GraphoneNgrams,
  graphones: readonly [string, number[]][],
  order: number,
): Uint8Array {
  const children = new Map<number, number[]>();
  for (let n = 1; n < trie.size; n++) {
    if (kept[n] === 0) continue;
    const parent = trie.parent[n] ?? 0;
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [n]);
    else list.push(n);
  }
  const nodes = [0];
  for (let at = 0; at < nodes.length; at++) {
    const own = children.get(nodes[at] ?? 0) ?? [];
    own.sort((a, b) => (trie.symbol[a] ?? 0) - (trie.symbol[b] ?? 0));
    for (const child of own) nodes.push(child);
  }
  const ngrams = Array.from({ length: order }, () => 0);
  const body = new Uint8Array(nodes.length * 6);
  const two = (at: number, value: number) => {
    body[at] = value & 255;
    body[at + 1] = value >> 8;
  };
  nodes.forEach((node, i) => {
    if (i > 0) {
      const depth = (trie.depth[node] ?? 1) - 1;
      ngrams[depth] = (ngrams[depth] ?? 0) + 1;
    }
    const count = children.get(node)?.length ?? 0;
    two(2 * i, count);
    two(2 * (nodes.length + i), trie.symbol[node] ?? 0);
    const byte = (value: number, offset: number) =>
      Math.min(255, Math.max(0, Math.round(value * costUnits) + offset));
    body[4 * nodes.length + i] =
      trie.symbol[node] === startSymbol && i > 0 ? 255 : byte(cost[node] ?? 0, 0);
    body[5 * nodes.length + i] =
      count === 0 ? backOffOffset : Math.min(223, byte(backOff[node] ?? 0, backOffOffset));
  });
  const header: G2pHeader = { format: 1, order, graphones, ngrams };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), body]);
}
