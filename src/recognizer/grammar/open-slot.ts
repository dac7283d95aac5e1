import type { DecodingGraph } from '../graph.js';
import type { Dfa } from './dfa.js';
import type { Fault, Place } from './tree.js';

/** Stands for any words in an automaton of words. No word of a sentence has braces. */
export const openWord = '{}';
/** Any words, where it is not known which. */
export const unknownWords = '...';

/** A word of a graph as people are shown it. */
export const shownWord = ({ words, open }: Pick<DecodingGraph, 'words' | 'open'>, word: number) =>
  word === open ? unknownWords : (words[word] ?? '');

/**
 * What each phone of an open slot pays, in nats: about what the phone chain asks for one (see search/filler.ts). Less, and the
 * slot swallows the words beside it; more, and it leaves out what was said quickly.
 */
export const openPhoneCost = 3;

/** What cannot be found: a slot without words around it, and two with none between. */
export function openFaults({ edges, final }: Dfa, open: number, place: Place): Fault[] {
  if (open < 0) return [];
  const faults: Fault[] = [];
  const first = edges[0]?.get(open);
  if (first !== undefined && final[first] === true)
    faults.push({
      ...place,
      message:
        'a sentence is any words and nothing else, so that everything would be this command: write fixed words before or after the slot',
    });
  if (edges.some((from) => edges[from.get(open) ?? -1]?.has(open) === true))
    faults.push({
      ...place,
      message:
        'two slots of any words stand side by side, and nothing says where the first ends: write fixed words between them',
    });
  return faults;
}

export interface LoopArc {
  readonly unit: number;
  readonly target: number;
  readonly word: number;
  readonly cost: number;
}

/** Any phones, two at least, in a loop that is left for `target` with the open word: arcs into the state `loop`, and its own. */
export function phoneLoop(units: number, loop: number, target: number, open: number) {
  const phones = Array.from({ length: units - 1 }, (_, i) => i + 1);
  const arc =
    (to: number, word: number) =>
    (unit: number): LoopArc => ({
      unit,
      target: to,
      word,
      cost: openPhoneCost,
    });
  // Those that leave come first: of two that are equally good the slot has ended.
  return {
    into: phones.map(arc(loop, -1)),
    own: [...phones.map(arc(target, open)), ...phones.map(arc(loop, -1))],
  };
}

/** The open word and the costs of a graph, where it has any. */
export function costsOf(
  arcs: readonly { readonly cost?: number }[],
  open: number,
): Pick<DecodingGraph, 'open' | 'arcCost'> {
  if (open < 0) return {};
  return { open, arcCost: Float32Array.from(arcs, ({ cost }) => cost ?? 0) };
}
