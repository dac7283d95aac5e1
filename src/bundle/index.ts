/** bundle: the model contract every side shares. A path in, a checked bundle out. */
export { kindOf, openBundle } from './any-bundle.js';
export { Bundle, readTar, storedFiles, writeBundle } from './bundle.js';
export {
  LanguageBundle,
  languageModelName,
  parseLanguageManifest,
  selftestSentencesMax,
} from './language-bundle.js';
export type { LanguageManifest } from './language-bundle.js';
export { manifestFields, parseManifest } from './manifest.js';
export { manifestText } from './manifest-text.js';
export { multipleMax, multiplesOf, nibbleGroup, nibbleMax } from './nibbles.js';
export type { MatrixPlace } from './nibbles.js';
export { pack, storedDigest, storedName } from './packed.js';
export type { FileEntry } from './packed.js';
export { sha256 } from './sha256.js';
export { atLeast, isBundleKind, nameOfKind } from './manifest-kinds.js';
export type { BundleKind, WantedLanguageModel } from './manifest-kinds.js';
export type {
  Confidence,
  Decoding,
  EndpointTimes,
  FeatureOptions,
  Logistic,
  Manifest,
  PhoneChain,
  Weighting,
} from './manifest.js';
