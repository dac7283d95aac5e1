import type { GrammarDetails } from './compile.js';

/** One sentence of the grammar, as word ids; every edge of a state is equally likely. */
export function sampleSentence(grammar: GrammarDetails, random: () => number): number[] {
  const { edges, final } = grammar.dfa;
  const words: number[] = [];
  for (let state = 0; ;) {
    const out = [...(edges[state] ?? [])];
    const ways = out.length + (final[state] === true ? 1 : 0);
    const edge = out[Math.floor(random() * ways)];
    if (edge === undefined) return words;
    words.push(edge[0]);
    state = edge[1];
  }
}

/** Sentences in a fixed order, at most `limit`. */
export function* enumerateSentences(grammar: GrammarDetails, limit: number): Generator<number[]> {
  const { edges, final } = grammar.dfa;
  const stack: { state: number; words: number[] }[] = [{ state: 0, words: [] }];
  for (let given = 0; stack.length > 0 && given < limit;) {
    const { state, words } = stack.pop() ?? { state: 0, words: [] };
    if (final[state] === true) {
      given++;
      yield words;
    }
    for (const [word, target] of [...(edges[state] ?? [])].reverse())
      stack.push({ state: target, words: [...words, word] });
  }
}
