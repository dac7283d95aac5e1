/**
 * update/trust: a repository's address and a root of trust in, verified bundles out. Its only source
 * of belief is The Update Framework; its only way to fail is an UpdateError with a stable code.
 */
export { TrustedSource, type TrustedSourceOptions } from './source.js';
export { openWhenAsked } from './lazy.js';
export { UpdateError, updateCodes, type UpdateCode } from './errors.js';
export { bundleTarget, channelTarget, publisherOf } from './names.js';
export { realFiles, type Files, type PartFile } from './files.js';
