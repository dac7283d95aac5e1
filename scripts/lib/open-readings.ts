import { readingsOf } from '../../src/recognizer/grammar/readings.js';
import { slotWordsMax } from '../../src/recognizer/open-slots.js';
import type { GrammarDetails } from '../../src/recognizer/index.js';

/** More ways to read one sentence are not looked for. */
const readingsMax = 100;

type Meaning = ReturnType<GrammarDetails['interpret']>;

/** Everything that a written sentence may mean when at least one of its open slots holds some of its words. */
export function openReadings(grammar: GrammarDetails, text: string): Meaning[] {
  const { dfa, graph } = grammar;
  const { open, words } = graph;
  if (open === undefined) return [];
  // Words that are listened for in order to be refused stand behind, with the same text as some before.
  const ids = new Map(words.map((word, id) => [word, id] as const).reverse());
  const pieces = readingsOf(text, { exactTimes: true }).map((ways) =>
    ways.map((way) => way.map(({ word }) => word)),
  );
  const found = new Map<string, Meaning>();
  const follow = (piece: number, state: number, read: number[], texts: Map<number, string>) => {
    if (found.size >= readingsMax) return;
    if (piece === pieces.length) {
      if (texts.size === 0 || dfa.final[state] !== true) return;
      const meaning = grammar.interpret(read, texts);
      found.set(JSON.stringify([meaning.intent, meaning.slots]), meaning);
      return;
    }
    for (const way of pieces[piece] ?? []) {
      let at: number | undefined = state;
      const numbers = way.map((word) => ids.get(word) ?? -1);
      for (const number of numbers) at = at === undefined ? at : dfa.edges[at]?.get(number);
      if (at !== undefined) follow(piece + 1, at, [...read, ...numbers], texts);
    }
    const after = dfa.edges[state]?.get(open);
    if (after === undefined) return;
    const said: string[] = [];
    for (let end = piece; end < pieces.length; end++) {
      said.push(...(pieces[end]?.[0] ?? []));
      if (said.length > slotWordsMax) break;
      const slot = new Map([...texts, [read.length, said.join(' ')]]);
      follow(end + 1, after, [...read, open], slot);
    }
  };
  follow(0, 0, [], new Map());
  return [...found.values()];
}
