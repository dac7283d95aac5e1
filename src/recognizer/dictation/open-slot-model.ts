import type { ListedModel } from '../../language/model.js';
import type { Lexicon } from '../lexicon/index.js';
import {
  compileDictation,
  compileDictationInTurns,
  waysToSay,
  type DictationGraph,
  type DictationOptions,
} from './dictation-graph.js';

/** What any words in an open slot are heard with. */
export interface OpenSlotModel {
  readonly graph: DictationGraph;
  phonesOf(word: string): readonly (readonly number[])[];
}

export function openSlotModel(
  model: ListedModel,
  lexicon: Lexicon,
  options: DictationOptions = {},
): OpenSlotModel {
  return { graph: compileDictation(model, lexicon, options), ...saidAs(lexicon) };
}

/** The same beside other work. */
export async function openSlotModelInTurns(
  model: ListedModel,
  lexicon: Lexicon,
  options: DictationOptions = {},
): Promise<OpenSlotModel> {
  return { graph: await compileDictationInTurns(model, lexicon, options), ...saidAs(lexicon) };
}

const saidAs = (lexicon: Lexicon): Pick<OpenSlotModel, 'phonesOf'> => ({
  phonesOf: (word) => waysToSay(word, lexicon),
});
