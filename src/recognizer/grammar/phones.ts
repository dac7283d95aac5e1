import type { DecodingGraph } from '../graph.js';
import type { Dfa } from './dfa.js';
import { costsOf, openWord, phoneLoop, type LoopArc } from './open-slot.js';
import { GrammarTooLarge } from './states.js';

const arcsMax = 4_000_000;

interface TreeNode {
  readonly children: Map<number, TreeNode>;
  readonly leaves: { unit: number; word: number; target: number }[];
}

/**
 * Words become phones: at each state one prefix tree over the pronunciations of the words that may
 * follow. The arc of a word's last phone carries the word and leads to the state after it.
 *
 * Branches that end alike are there once, whatever states they hang from: "kitchen" before the same words costs its
 * first phone at each place where it may be said, and the others once. Tokens that meet in such a branch would meet at
 * its end all the same, so the search finds the same.
 *
 * Words in `skip` may stand anywhere, or before and after a sentence alone.
 */
export function expandPhones(
  dfa: Dfa,
  words: readonly string[],
  pronunciations: readonly (readonly (readonly number[])[])[],
  skip: readonly number[],
  skipAnywhere = true,
  units = 0,
): DecodingGraph {
  const arcs: Arc[][] = dfa.edges.map(() => []);
  const open = words.indexOf(openWord);
  const final = dfa.final.map((f) => (f ? 1 : 0));
  let total = 0;
  const add = (state: number, unit: number, target: number, word: number, cost?: number) => {
    if (++total > arcsMax)
      throw new GrammarTooLarge(`the sentences need more than ${arcsMax} phones`);
    arcs[state]?.push({ unit, target, word, ...(cost === undefined ? {} : { cost }) });
  };
  const loops = new Map<number, readonly LoopArc[]>();
  /** Arcs from before an open slot; the loop that they lead to is made once for what follows it. */
  const openInto = (target: number): readonly LoopArc[] => {
    const known = loops.get(target);
    if (known !== undefined) return known;
    const loop = arcs.push([]) - 1;
    final.push(0);
    const { into, own } = phoneLoop(units, loop, target, open);
    for (const arc of own) add(loop, arc.unit, arc.target, arc.word, arc.cost);
    loops.set(target, into);
    return into;
  };
  const branches = new Map<string, number>();
  /** What leaves a node; the branches below it are placed first. */
  const leaving = ({ leaves, children }: TreeNode) => [
    ...leaves.map(({ unit, target, word }) => ({ unit, target, word })),
    ...[...children].map(([unit, child]) => ({ unit, target: branch(child), word: -1 })),
  ];
  const branch = (node: TreeNode): number => {
    const out = leaving(node);
    const shape = out
      .map(({ unit, target, word }) => `${unit},${target},${word}`)
      .sort()
      .join(';');
    let state = branches.get(shape);
    if (state === undefined) {
      state = arcs.push([]) - 1;
      final.push(0);
      branches.set(shape, state);
      for (const { unit, target, word } of out) add(state, unit, target, word);
    }
    return state;
  };
  dfa.edges.forEach((edges, state) => {
    const root: TreeNode = { children: new Map(), leaves: [] };
    for (const [word, target] of edges) insert(root, pronunciations[word] ?? [], word, target);
    const ends = state === 0 || dfa.final[state] === true;
    for (const word of skipAnywhere || ends ? skip : [])
      insert(root, pronunciations[word] ?? [], word, state);
    for (const { unit, target, word } of leaving(root)) add(state, unit, target, word);
    const after = open < 0 ? undefined : edges.get(open);
    if (after === undefined) return;
    for (const { unit, target, word, cost } of openInto(after))
      add(state, unit, target, word, cost);
  });
  const arcStart = new Int32Array(arcs.length + 1);
  const flat = arcs.flatMap((list, s) => {
    arcStart[s + 1] = (arcStart[s] ?? 0) + list.length;
    return list;
  });
  return {
    states: arcs.length,
    arcStart,
    arcUnit: Int32Array.from(flat, (a) => a.unit),
    arcTarget: Int32Array.from(flat, (a) => a.target),
    arcWord: Int32Array.from(flat, (a) => a.word),
    final: Uint8Array.from(final),
    words,
    ...costsOf(flat, open),
  };
}

interface Arc {
  readonly unit: number;
  readonly target: number;
  readonly word: number;
  readonly cost?: number;
}

function insert(
  root: TreeNode,
  variants: readonly (readonly number[])[],
  word: number,
  target: number,
): void {
  for (const phones of variants) {
    let node = root;
    phones.forEach((unit, i) => {
      if (i === phones.length - 1) {
        if (!node.leaves.some((l) => l.unit === unit && l.word === word))
          node.leaves.push({ unit, word, target });
        return;
      }
      let child = node.children.get(unit);
      if (child === undefined) {
        child = { children: new Map(), leaves: [] };
        node.children.set(unit, child);
      }
      node = child;
    });
  }
}
