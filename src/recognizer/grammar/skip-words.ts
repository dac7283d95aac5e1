import { determinize, type Dfa } from './dfa.js';
import { buildNfa } from './nfa.js';
import type { Fault, Place, Sentence } from './tree.js';

/** Each may stand between any two words, so each makes the graph larger everywhere. */
const skipPhrasesMax = 200;

export interface SkipPhrases {
  readonly phrases: readonly (readonly string[])[];
  /** Words in them that are also said letter by letter. */
  readonly spelled: ReadonlySet<string>;
  readonly places: ReadonlyMap<string, Place>;
}

/** All that the templates of `skip_words` say. */
export function skipPhrases(
  templates: readonly Sentence[],
  faults: Fault[],
  own: ReadonlySet<string>,
): SkipPhrases {
  const phrases = new Map<string, readonly string[]>();
  const spelled = new Set<string>();
  const places = new Map<string, Place>();
  for (const sentence of templates) {
    const place = sentence.at ?? { line: 1, column: 1 };
    const before = faults.length;
    const nfa = buildNfa(
      { intents: [{ name: 'skip', sentences: [sentence] }], skipWords: [], warnings: [] },
      faults,
      own,
    );
    if (faults.length > before) continue;
    const said = sentencesOf(determinize(nfa)).filter((ids) => ids.length > 0);
    if (said.length === 0) faults.push({ ...place, message: 'this skip word says nothing' });
    for (const ids of said) {
      const words = ids.map((id) => nfa.words[id] ?? '');
      phrases.set(words.join(' '), words);
      places.set(words.join(' '), place);
    }
    for (const word of nfa.spelled) spelled.add(word);
    if (phrases.size > skipPhrasesMax) {
      faults.push({
        ...place,
        message: `skip_words say more than ${skipPhrasesMax} phrases up to here, and each may stand anywhere: put what belongs to a sentence into the sentence`,
      });
      break;
    }
  }
  return { phrases: [...phrases.values()], spelled, places };
}

/** Sentences in the order in which they are written, one more than allowed at most. */
function sentencesOf({ edges, final }: Dfa): number[][] {
  const found: number[][] = [];
  const visit = (state: number, said: readonly number[]): void => {
    if (found.length > skipPhrasesMax) return;
    if (final[state] === true) found.push([...said]);
    for (const [word, target] of edges[state] ?? []) visit(target, [...said, word]);
  };
  visit(0, []);
  return found;
}
