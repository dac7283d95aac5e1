/** lexicon: words in, pronunciations out: the site's own, the dictionary's, spelled, or by letter-to-sound rules. */
export { buildLexicon, dictionaryEntries } from './build.js';
export { connectedForms } from './connected-speech.js';
export { G2p } from './g2p.js';
export { Guesses, parseGuesses } from './guesses.js';
export { Lexicon } from './lexicon.js';
export { isVowel, phoneCosts, phoneDistance } from './phone-distance.js';
export type { PhoneCosts } from './phone-distance.js';
export type { Pronunciation, PronunciationSource } from './lexicon.js';
export { trainG2p } from './train-g2p.js';
export { parseUserWords } from './user-words.js';
export { ownForm, visibleForm } from './word-form.js';
