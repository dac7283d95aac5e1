/** What a template of sentences says and means, without a lexicon. */
import { determinize } from '../../src/recognizer/grammar/dfa.js';
import { interpretWords } from '../../src/recognizer/grammar/interpret.js';
import { buildNfa, type Nfa } from '../../src/recognizer/grammar/nfa.js';
import type { Fault } from '../../src/recognizer/grammar/tree.js';
import { parseYamlGrammar } from '../../src/recognizer/grammar/yaml.js';

export interface ReadTemplate {
  readonly nfa: Nfa;
  readonly faults: readonly Fault[];
}

/** A grammar of this one sentence; `more`: its lists and rules. */
export function readTemplate(sentence: string, more: object = {}): ReadTemplate {
  const source = JSON.stringify({ intents: { A: { data: [{ sentences: [sentence] }] } }, ...more });
  const { grammar, faults } = parseYamlGrammar(source);
  return { nfa: buildNfa(grammar, faults), faults };
}

/** Every sentence of an automaton, sorted. */
export function sentencesOf(nfa: Nfa): string[] {
  const { edges, final } = determinize(nfa);
  const all: string[] = [];
  const visit = (state: number, said: readonly number[]): void => {
    if (final[state] === true) all.push(said.map((id) => nfa.words[id]).join(' '));
    for (const [word, target] of edges[state] ?? []) visit(target, [...said, word]);
  };
  visit(0, []);
  return all.sort();
}

/** Every sentence of a template, sorted. */
export function templateSentences(sentence: string, more: object = {}): string[] {
  const { nfa, faults } = readTemplate(sentence, more);
  if (faults.length > 0) return faults.map(({ message }) => `refused: ${message}`);
  return sentencesOf(nfa);
}

export function meaningIn(nfa: Nfa, said: string): ReturnType<typeof interpretWords> {
  return interpretWords(
    nfa,
    said.split(' ').map((word) => nfa.words.indexOf(word)),
  );
}
