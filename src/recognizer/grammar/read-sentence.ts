import type { Dfa } from './dfa.js';
import { openWord } from './open-slot.js';
import { readingsOf, type ReadingOptions } from './readings.js';

/** A written sentence as the automaton has it. */
export interface ReadSentence {
  readonly words: readonly number[];
  /** What stands in open slots, by their place among the words. */
  readonly texts: ReadonlyMap<number, string>;
}

/** Words of a sentence from its end: what stands in an open slot has its text. */
type Told = readonly { readonly word: number; readonly text?: string }[];

/**
 * A written sentence as word ids that the automaton allows: of the ways to read its numbers and
 * abbreviations, the first that fits. null when none does. Words in `skip` may stand anywhere, or before and after a
 * sentence alone. An open slot takes as few words as it can.
 */
export function readSentence(
  text: string,
  dfa: Dfa,
  words: readonly string[],
  skip: ReadonlySet<number>,
  options: ReadingOptions,
  skipAnywhere = true,
): ReadSentence | null {
  const ids = new Map(words.map((word, id) => [word, id]));
  const readings = readingsOf(text, { ...options, exactTimes: true });
  const pieces = readings.map((ways) =>
    ways.map((way) => way.map(({ word }) => ids.get(word) ?? -1)),
  );
  const open = ids.get(openWord) ?? -1;
  const dead = new Set<number>();
  const maySkip = (word: number, at: number) =>
    skip.has(word) && (skipAnywhere || at === 0 || dfa.final[at] === true);
  const follow = (state: number, way: readonly number[]): number => {
    let at = state;
    for (const word of way) at = dfa.edges[at]?.get(word) ?? (maySkip(word, at) ? at : -1);
    return at;
  };
  const from = (piece: number, state: number): Told | null => {
    if (piece === pieces.length) return dfa.final[state] === true ? [] : null;
    const key = state * (pieces.length + 1) + piece;
    if (dead.has(key)) return null;
    for (const way of pieces[piece] ?? []) {
      const next = follow(state, way);
      const rest = next < 0 ? null : from(piece + 1, next);
      if (rest !== null) return [...way.map((word) => ({ word })), ...rest];
    }
    const behind = dfa.edges[state]?.get(open) ?? -1;
    for (let end = piece + 1; behind >= 0 && end <= pieces.length; end++) {
      const rest = from(end, behind);
      if (rest !== null) return [{ word: open, text: usual(piece, end) }, ...rest];
    }
    dead.add(key);
    return null;
  };
  /** As a voice would say it. */
  const usual = (piece: number, end: number) =>
    readings
      .slice(piece, end)
      .flatMap((ways) => (ways[0] ?? []).map(({ word }) => word))
      .join(' ');
  const told = from(0, 0);
  if (told === null) return null;
  return {
    words: told.map(({ word }) => word),
    texts: new Map(told.flatMap(({ text: said }, i) => (said === undefined ? [] : [[i, said]]))),
  };
}
