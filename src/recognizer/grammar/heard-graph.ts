import type { DecodingGraph } from '../graph.js';
import type { Pronunciation } from '../lexicon/index.js';
import { distinctForms } from './connected-forms.js';
import type { Dfa } from './dfa.js';
import { expandPhones } from './phones.js';

/** Larger graphs, without forms of connected speech, have none: a search of half as much more would be late. */
const formsArcsMax = 150_000;
/** Words that may stand anywhere cost at each place: in larger graphs they are before and after sentences alone. */
export const skipArcsMax = 50_000;
/** Unless they are less than this share of the graph, which is large without them. */
const skipShareMin = 0.25;

export interface HeardGraph {
  readonly graph: DecodingGraph;
  /** What is listened for, by word. */
  readonly ways: readonly (readonly (readonly number[])[])[];
  /** Of that, the words as they sound in a sentence. */
  readonly forms: readonly (readonly Pronunciation[])[];
  /** Whether the words of `skip` may stand anywhere, and how many phones that takes or would take. */
  readonly skipAnywhere: boolean;
  readonly phonesWithSkip: number;
}

/** The phones of all sentences, with as much beside the sentences themselves as the size of the graph allows. */
export function heardGraph(
  dfa: Dfa,
  words: readonly string[],
  listed: readonly (readonly Pronunciation[])[],
  skip: readonly number[],
  units: readonly string[],
): HeardGraph {
  const plainWays = listed.map(phonesIn);
  const count = units.length;
  const everywhere = expandPhones(dfa, words, plainWays, skip, true, count);
  const phonesWithSkip = everywhere.arcUnit.length;
  const atEnds =
    skip.length > 0 && phonesWithSkip > skipArcsMax
      ? expandPhones(dfa, words, plainWays, skip, false, count)
      : everywhere;
  const skipAnywhere = atEnds.arcUnit.length > (1 - skipShareMin) * phonesWithSkip;
  const plain = skipAnywhere ? everywhere : atEnds;
  const rest = { skipAnywhere, phonesWithSkip };
  if (plain.arcUnit.length > formsArcsMax)
    return { graph: plain, ways: plainWays, forms: words.map(() => []), ...rest };
  const forms = distinctForms(dfa, words, listed, skip, units);
  const ways = listed.map((ps, id) => phonesIn([...ps, ...(forms[id] ?? [])]));
  return { graph: expandPhones(dfa, words, ways, skip, skipAnywhere, count), ways, forms, ...rest };
}

const phonesIn = (ps: readonly Pronunciation[]) => ps.map((p) => p.phones);
