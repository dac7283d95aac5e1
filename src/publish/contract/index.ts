/** What is promised to whoever listens: docs/mqtt in types. For documents and tests; types only for the daemon. */
export { eventExample, publishedEventEntries } from './events.js';
export type { PublishedEvent, PublishedEventEntry } from './events.js';
export type { Schema } from './json-schema.js';
export { requestEntries, responseExample } from './requests.js';
export type { RequestEntry, RequestName } from './requests.js';
export { exampleBase, exampleDevice, schemaFile, topicContracts } from './topics.js';
export type { TopicContract } from './topics.js';
