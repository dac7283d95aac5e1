/** grammar: sentences as people write them in, one automaton of phones with its meaning out. */
export { compileGrammar, GrammarError, pronounceWord } from './compile.js';
export type { GrammarDetails } from './compile.js';
export { confusableDistance, findConfusable } from './confusable.js';
export type { ConfusablePair, Confusables } from './confusable.js';
export { costInWords, searchCost } from './search-cost.js';
export { shownWord } from './open-slot.js';
export { readNumber, spokenNumber } from './numbers.js';
export { readingsOf, wordsOf } from './readings.js';
export { enumerateSentences, sampleSentence } from './sample.js';
export { isRead } from './home-assistant.js';
export type { GrammarFile, GrammarFolder, GrammarSource } from './source.js';
export { pronounceText } from './say.js';
export type { Said, SaidText } from './say.js';
