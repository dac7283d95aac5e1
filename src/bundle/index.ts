/** bundle: the model contract every side shares. A path in, a checked bundle out. */
export { Bundle, readTar, sha256, writeBundle } from './bundle.js';
export { atLeast, manifestFields, parseManifest } from './manifest.js';
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
