import type { Interpretation } from '../graph.js';
import { meaningOf } from './interpret.js';
import type { Nfa } from './nfa.js';
import type { Edge, Mark } from './states.js';

/** Steps that are looked at for one sentence; beyond them the best so far counts. */
const stepsMax = 20_000;
/** The slot that a sentence about one thing fills. */
const nameSlot = 'name';

interface Found {
  readonly interpretation: Interpretation;
  readonly rank: readonly number[];
}

/**
 * The meaning that Home Assistant would choose among several (hassil's `recognize_best`). In this order:
 * 1. a site's own sentences, before ready-made ones;
 * 2. one that names a thing, before one about all of a kind;
 * 3. the longest name;
 * 4. the most letters outside of slots;
 * 5. the first in file order.
 */
export function bestMeaning(
  nfa: Nfa,
  words: readonly number[],
  said = words.map((word) => nfa.words[word] ?? ''),
): Interpretation | null {
  const useful = usefulPlaces(nfa, words);
  let best: Found | null = null;
  let steps = 0;
  const seen = new Set<string>();
  const follow = (state: number, position: number, marks: readonly Marked[], own: boolean) => {
    if (++steps > stepsMax) return;
    const key = `${state} ${position} ${signature(marks)}`;
    if (seen.has(key)) return;
    seen.add(key);
    if (state === nfa.end && position === words.length) {
      const interpretation = meaningOf(marks, said);
      const found = { interpretation, rank: rankOf(interpretation, said, own) };
      if (best === null || isBetter(found.rank, best.rank)) best = found;
      return;
    }
    const ours = own || nfa.accepts.get(state)?.sentence.own === true;
    for (const edge of nfa.edges[state] ?? []) {
      const next = after(edge, position, words);
      if (next === null || !useful.has(placeOf(edge.target, next, words))) continue;
      follow(
        edge.target,
        next,
        edge.mark === undefined ? marks : [...marks, { mark: edge.mark, position: next }],
        ours,
      );
    }
  };
  follow(nfa.start, 0, [], false);
  return (best as Found | null)?.interpretation ?? null;
}

interface Marked {
  readonly mark: Mark;
  readonly position: number;
}

const placeOf = (state: number, position: number, words: readonly number[]) =>
  state * (words.length + 1) + position;

/** The place in the sentence after an edge; null where it says another word. */
function after({ word }: Edge, position: number, words: readonly number[]): number | null {
  if (word < 0) return position;
  return words[position] === word ? position + 1 : null;
}

/** Where the sentence may stand on its way from the start to the end of the automaton. */
function usefulPlaces({ edges, start, end }: Nfa, words: readonly number[]): Set<number> {
  const before = new Map<number, number[]>([[placeOf(start, 0, words), []]]);
  const queue: [number, number][] = [[start, 0]];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    const [state, position] = at;
    for (const edge of edges[state] ?? []) {
      const next = after(edge, position, words);
      if (next === null) continue;
      const place = placeOf(edge.target, next, words);
      const known = before.get(place);
      if (known === undefined) {
        before.set(place, [placeOf(state, position, words)]);
        queue.push([edge.target, next]);
      } else known.push(placeOf(state, position, words));
    }
  }
  const useful = new Set<number>();
  const back = [placeOf(end, words.length, words)].filter((place) => before.has(place));
  for (let place = back.pop(); place !== undefined; place = back.pop()) {
    if (useful.has(place)) continue;
    useful.add(place);
    back.push(...(before.get(place) ?? []));
  }
  return useful;
}

/** Equal for ways that have meant the same so far. */
const signature = (marks: readonly Marked[]) =>
  marks
    .map(({ mark, position }) => {
      if (mark.kind === 'intent') return `i${mark.intent.name}`;
      return mark.kind === 'open' ? `o${position}` : `c${position}${mark.slot}=${value(mark)}`;
    })
    .join('|');

/** A value that is made of the words said is told by the places where its slot opened and closed. */
const value = (mark: Mark & { kind: 'close' }) => JSON.stringify(mark.value ?? null);

function rankOf(
  { said }: Interpretation,
  words: readonly string[],
  own: boolean,
): readonly number[] {
  const inSlots = Object.values(said).reduce((sum, text) => sum + text.length, 0);
  const name = said[nameSlot];
  return [own ? 1 : 0, name === undefined ? 0 : 1 + name.length, words.join(' ').length - inSlots];
}

function isBetter(a: readonly number[], b: readonly number[]): boolean {
  const differs = a.findIndex((x, i) => x !== b[i]);
  return differs >= 0 && (a[differs] ?? 0) > (b[differs] ?? 0);
}
