import type { Dfa } from './dfa.js';
import { readingsOf, type ReadingOptions } from './readings.js';

/**
 * A written sentence as word ids that the automaton allows: of the ways to read its numbers and
 * abbreviations, the first that fits. null when none does. Words in `skip` may stand anywhere, or before and after a
 * sentence alone.
 */
export function readSentence(
  text: string,
  dfa: Dfa,
  words: readonly string[],
  skip: ReadonlySet<number>,
  options: ReadingOptions,
  skipAnywhere = true,
): number[] | null {
  const ids = new Map(words.map((word, id) => [word, id]));
  const pieces = readingsOf(text, { ...options, exactTimes: true }).map((ways) =>
    ways.map((way) => way.map(({ word }) => ids.get(word) ?? -1)),
  );
  const dead = new Set<number>();
  const maySkip = (word: number, at: number) =>
    skip.has(word) && (skipAnywhere || at === 0 || dfa.final[at] === true);
  const follow = (state: number, way: readonly number[]): number => {
    let at = state;
    for (const word of way) at = dfa.edges[at]?.get(word) ?? (maySkip(word, at) ? at : -1);
    return at;
  };
  const from = (piece: number, state: number): number[] | null => {
    if (piece === pieces.length) return dfa.final[state] === true ? [] : null;
    const key = state * (pieces.length + 1) + piece;
    if (dead.has(key)) return null;
    for (const way of pieces[piece] ?? []) {
      const next = follow(state, way);
      const rest = next < 0 ? null : from(piece + 1, next);
      if (rest !== null) return [...way, ...rest];
    }
    dead.add(key);
    return null;
  };
  return from(0, 0);
}
