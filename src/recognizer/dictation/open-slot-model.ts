import type { LanguageModel } from '../../language/model.js';
import type { Lexicon } from '../lexicon/index.js';
import {
  compileDictation,
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
  model: LanguageModel,
  lexicon: Lexicon,
  options: DictationOptions = {},
): OpenSlotModel {
  return {
    graph: compileDictation(model, lexicon, options),
    phonesOf: (word) => waysToSay(word, lexicon),
  };
}
