import { Differences } from './difference.js';
import type { Dfa } from './dfa.js';

/**
 * Pairs of words that are said in the same place and mean the opposite. A speaker may say one where the grammar allows
 * only the other: "start the machine" must not stop it.
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
 * Adds the opposites of words, as sentences that are heard in order to be refused (anti-keywords). Where the grammar
 * allows the opposite too, it is added only with what may not follow it. Beside "stop the machine" and "start conveyor
 * three" that is "start the machine". Nothing is added that sounds like a sentence of the grammar.
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
  const differences = new Differences(dfa, (id) => soundsOf(words[id] ?? ''));
  const edges = dfa.edges.map((from) => {
    const out = new Map(from);
    for (const [id, target] of from)
      for (const word of oppositesOf.get(words[id] ?? '') ?? []) {
        const sounds = soundsOf(word);
        if (sounds.length === 0) continue;
        const alike = [...from].filter(([o]) =>
          soundsOf(words[o] ?? '').some((s) => sounds.includes(s)),
        );
        const [only] = alike;
        if (only === undefined) out.set(idOf(word), target);
        // What sounds like the opposite and is another word may mean anything.
        else if (alike.length === 1 && words[only[0]] === word) {
          const rest = differences.of(target, only[1]);
          if (rest !== undefined) out.set(idOf(word), rest);
        }
      }
    return out;
  });
  return {
    dfa: {
      edges: [...edges, ...differences.edges],
      final: [...dfa.final, ...differences.final],
    },
    added,
  };
}
