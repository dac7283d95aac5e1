import type { SlotValue } from '../../records.js';
import type { Interpretation } from '../graph.js';
import type { Nfa } from './nfa.js';
import type { Mark } from './states.js';

/**
 * Meaning of a sentence: the first path through the automaton, in file order, that says these words.
 * Dead ends are remembered, so the time is bounded by states times words.
 */
export function interpretWords(
  nfa: Nfa,
  words: readonly number[],
  said = words.map((w) => nfa.words[w] ?? ''),
): Interpretation | null {
  interface Step {
    readonly state: number;
    readonly position: number;
    next: number;
    readonly via?: Mark;
  }
  const dead = new Set<number>();
  const keyOf = (state: number, position: number) => position * nfa.edges.length + state;
  const path: Step[] = [{ state: nfa.start, position: 0, next: 0 }];
  const seen = new Set([keyOf(nfa.start, 0)]);
  while (path.length > 0) {
    const step = path.at(-1) as Step;
    if (step.state === nfa.end && step.position === words.length) {
      return meaningOf(
        path.map((s) => ({ mark: s.via, position: s.position })),
        said,
      );
    }
    const edge = nfa.edges[step.state]?.[step.next++];
    if (edge === undefined) {
      dead.add(keyOf(step.state, step.position));
      path.pop();
      continue;
    }
    if (edge.word >= 0 && words[step.position] !== edge.word) continue;
    const position = edge.word >= 0 ? step.position + 1 : step.position;
    const key = keyOf(edge.target, position);
    if (dead.has(key) || seen.has(key)) continue;
    seen.add(key);
    path.push({
      state: edge.target,
      position,
      next: 0,
      ...(edge.mark === undefined ? {} : { via: edge.mark }),
    });
  }
  return null;
}

/** What a way through the automaton means: its marks, each with the number of words before it. */
export function meaningOf(
  path: readonly { readonly mark?: Mark; readonly position: number }[],
  words: readonly string[],
): Interpretation {
  let intent = '';
  let settings: { minConfidence?: number; confirm?: boolean } = {};
  const slots: Record<string, SlotValue> = {};
  const said: Record<string, string> = {};
  const opened = new Map<number, { position: number; before?: string }>();
  for (const { mark, position } of path) {
    if (mark === undefined) continue;
    if (mark.kind === 'intent') {
      intent = mark.intent.name;
      const { minConfidence, confirm } = mark.intent;
      settings = {
        ...(minConfidence === undefined ? {} : { minConfidence }),
        ...(confirm === true ? { confirm } : {}),
      };
    } else if (mark.kind === 'open') opened.set(mark.id, { ...mark, position });
    else {
      const open = opened.get(mark.id);
      const own = words.slice(open?.position ?? 0, position);
      slots[mark.slot] =
        mark.value ?? mark.read?.of(own) ?? within(own.join(' '), open?.before, mark.after);
      if (mark.fixed !== true) said[mark.slot] = own.join(' ');
    }
  }
  const key = JSON.stringify([intent, Object.entries(slots).sort(([a], [b]) => (a < b ? -1 : 1))]);
  return { intent, slots, said, key, ...settings };
}

/** The words of a slot without the letters around it that belong to the same words. */
function within(said: string, before = '', after = ''): string {
  const tail = said.startsWith(before.toLowerCase()) ? said.slice(before.length) : said;
  return tail.endsWith(after.toLowerCase()) ? tail.slice(0, tail.length - after.length) : tail;
}
