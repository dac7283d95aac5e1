/** grammar: sentences as people write them in, one automaton of phones with its meaning out. */
export { compileGrammar, GrammarError } from './compile.js';
export type { GrammarDetails } from './compile.js';
export { readNumber, spokenNumber } from './numbers.js';
export { wordsOf } from './readings.js';
export { enumerateSentences, sampleSentence } from './sample.js';
