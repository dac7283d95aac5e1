/** recognizer: steps in, what was said out. */
export { AcousticModel, logSoftmax } from './acoustic.js';
export type { Acoustic, AcousticStream, LogProbs, Look, WholeAcoustic } from './acoustic.js';
export { loadOnnxRuntime } from './onnx-runtime.js';
export type { OnnxRuntime } from './onnx-runtime.js';
export type { CompiledGrammar, DecodingGraph, Interpretation } from './graph.js';
export {
  compileGrammar,
  confusableDistance,
  costInWords,
  enumerateSentences,
  findConfusable,
  GrammarError,
  isRead,
  pronounceText,
  pronounceWord,
  readingsOf,
  sampleSentence,
  searchCost,
  shownWord,
  wordsOf,
} from './grammar/index.js';
export type {
  ConfusablePair,
  Confusables,
  GrammarDetails,
  GrammarFile,
  GrammarFolder,
  GrammarSource,
  Said,
  SaidText,
} from './grammar/index.js';
export { buildLexicon, connectedForms, isVowel, Lexicon, parseUserWords } from './lexicon/index.js';
export type { Pronunciation } from './lexicon/index.js';
export { alignSentence, alignPhones } from './search/align.js';
export type { AlignedPhone } from './search/align.js';
export { certaintyOf, interpolated, probabilityOf, scoreOf, signs } from './confidence.js';
export type { Evidence } from './confidence.js';
export { levelOf } from './level.js';
export { TokenSearch } from './search/token-search.js';
export { Listener } from './listener.js';
export type { ListenMode } from './listener.js';
export type { OpenSlotModel } from './dictation/open-slot-model.js';
export { slotConfidenceMin, slotWordsMax } from './open-slots.js';
export { Recognizer } from './recognizer.js';
export type { RecognizerEvent, RecognizerOptions } from './recognizer.js';
export { afterWake, defaultWakeThreshold, wakePhrase } from './wake/phrase.js';
export type { WakePhrase, WakeSettings } from './wake/phrase.js';
export { WakeSpotter } from './wake/spotter.js';
export type { Spotted } from './wake/spotter.js';
export { scoresOf } from './scores.js';
