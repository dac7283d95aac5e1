import type { Dfa } from './dfa.js';

/**
 * Words that mean the other thing, and are said in the same place: where a grammar allows one of them
 * alone, a speaker may still say the other, and "start the machine" must not stop it.
 */
const opposites = `on off|start stop|lock unlock|load unload|open close|open shut|up down|left right
increase decrease|raise lower|enable disable|activate deactivate|connect disconnect|engage disengage
forward backward|forwards backwards|clockwise counterclockwise|more less|plus minus|yes no
thirteen thirty|fourteen forty|fifteen fifty|sixteen sixty|seventeen seventy|eighteen eighty|nineteen ninety`
  .split(/[|\n]/)
  .map((pair) => pair.split(' '));

const oppositesOf = new Map<string, string[]>();
for (const [a = '', b = ''] of opposites) {
  oppositesOf.set(a, [...(oppositesOf.get(a) ?? []), b]);
  oppositesOf.set(b, [...(oppositesOf.get(b) ?? []), a]);
}

export interface WithOpposites {
  readonly dfa: Dfa;
  /** The words that were added; their ids go on from `firstId`. */
  readonly added: readonly string[];
}

/**
 * The sentences, and beside each place that allows one of such a pair alone, the other: sentences that are
 * heard in order to be refused. Never one that sounds like a word that may be said there.
 */
export function withOpposites(
  dfa: Dfa,
  words: readonly string[],
  firstId: number,
  phonesOf: (word: string) => readonly (readonly number[])[],
): WithOpposites {
  const added: string[] = [];
  const ids = new Map<string, number>();
  const idOf = (word: string) => {
    const id = ids.get(word) ?? firstId + added.push(word) - 1;
    ids.set(word, id);
    return id;
  };
  const sounds = new Map<string, readonly string[]>();
  const soundsOf = (word: string) => {
    const known = sounds.get(word) ?? phonesOf(word).map((phones) => phones.join());
    sounds.set(word, known);
    return known;
  };
  const edges = dfa.edges.map((from) => {
    const here = [...from.keys()].map((id) => words[id] ?? '');
    const more = [...from].flatMap(([id, target]) =>
      (oppositesOf.get(words[id] ?? '') ?? []).map((word) => ({ word, target })),
    );
    if (more.length === 0) return from;
    const said = new Set(here.flatMap(soundsOf));
    const out = new Map(from);
    for (const { word, target } of more)
      if (soundsOf(word).length > 0 && !soundsOf(word).some((s) => said.has(s)))
        out.set(idOf(word), target);
    return out;
  });
  return { dfa: { edges, final: dfa.final }, added };
}
