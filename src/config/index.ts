/** config: a file and the environment in, one frozen object out, or every fault at once. */
export { ConfigError, loadConfig, reloadConfig, setsNothing, unknownVariables } from './load.js';
export { brokerSecrets, readSecret } from './secret.js';
export { shownConfig } from './shown.js';
export type { Environment, Fault } from './load.js';
export { requestsOff } from './schema-requests.js';
export { defaultYaml, referenceMarkdown } from './render.js';
export { environmentName, expectation, keysOf, schema } from './schema.js';
export type { Config, Key } from './schema.js';
export { topicPath } from './formats.js';
export { changed, editConfig } from './edit.js';
export type { Changes } from './edit.js';
